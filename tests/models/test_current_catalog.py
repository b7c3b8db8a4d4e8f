"""The catalogue as its files are: read once, and again when one of them came, changed or went."""

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models import catalog
from models.catalog import current_catalog, load_catalog
from models.errors import CatalogError
from tests.odd import ENTRY, FAMILIES, odd_settings


@pytest.fixture
def settings(tmp_path):
    return odd_settings(tmp_path)


@pytest.fixture
def reads(monkeypatch):
    """Return the files that were read, in turn."""
    found, read = [], catalog._read

    def counted(path, families):
        found.append(path.name)
        return read(path, families)

    monkeypatch.setattr(catalog, "_read", counted)
    return found


def entry(settings, name="odd"):
    return settings.catalog_dirs[0] / f"{name}.toml"


def write(path, text):
    path.write_text(text, "utf-8")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000))  # clocks of disks are coarse


def test_unchanged_files_are_read_once(settings, reads):
    first = current_catalog(settings)
    assert list(first) == ["text/odd"]
    assert reads == ["odd.toml"]
    assert [current_catalog(settings) for _ in range(5)] == [first] * 5
    assert reads == ["odd.toml"]


def test_many_threads_read_once(settings, reads):
    start = threading.Barrier(8)

    def look(_):
        start.wait()
        return list(current_catalog(settings))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(look, range(8))) == [["text/odd"]] * 8
    assert reads == ["odd.toml"]


def test_an_entry_that_comes_changes_or_goes_is_known_at_the_next_use(settings, reads):
    assert list(current_catalog(settings)) == ["text/odd"]
    write(entry(settings, "new"), ENTRY.format(name="new"))
    assert list(current_catalog(settings)) == ["text/new", "text/odd"]
    write(entry(settings, "new"), ENTRY.format(name="new").replace('name = "new"', 'name = "New one"'))
    assert current_catalog(settings)["text/new"].name == "New one"
    entry(settings, "new").unlink()
    assert list(current_catalog(settings)) == ["text/odd"]
    assert len(reads) == 1 + 2 + 2 + 1


def test_a_change_of_equal_length_is_seen(settings):
    assert current_catalog(settings)["text/odd"].parameters == 1
    write(entry(settings), ENTRY.format(name="odd").replace("parameters = 1", "parameters = 2"))
    assert current_catalog(settings)["text/odd"].parameters == 2


def test_a_broken_entry_stays_told_until_it_is_mended(settings, reads):
    write(entry(settings, "bad"), "id = ")
    for _ in range(3):
        found = current_catalog(settings)
        assert list(found) == ["text/odd"]
        assert [error.message.split(" ")[0] for error in found.problems] == ["bad.toml"]
    assert sorted(reads) == ["bad.toml", "odd.toml"]
    write(entry(settings, "bad"), ENTRY.format(name="bad"))
    found = current_catalog(settings)
    assert list(found) == ["text/bad", "text/odd"]
    assert found.problems == ()


def test_weights_that_go_and_come_back_are_noticed(settings, reads):
    weights = settings.catalog_dirs[0] / "weights"
    assert current_catalog(settings).problems == ()
    weights.rename(weights.with_name("away"))
    assert "missing" in current_catalog(settings).problems[0].message
    weights.with_name("away").rename(weights)
    assert current_catalog(settings).problems == ()
    (weights / "model.safetensors").rename(weights / "model.bin")
    assert "no .safetensors" in current_catalog(settings).problems[0].message


def test_a_family_that_comes_with_its_model_is_known(settings, tmp_path):
    folder = tmp_path / "families"
    shutil.copytree(FAMILIES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    settings = settings.model_copy(update={"family_dirs": (folder,)})
    assert sorted(current_catalog(settings).families) == ["odd", "odd_ear", "slow_tool"]
    text = (folder / "odd.py").read_text("utf-8")
    write(folder / "even.py", text.replace('name: ClassVar[str] = "odd"', 'name: ClassVar[str] = "even"'))
    write(entry(settings, "two"), ENTRY.format(name="two").replace('family = "odd"', 'family = "even"'))
    found = current_catalog(settings)
    assert found.family("text/two").name == "even"
    assert found.problems == ()


def test_each_settings_have_a_catalogue_of_their_own(settings, tmp_path, reads):
    other = odd_settings(tmp_path / "other", ("third",))
    for _ in range(2):
        assert list(current_catalog(settings)) == ["text/odd"]
        assert list(current_catalog(other)) == ["text/third"]
    assert sorted(reads) == ["odd.toml", "third.toml"]


def test_it_is_what_reading_gives(settings):
    write(entry(settings, "bad"), "id = ")
    kept, read = current_catalog(settings), load_catalog(settings, strict=False)
    assert dict(kept) == dict(read)
    assert [str(one) for one in kept.problems] == [str(one) for one in read.problems]


def test_a_folder_that_is_missing_is_told_each_time(settings):
    assert list(current_catalog(settings)) == ["text/odd"]
    folder = settings.catalog_dirs[0]
    folder.rename(folder.with_name("away"))
    for _ in range(2):
        with pytest.raises(CatalogError, match="does not exist"):
            current_catalog(settings)
    folder.with_name("away").rename(folder)
    assert list(current_catalog(settings)) == ["text/odd"]
