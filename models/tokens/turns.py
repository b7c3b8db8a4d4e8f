"""One text at a time for a tokenizer that several runs share."""

from __future__ import annotations

import threading
from typing import Any


def take_turns(tokenizer: Any) -> None:
    """Let a tokenizer of transformers read one text at a time, whoever asks; one without shared state stays as it is.

    The tokenizers of the `tokenizers` library keep padding, truncation and the treatment of special tokens as a state,
    which each call sets and then reads with. A call between the two, of another run on the same model, changes how long
    the prompt becomes, and with it the result. The object keeps its class's name and module, which pipelines of
    diffusers write down.
    """
    kind = type(tokenizer)
    if not hasattr(kind, "set_truncation_and_padding"):
        return
    turn = threading.Lock()

    def one_at_a_time(self: Any, *args: Any, **kwargs: Any) -> Any:
        with turn:
            return kind._encode_plus(self, *args, **kwargs)

    body = {"_encode_plus": one_at_a_time, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    tokenizer.__class__ = type(kind.__name__, (kind,), body)
