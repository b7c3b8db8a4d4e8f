"""Make `import torchaudio` work where its native library cannot load.

torchaudio's Linux wheel links CUDA libraries. Under a CPU build of torch (or a CUDA build of another minor version)
its import raises, and with it `transformers.audio_utils` and nearly every model class. Its Python layer needs none
of that library except for forced alignment and the RNN-T loss.

The app calls `guard()` before it imports transformers. For every other script of an environment, `make setup` runs this
file (`python -m models.torchaudio_guard`): where torchaudio cannot be imported, it puts a copy of itself beside the
libraries that `install`s at the start of each interpreter. Hence no import here but of what Python has loaded by then.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False  # as of typing, whose import every interpreter of the environment would pay for
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from pathlib import Path
    from types import ModuleType
    from typing import Any, NoReturn

_EXTENSION = "torchaudio._extension"
_HOOK = "playground_torchaudio"  # the names of what `mend` writes: HOOK.py and HOOK.pth


def guard() -> bool:
    """Import torchaudio, without its native library where that cannot load. Call before transformers or diffusers.

    Returns whether the native library works. A second call does nothing.
    """
    if "torchaudio" not in sys.modules:
        # a failed import leaves some submodules behind, which would be mixed with the new ones
        for name in [name for name in sys.modules if name.startswith("torchaudio.")]:
            del sys.modules[name]
        install()
        import torchaudio  # noqa: F401
    return bool(getattr(sys.modules.get(_EXTENSION), "_IS_TORCHAUDIO_EXT_AVAILABLE", False))


def install() -> None:
    """Let every later import of torchaudio do without its native library where that cannot load."""
    if not any(type(finder).__name__ == _Finder.__name__ for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Find torchaudio's native extension before Python does, and nothing else."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if name != _EXTENSION:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """Load the extension as its own loader does; where that fails, leave it as if it had not been built."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        try:
            self._own.exec_module(module)
        except (ImportError, OSError, RuntimeError):  # the last: a CUDA build of another version
            module._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
            module._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
            module.fail_if_no_align = _fail_if_no_align  # type: ignore[attr-defined]


def _fail_if_no_align(function: Callable[..., Any]) -> Callable[..., NoReturn]:
    import functools

    @functools.wraps(function)
    def unavailable(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(f"{function.__name__} needs torchaudio's native library, which cannot load here.")

    return unavailable


def mend(folder: Path) -> bool:
    """Let every interpreter that reads `folder`, an environment's site-packages, import torchaudio.

    Where that works by itself nothing is written, and what was written is removed. Returns whether it was needed.
    """
    import subprocess
    from pathlib import Path

    code, start = folder / f"{_HOOK}.py", folder / f"{_HOOK}.pth"
    start.unlink(missing_ok=True)
    code.unlink(missing_ok=True)
    # the interpreter that asks may be of an environment that is mended already
    plain = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); "
        f"sys.meta_path[:] = [one for one in sys.meta_path if type(one).__module__ != {_HOOK!r}]; import torchaudio"
    )
    tried = subprocess.run([sys.executable, "-c", plain], capture_output=True, text=True, check=False)
    if tried.returncode == 0 or "No module named 'torchaudio'" in tried.stderr:
        return False
    own = Path(__file__).read_text("utf-8").split("\ndef mend(")[0]
    code.write_text(own, "utf-8")
    start.write_text(f"import {_HOOK}; {_HOOK}.install()\n", "utf-8")
    return True


if __name__ == "__main__":
    import sysconfig
    from pathlib import Path

    if sys.prefix == sys.base_prefix:
        sys.exit("This mends an environment of its own (.venv), not the system's Python. Run it with .venv/bin/python.")
    mend(Path(sysconfig.get_path("purelib")))
