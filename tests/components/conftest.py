"""Pages over a fake engine: drawn by AppTest, no worker, no torch."""

import atexit
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from components import presence, presses, rooms, services
from models.catalog import load_catalog
from models.runtime import forecasts
from models.runtime.decoder import Decoder
from models.runtime.engine import LocalEngine
from models.runtime.jobs import Jobs
from models.settings import Settings
from models.store import Store
from tests.components import toy_app
from tests.components.image_desk import OWNER, Desk
from tests.fakes import FakeWords

ROOT = Path(__file__).parents[2]


@cache
def _empty_index():
    """Return a file that is a new store's index: making one takes longer than most of these tests."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    Store(Settings(data_dir=folder)).close()
    return folder / "runs.sqlite"


@cache
def _catalog(catalog_dirs, family_dirs):
    return load_catalog(Settings(catalog_dirs=catalog_dirs, family_dirs=family_dirs))


class Pages:
    """Open pages of one app."""

    def __init__(self, folder, engine):
        self.engine = engine
        settings = Settings(data_dir=folder, owners="session")
        shutil.copy(_empty_index(), folder)
        self.store = Store(settings)
        catalog = _catalog(settings.catalog_dirs, settings.family_folders())
        self.jobs = Jobs(
            self.engine, self.store, settings, catalog.validate, weigh=lambda asked: forecasts.work_of(catalog, asked)
        )

    def open(self, file, **query):
        page = AppTest.from_file(ROOT / file, default_timeout=20)
        for name, value in query.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception, page.exception
        return page


@pytest.fixture(scope="session", autouse=True)
def packages_looked_through_once():
    """Let Streamlit read what is installed once, not for every page: it looks for components in each package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture
def engine(request):
    """Return the engine that the test's module names, else the one that counts words."""
    return getattr(request.module, "ENGINE", FakeWords)()


@pytest.fixture(scope="session")
def decoder(tmp_path_factory):
    """Return what reads uploads, for all tests of this process."""
    decoder = Decoder(Settings(data_dir=tmp_path_factory.mktemp("decoder")))
    yield decoder
    decoder.close()


@pytest.fixture(autouse=True)
def uploads_read_apart(monkeypatch, decoder):
    """Let every page of a test read uploads in the one process."""
    monkeypatch.setattr(services, "decoder", lambda: decoder)


@pytest.fixture
def pages(tmp_path, monkeypatch, engine):
    pages = Pages(tmp_path, engine)
    imported_before = "torch" in sys.modules  # by another test of this process
    monkeypatch.setattr(services, "jobs", lambda: pages.jobs)
    monkeypatch.setattr(presses, "AGAIN_S", 0.0)  # a test presses faster than anybody
    yield pages
    pages.engine.gate.set()
    pages.jobs.close()
    assert imported_before or "torch" not in sys.modules


@pytest.fixture
def desk(request, tmp_path, monkeypatch):
    """Return the desk that the test's module names, else the one of pictures."""
    desk = getattr(request.module, "DESK", Desk)(tmp_path)
    monkeypatch.setattr(services, "jobs", lambda: desk.jobs)
    monkeypatch.setattr(presence, "session_id", lambda: OWNER)
    monkeypatch.setattr(presses, "AGAIN_S", 0.0)
    yield desk
    desk.engine.gate.set()
    desk.jobs.close()


@pytest.fixture
def toy(request, tmp_path, monkeypatch):
    """Return the folder of a toy modality that the app finds, and the jobs that run it.

    A test may hand over what is done to the folder first: `@pytest.mark.parametrize("toy", [change], indirect=True)`.
    """
    folder = tmp_path / "toy"
    for name, value in toy_app.environment(folder).items():
        monkeypatch.setenv(name, value)
    getattr(request, "param", lambda folder: None)(folder)
    monkeypatch.setenv("PLAYGROUND_OWNERS", "session")
    settings = Settings(data_dir=tmp_path / "data")
    jobs = Jobs(LocalEngine(settings), Store(settings), settings, lambda one: load_catalog(settings).validate(one))
    monkeypatch.setattr(services, "jobs", lambda: jobs)
    monkeypatch.setattr(presence, "session_id", lambda: toy_app.OWNER)
    yield folder, jobs
    (folder / "catalog" / "weights" / "hold").unlink(missing_ok=True)
    jobs.close()
    rooms._find.cache_clear()
