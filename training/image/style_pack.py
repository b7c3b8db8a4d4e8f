"""Pack the emoji in four styles into two files that a machine without the training needs can read.

    python -m training.image.style_pack --data ../shared/data --out pack

`pictures.tar` holds the files as they are, those alone that training reads, in the order of `StyleSet.pixels`;
`styles.json.xz` all else. `training.image.styles.load_styles(pack)` then gives the same set.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import tarfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from training.image.emoji import CLDR
from training.image.styles import LISTED, PICTURES, StyleSet, load_styles


def main() -> None:
    """Write the pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/ and emoji-styles/")
    parser.add_argument("--out", type=Path, required=True, help="folder for the pack")
    parser.add_argument("--cldr", type=Path, default=CLDR, help="CLDR's annotations in English (default: %(default)s)")
    options = parser.parse_args()
    save(load_styles(options.data, options.cldr), options.data, options.out)


def save(styles: StyleSet, data: Path, out: Path) -> None:
    """Write `styles`, as they were read from `data`, to the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    base = styles.base
    listed = {
        "captions": styles.captions, "groups": [asdict(group) for group in base.groups], "noto": len(base.captions),
        "names_held_out": base.held_out, "train": base.train, "files": styles.files, "seen": styles.seen,
        "held_out": styles.held_out, "sources": styles.sources,
    }  # fmt: skip
    (out / LISTED).write_bytes(lzma.compress(json.dumps(listed, ensure_ascii=False).encode(), preset=9))
    with ExitStack() as opened, tarfile.open(out / PICTURES, "w", format=tarfile.USTAR_FORMAT) as packed:
        archives = {tar: opened.enter_context(tarfile.open(data / tar))
                    for tar in {source.partition(":")[0] for source in styles.sources if ":" in source}}  # fmt: skip
        for number, source in enumerate(styles.sources):
            name, _, member = source.partition(":")
            stream = archives[name].extractfile(member) if member else None
            content = stream.read() if stream else (data / name).read_bytes()
            entry = tarfile.TarInfo(str(number))
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    main()
