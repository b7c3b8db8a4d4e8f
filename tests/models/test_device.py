"""Threads, the stamp's facts, and what importing the package does not import."""

import importlib.metadata
import json
import os

import pytest

from models import device
from tests.fresh import run_fresh

HEAVY = "{'torch', 'transformers', 'diffusers', 'torchaudio', 'streamlit'}"


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


def machine(root, **files):
    """Write a cgroup's CPU files: `max` for v2's cpu.max, `quota` and `period` for v1."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("1:cpu:/\n0::/\n")
    paths = {"max": "cpu.max", "quota": "cpu/cpu.cfs_quota_us", "period": "cpu/cpu.cfs_period_us"}
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / paths[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        pytest.param({}, 8, id="no quota: the affinity"),
        pytest.param({"max": "max 100000\n"}, 8, id="v2, no quota"),
        pytest.param({"max": "200000 100000\n"}, 2, id="v2"),
        pytest.param({"max": "250000 100000\n"}, 3, id="v2, a part of a core counts as one"),
        pytest.param({"max": "10000 100000\n"}, 1, id="v2, at least one"),
        pytest.param({"max": "0 100000\n"}, 1, id="v2, at least one of nothing"),
        pytest.param({"max": "6400000 100000\n"}, 8, id="v2, no more than the affinity"),
        pytest.param({"max": "nonsense"}, 8, id="v2, unreadable"),
        pytest.param({"quota": "-1\n", "period": "100000\n"}, 8, id="v1, no quota"),
        pytest.param({"quota": "400000\n", "period": "100000\n"}, 4, id="v1"),
        pytest.param({"quota": "410000\n", "period": "100000\n"}, 5, id="v1, a part of a core counts as one"),
        pytest.param({"quota": "25000\n", "period": "50000\n"}, 1, id="v1, at least one"),
        pytest.param({"quota": "400000\n"}, 8, id="v1, no period"),
    ],
)
def test_the_quota_cuts_the_cores(tmp_path, eight_cores, files, cores):
    assert device.usable_cores(machine(tmp_path, **files)) == cores


def test_here_the_cores_are_one_at_least_and_no_more_than_the_machine_has():
    assert 1 <= device.usable_cores() <= os.cpu_count()


def test_the_affinity_cuts_the_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5}, raising=False)
    assert device.usable_cores(machine(tmp_path, max="400000 100000")) == 1


def test_the_stamps_facts_are_plain_json_and_true():
    import torch

    facts = device.stamp_facts()
    assert json.loads(json.dumps(facts)) == facts
    assert set(facts) == {"versions", "device", "dtype", "threads"}
    assert facts["versions"] == {
        name: importlib.metadata.version(name) for name in ("torch", "transformers", "diffusers", "tokenizers")
    }
    assert facts["versions"]["torch"] == torch.__version__
    assert (facts["device"], facts["dtype"]) == ("cpu", "float32")
    assert type(facts["threads"]) is int
    assert facts["threads"] == torch.get_num_threads()


def test_the_settings_decide_the_threads(monkeypatch):
    monkeypatch.delenv("PLAYGROUND_THREADS")  # so that the default is the program's own
    said = run_fresh("""
import json, os
from models import Settings, device
os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "0"
os.environ["TOKENIZERS_PARALLELISM"] = "true"
device.import_libraries(Settings(threads=3))
three = device.stamp_facts()["threads"]
device.import_libraries(Settings())
import torch
one = torch.tensor([1.0])
print(json.dumps({"three": three, "default": device.stamp_facts()["threads"], "cores": device.usable_cores(),
                  "env": {name: os.environ.get(name) for name in (
                      "DIFFUSERS_DISABLE_REMOTE_CODE", "TOKENIZERS_PARALLELISM", "HF_HUB_DISABLE_TELEMETRY")},
                  "stamped_dtype": device.DTYPE, "made_dtype": str(one.dtype), "made_device": str(one.device)}))
""")
    assert said["three"] == 3
    assert said["default"] == said["cores"]
    # remote code is off whatever was set; the rest is a default that a person may change
    assert said["env"] == {
        "DIFFUSERS_DISABLE_REMOTE_CODE": "1",
        "TOKENIZERS_PARALLELISM": "true",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    assert said["made_dtype"] == f"torch.{said['stamped_dtype']}"
    assert said["made_device"] == device.DEVICE


def test_importing_the_package_imports_nothing_heavy():
    said = run_fresh(f"""
import json, sys
import models
models.list_models()
print(json.dumps(sorted({HEAVY} & set(sys.modules))))
""")
    assert said == []


def test_no_module_imports_anything_heavy_before_a_model_is_loaded():
    said = run_fresh(f"""
import importlib, json, pkgutil, re, sys
import models
torch_is_theirs = re.compile(r"models[.](tokens[.]|diffusion[.]|image[.]facts|[a-z]+[.](sampling|looking|nets)[.])")
leaks, names = {{}}, []
for found in pkgutil.walk_packages(models.__path__, "models."):
    if torch_is_theirs.match(found.name):
        continue
    before = set(sys.modules)
    importlib.import_module(found.name)
    names.append(found.name)
    if new := sorted({HEAVY} & (set(sys.modules) - before)):
        leaks[found.name] = new
print(json.dumps({{"leaks": leaks, "names": names}}))
""")
    assert said["leaks"] == {}
    for name in (
        "models.runtime.registry",
        "models.runtime.worker",
        "models.__main__",
        "models.text.families.causal_lm",
        "models.runtime.jobs",
    ):
        assert name in said["names"]


@pytest.mark.parametrize("preload", [True, False])
def test_the_libraries_are_imported_at_the_start_or_with_the_first_model(preload):
    said = run_fresh(f"""
import json, sys
from models import Settings, device
settings = Settings(preload={preload})
device.import_libraries(settings)
early = [name in sys.modules for name in ("transformers.models.auto.modeling_auto", "diffusers.utils")]
import diffusers.utils, transformers
device.set_threads(1, settings)
levels = [one.utils.logging.get_verbosity() for one in (transformers, diffusers)]
print(json.dumps([early, levels, diffusers.utils.logging.is_progress_bar_enabled()]))
""")
    assert said == [[preload] * 2, [40, 40], False]


@pytest.mark.parametrize(("said", "has"), [
    ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 sse\n", True),
    ("processor\t: 0\nflags\t\t: fpu amx_bf16\n", True),
    ("processor\t: 0\nFeatures\t: fp asimd bf16\n", True),
    ("processor\t: 0\nflags\t\t: fpu avx512f avx2\n", False),
    ("", False),
])  # fmt: skip
def test_the_processor_says_whether_it_multiplies_bfloat16(tmp_path, said, has):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text(said)
    assert device.has_bfloat16(tmp_path) is has
    assert device.has_bfloat16(tmp_path / "nowhere") is False


def test_only_large_weights_on_such_a_processor_are_kept_in_half_precision(monkeypatch):
    monkeypatch.setattr(device, "has_bfloat16", lambda: True)
    assert [device.dtype_for(size) for size in (99_999_999, 100_000_000)] == ["float32", "bfloat16"]
    monkeypatch.setattr(device, "has_bfloat16", lambda: False)
    assert device.dtype_for(10**9) == "float32"
