"""The Hibari voice as its package has it: net, lexicon, the code that reads a text, with a config.json beside them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

RATE_HZ = 24_000


def convert(files: Mapping[str, Path], made: Path) -> None:
    """Copy the package's files under their names into `made`; nothing of them is run here."""
    for name, file in files.items():
        parts = PurePosixPath(name).parts
        if parts[0] != "hibari" or ".." in parts:
            raise ValueError(f"{name} is no file of the package hibari")
        target = made.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    (made / "config.json").write_text(json.dumps({"model_type": "hibari", "sampling_rate": RATE_HZ}), "utf-8")
