"""A catalogue of models that misbehave on purpose, for tests of what runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from models.settings import Settings

FAMILIES = Path(__file__).parent / "families"

ENTRY = """
id = "text/{name}"
name = "{name}"
family = "odd"
summary = "Does what its prompt says."
architecture = "none"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
[weights]
path = "weights"
"""


def odd_settings(folder: Path, names: tuple[str, ...] = ("odd",), **more: object) -> Settings:
    """Write a catalogue of odd models into `folder` and return settings that use it alone."""
    catalog = folder / "catalog"
    (catalog / "weights").mkdir(parents=True, exist_ok=True)
    save_file({"weight": np.zeros(4, np.float32)}, catalog / "weights" / "model.safetensors")
    for name in names:
        (catalog / f"{name}.toml").write_text(ENTRY.format(name=name), "utf-8")
    return Settings(catalog_dirs=(catalog,), family_dirs=(FAMILIES,), data_dir=folder / "data", **more)  # type: ignore[arg-type]
