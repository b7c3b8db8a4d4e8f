"""The toy modality of `tests/toy`, found by an app from a folder outside of it."""

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from streamlit.testing.v1 import AppTest

from models.settings import Settings

ROOT = Path(__file__).parents[2]
OWNER = "ann"


def environment(folder):
    """Copy the toy to `folder` and return the environment under which the app finds it."""
    shutil.copytree(ROOT / "tests" / "toy", folder, dirs_exist_ok=True)
    (folder / "catalog" / "weights").mkdir(exist_ok=True)
    save_file({"weight": np.zeros(4, np.float32)}, folder / "catalog" / "weights" / "model.safetensors")
    usual = Settings()
    return {
        "PLAYGROUND_CATALOG_DIRS": json.dumps([*map(str, usual.catalog_dirs), str(folder / "catalog")]),
        "PLAYGROUND_FAMILY_DIRS": json.dumps([*map(str, usual.family_dirs), str(folder / "families")]),
        "PLAYGROUND_ROOM_DIRS": json.dumps([*map(str, usual.room_dirs), str(folder / "rooms")]),
    }


def opened(folder):
    page = AppTest.from_file(folder / "rooms" / "dance" / "dance.py", default_timeout=30).run()
    assert not page.exception, page.exception
    return page


def ended(jobs, page):
    from tests.browser.conftest import until

    until(lambda: all(view.finished for view in jobs.jobs_of(OWNER)))
    page.run()
    assert not page.exception, page.exception
    return page
