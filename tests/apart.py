"""Run scripts that stand alone, in an interpreter that knows nothing of this project, and compare what they make."""

import io
import subprocess
import sys

import numpy as np
import soundfile
from PIL import Image

from models import coding
from models.settings import Settings
from models.stamps import file_name
from tests.tiny import final_of, results

RUNNER = """
import runpy, sys
try:
    import models
except ImportError:
    pass
else:
    raise SystemExit("the project is on the path")
for script in sys.argv[1:]:
    runpy.run_path(script, run_name="__main__")
assert not any(name.split(".")[0] in ("models", "components") for name in sys.modules)
"""


def run_apart(folder, scripts):
    """Run the scripts one after another in `folder`, in one interpreter: its imports take most of the time."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUNNER, *scripts], cwd=folder, capture_output=True, text=True, timeout=500,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def written_beside(engine, requests, folder):
    """Write each request's script into `folder`, beside the engine's models; return their names and what it makes.

    The engine is closed: it has no more to make.
    """
    for spec in engine.catalog.values():
        (folder / spec.folder().name).symlink_to(spec.folder())
    scripts, made = [], {}
    for request in requests:
        scripts.append(f"{request.model.replace('/', '-')}-{request.seed}.py")
        text = coding.write(engine.catalog, Settings(threads=1), request)
        (folder / scripts[-1]).write_text(text, "utf-8")
        made[request.model, request.seed] = (request, results(final_of(engine, request)))
    engine.close()
    return scripts, made


def assert_same(folder, request, outputs):
    """Compare what a script wrote into `folder` with a run's outputs.

    No tolerance: the same libraries, on the same machine and as many threads, give the same numbers.
    """
    assert outputs
    for output in outputs:
        data = (folder / file_name(request.model, request.seed, output.index, output.media_type)).read_bytes()
        {"text": _same_text, "image": _same_pixels, "audio": _same_samples}[output.kind](data, output)


def _same_text(data, output):
    assert output.text
    assert data.decode() == output.text


def _same_pixels(data, output):
    own, again = (np.asarray(Image.open(io.BytesIO(one))) for one in (output.data, data))
    np.testing.assert_array_equal(own, again)


def _same_samples(data, output):
    (own, rate), (again, rate_again) = (soundfile.read(io.BytesIO(one), dtype="int16") for one in (output.data, data))
    assert rate == rate_again
    assert np.abs(own).max() > 0
    np.testing.assert_array_equal(own, again)
