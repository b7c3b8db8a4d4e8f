"""What all tests share: nothing of the machine's own settings reaches them."""

import os

import pytest

for name in list(os.environ):
    if name.startswith("PLAYGROUND_"):
        del os.environ[name]
os.environ["HF_HUB_OFFLINE"] = "1"
# Nets of tests are so small that a second thread only waits, and longest when tests run side by side. Set before
# torch or numpy is imported; processes that tests start inherit it.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PLAYGROUND_THREADS"):
    os.environ[name] = "1"
# the many processes of these tests import what their model needs; tests of the browser run the app as it is
os.environ["PLAYGROUND_PRELOAD"] = "0"


@pytest.fixture(autouse=True)
def _data_folder_of_its_own(tmp_path, monkeypatch):
    """Keep runs and uploads of a test out of the checkout's .data/."""
    monkeypatch.setenv("PLAYGROUND_DATA_DIR", str(tmp_path / "playground-data"))
