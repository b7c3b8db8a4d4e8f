"""Write the names that the emoji models learnt, so that the app can say what a prompt names that they never saw.

    python -m training.image.emoji_names --data ../shared/data

One line per base name that was trained on: the name, then its other captions, with tabs between. Skin tones are left
out, held-out names too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.image.emoji import EmojiSet, load_emoji


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/")
    parser.add_argument("--out", type=Path, default=Path("models/catalog/emoji-names.txt"))
    options = parser.parse_args()
    options.out.write_text("\n".join(lines(load_emoji(options.data))) + "\n", "utf-8")


def lines(emoji: EmojiSet) -> list[str]:
    """Return a line per training name, sorted."""
    found = []
    for index in emoji.train:
        group = emoji.groups[index]
        captions = [*group.aliases, *(emoji.captions[file] for file in group.files)]
        others = dict.fromkeys(one for one in captions if "skin tone" not in one and one != group.name)
        found.append("\t".join([group.name, *others]))
    return sorted(found)


if __name__ == "__main__":
    main()
