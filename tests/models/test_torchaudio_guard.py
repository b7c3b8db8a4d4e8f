"""torchaudio imports everywhere, and every entry point sees to it before transformers does."""

import pytest

from models.runtime.worker_client import WorkerEngine
from models.torchaudio_guard import _fail_if_no_align, mend
from models.types import Request
from tests.fresh import run_fresh
from tests.odd import odd_settings

# what every process that runs models must be able to say of itself
FACTS = """
import importlib, sys
def facts():
    had = "torchaudio" in sys.modules
    audio_utils = importlib.import_module("transformers.audio_utils")
    return {"torchaudio": had, "audio_utils": hasattr(audio_utils, "mel_filter_bank")}
"""

# what `make setup` may have put into this environment is taken back
PLAIN = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "playground_torchaudio"]
"""

SAYS_FACTS = """
import importlib, json, sys
from typing import ClassVar
from models import plain_text
from models.events import Final
from models.family import Family, Loaded
from models.params import Params


class Params_(Params):
    pass


class Odd(Family):
    name: ClassVar = "odd"
    title: ClassVar = "Odd"
    modality: ClassVar = "text"
    Params: ClassVar = Params_

    def load(self, spec):
        return Loaded({})

    def needed_bytes(self, spec):
        return 16

    def generate(self, spec, request, params, loaded, context):
        yield Final((plain_text.text_output(json.dumps(facts()), context.stamp, 0, {}),), {})
"""


@pytest.fixture(scope="module")
def plain():
    """Return the name of the error that `import torchaudio` raises without the guard, or None."""
    return run_fresh(
        PLAIN
        + """
import json
try:
    import torchaudio
    print(json.dumps(None))
except Exception as error:
    print(json.dumps(type(error).__name__))
"""
    )


def test_without_the_guard_the_import_raises_here(plain):
    if plain is None:
        pytest.skip("torchaudio's native library loads on this machine: a plain import works")
    assert plain in ("OSError", "ImportError")


def test_with_the_guard_llama_imports_and_a_mel_spectrogram_shows_the_tone(plain):
    said = run_fresh("""
import json, math
from models.torchaudio_guard import guard
native = guard()
from transformers import LlamaConfig, LlamaForCausalLM
net = LlamaForCausalLM(LlamaConfig(vocab_size=16, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                                   num_attention_heads=1, num_key_value_heads=1))
import torch, torchaudio
def loudest(hertz):
    wave = torch.sin(2 * math.pi * hertz * torch.arange(8000) / 16000)
    mel = torchaudio.transforms.MelSpectrogram(sample_rate=16000, n_fft=512, n_mels=40)(wave)
    assert torch.isfinite(mel).all()
    return list(mel.shape), int(mel.mean(1).argmax())
print(json.dumps({"native": native, "logits": list(net(torch.zeros(1, 3, dtype=torch.long)).logits.shape),
                  "low": loudest(300), "high": loudest(4000)}))
""")
    assert said["native"] == (plain is None)
    assert said["logits"] == [1, 3, 16]
    assert said["low"][0] == [40, 32]  # 8000 samples, a hop of 256, centred
    assert said["low"][1] < said["high"][1]


def test_a_second_call_does_nothing(plain):
    said = run_fresh("""
import json, sys, time
from models.torchaudio_guard import guard
first = guard()
before = {name: id(module) for name, module in sys.modules.items()}
started = time.perf_counter()
second = guard()
seconds = time.perf_counter() - started
after = {name: id(module) for name, module in sys.modules.items()}
print(json.dumps({"first": first, "second": second, "same": before == after, "seconds": seconds}))
""")
    assert said["first"] == said["second"] == (plain is None)
    assert said["same"]
    assert said["seconds"] < 0.05


def test_an_import_that_failed_before_leaves_nothing_that_disturbs():
    said = run_fresh(
        PLAIN
        + """
import json, sys
try:
    import torchaudio
except (ImportError, OSError):
    pass
from models.torchaudio_guard import guard
guard()
import torch, torchaudio
import torchaudio.functional, torchaudio.transforms
shape = torchaudio.functional.spectrogram(
    torch.ones(800), 0, torch.hann_window(400), 400, 200, 400, 2.0, False).shape
# what a first import left behind would be known to sys.modules and not to the package
children = [name.split(".")[1] for name in sys.modules if name.count(".") == 1 and name.startswith("torchaudio.")]
strays = [name for name in children if name != "_extension"
          and getattr(torchaudio, name, None) is not sys.modules["torchaudio." + name]]
print(json.dumps({"shape": list(shape), "strays": strays, "children": len(children)}))
"""
    )
    assert said["shape"] == [201, 5]
    assert said["strays"] == []
    assert said["children"] > 3


def test_a_function_that_needs_the_library_raises_with_words():
    @_fail_if_no_align
    def align_words(text):
        return text

    with pytest.raises(RuntimeError, match="align_words needs torchaudio's native library"):
        align_words("once")
    assert align_words.__name__ == "align_words"


def test_forced_alignment_raises_with_words_here(plain):
    if plain is None:
        pytest.skip("torchaudio's native library loads on this machine: alignment works")
    words = run_fresh("""
import json
from models.torchaudio_guard import guard
guard()
import torch, torchaudio
try:
    torchaudio.functional.forced_align(torch.zeros(1, 4, 3), torch.ones(1, 2, dtype=torch.int32))
except RuntimeError as error:
    print(json.dumps(str(error)))
""")
    assert words == "forced_align needs torchaudio's native library, which cannot load here."


BROKEN = """
from ._internal import here
from .utils import here as there
raise OSError("libcudart.so.13: cannot open shared object file")
"""
# an interpreter that reads one more folder as its environment's libraries, as it does at its start
SITE = "import json, site, sys; site.addsitedir(sys.argv[1])"


@pytest.fixture
def libraries(tmp_path):
    """Return a folder with a torchaudio whose native library cannot load."""
    package = tmp_path / "libraries" / "torchaudio"
    (package / "_extension").mkdir(parents=True)
    (package / "__init__.py").write_text("from . import _extension\nfrom . import sound\n")
    (package / "sound.py").write_text("from ._extension import fail_if_no_align\nalign = fail_if_no_align(len)\n")
    (package / "_extension" / "__init__.py").write_text(BROKEN)
    for name in ("_internal", "utils"):
        (package / "_extension" / f"{name}.py").write_text("here = 1\n")
    return tmp_path / "libraries"


def test_an_environment_is_mended_for_every_script(libraries):
    assert mend(libraries)
    said = run_fresh(
        f"""
{PLAIN}
{SITE}
sys.path.insert(0, sys.argv[1])
import torchaudio
try:
    torchaudio.sound.align("x")
except RuntimeError as error:
    print(json.dumps(str(error)))
""",
        libraries,
    )
    assert said == "len needs torchaudio's native library, which cannot load here."


def test_an_environment_whose_library_loads_is_left_alone(libraries):
    assert mend(libraries)
    good = "_IS_TORCHAUDIO_EXT_AVAILABLE = True\nfail_if_no_align = lambda function: function\n"
    (libraries / "torchaudio" / "_extension" / "__init__.py").write_text(good)
    assert not mend(libraries)
    assert [path.name for path in libraries.iterdir() if path.is_file()] == []


def test_a_mended_environment_imports_nothing_more_at_its_start(libraries):
    mend(libraries)
    said = run_fresh("""
import json, site, sys
before = set(sys.modules)
site.addsitedir(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
""", libraries)  # fmt: skip
    started = {"importlib", "importlib.machinery", "importlib._bootstrap", "importlib._bootstrap_external", "warnings"}
    assert set(said) <= {"playground_torchaudio", "__future__"} | started


def test_a_plain_script_imports_model_classes_once_this_environment_is_mended(tmp_path):
    mend_here = tmp_path / "hook"
    mend_here.mkdir()
    (mend_here / "torchaudio.py").write_text("raise OSError('not the real one')")  # so that the hook is written
    assert mend(mend_here)
    (mend_here / "torchaudio.py").unlink()
    said = run_fresh(
        f"""
{PLAIN}
{SITE}
from transformers import GPT2LMHeadModel
print(json.dumps(GPT2LMHeadModel.__name__))
""",
        mend_here,
    )
    assert said == "GPT2LMHeadModel"


def test_import_libraries_goes_through_the_guard():
    said = run_fresh(f"""{FACTS}
import json
from models import Settings, device
device.import_libraries(Settings())
print(json.dumps(facts()))
""")
    assert said == {"torchaudio": True, "audio_utils": True}


@pytest.fixture
def settings(tmp_path):
    families = tmp_path / "families"
    families.mkdir()
    (families / "odd.py").write_text(SAYS_FACTS + FACTS)
    return odd_settings(tmp_path).model_copy(update={"family_dirs": (families,)})


def test_the_worker_goes_through_the_guard(settings):
    engine = WorkerEngine(settings)
    try:
        *_, final = engine.generate(Request(model="text/odd", inputs={"prompt": "x"}))
    finally:
        engine.close()
    assert final.outputs[0].text == '{"torchaudio": true, "audio_utils": true}'


def test_the_local_engine_goes_through_the_guard(settings):
    text = run_fresh(
        """
import json, sys
from pathlib import Path
from models.runtime.engine import LocalEngine
from models.settings import Settings
from models.types import Request
catalog, families, data = map(Path, sys.argv[1:])
engine = LocalEngine(Settings(catalog_dirs=(catalog,), family_dirs=(families,), data_dir=data))
*_, final = engine.generate(Request(model="text/odd", inputs={"prompt": "x"}))
print(final.outputs[0].text)
""",
        settings.catalog_dirs[0], settings.family_dirs[0], settings.data_dir,
    )  # fmt: skip
    assert text == {"torchaudio": True, "audio_utils": True}


def test_the_training_goes_through_the_guard(tmp_path):
    # there is no data: it ends at once, after the guard and before transformers
    said = run_fresh(
        f"""{FACTS}
import json, sys
from training.text import story_gpt
folder = sys.argv[1]
before = "torchaudio" in sys.modules
sys.argv = ["story_gpt", "--data", folder + "/none", "--work", folder + "/work", "--out", folder + "/out"]
try:
    story_gpt.main()
    ended = False
except (Exception, SystemExit):
    ended = True
print(json.dumps({{"before": before, "ended": ended, **facts()}}))
""",
        tmp_path,
    )
    assert said == {"before": False, "ended": True, "torchaudio": True, "audio_utils": True}
