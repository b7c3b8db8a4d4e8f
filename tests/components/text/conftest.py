"""The page "Text tasks" over tiny random models."""

import json

import pytest

from components import presence, presses, services
from models.catalog import load_catalog
from models.runtime.engine import LocalEngine
from models.runtime.jobs import Jobs
from models.settings import PACKAGE_DIR, Settings
from models.store import Store
from tests.components.toy_app import OWNER
from tests.tiny.task_nets import write_task_models


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return the settings of a catalogue of tiny random models."""
    return write_task_models(tmp_path_factory.mktemp("tasks"))


@pytest.fixture
def jobs(tiny, tmp_path, monkeypatch):
    """Return the jobs of an app whose catalogue has the tiny models beside the shipped ones."""
    monkeypatch.setenv("PLAYGROUND_CATALOG_DIRS", json.dumps([str(PACKAGE_DIR / "catalog"), str(tiny.catalog_dirs[0])]))
    monkeypatch.setenv("PLAYGROUND_OWNERS", "session")
    settings = Settings(data_dir=tmp_path, threads=1)
    jobs = Jobs(LocalEngine(settings), Store(settings), settings, lambda one: load_catalog(settings).validate(one))
    monkeypatch.setattr(services, "jobs", lambda: jobs)
    monkeypatch.setattr(presence, "session_id", lambda: OWNER)
    monkeypatch.setattr(presses, "AGAIN_S", 0.0)
    yield jobs
    jobs.close()
