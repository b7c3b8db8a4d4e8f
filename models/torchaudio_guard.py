"""Make `import torchaudio` work where its native library cannot load.

torchaudio's Linux wheel links CUDA libraries. Under a CPU build of torch (or a CUDA build of another minor version)
its import raises, and with it `transformers.audio_utils` and nearly every model class. Its Python layer needs none
of that library except for forced alignment and the RNN-T loss.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn


def guard() -> bool:
    """Import torchaudio, without its native library where that cannot load. Call before transformers or diffusers.

    Returns whether the native library works. A second call does nothing.
    """
    if "torchaudio" not in sys.modules:
        try:
            import torchaudio  # noqa: F401
        except (ImportError, OSError):
            _import_without_extension()
    extension = sys.modules.get("torchaudio._extension")
    return bool(getattr(extension, "_IS_TORCHAUDIO_EXT_AVAILABLE", False))


def _import_without_extension() -> None:
    # the failed import leaves some submodules behind, which would be mixed with the new ones
    for name in [name for name in sys.modules if name == "torchaudio" or name.startswith("torchaudio.")]:
        del sys.modules[name]
    stub = types.ModuleType("torchaudio._extension", "Stand in for torchaudio's native extension.")
    stub._IS_TORCHAUDIO_EXT_AVAILABLE = False  # type: ignore[attr-defined]
    stub._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
    stub.fail_if_no_align = _fail_if_no_align  # type: ignore[attr-defined]
    sys.modules["torchaudio._extension"] = stub
    import torchaudio  # noqa: F401


def _fail_if_no_align(function: Callable[..., Any]) -> Callable[..., NoReturn]:
    @functools.wraps(function)
    def unavailable(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(f"{function.__name__} needs torchaudio's native library, which cannot load here.")

    return unavailable
