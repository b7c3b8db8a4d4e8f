"""What every analysis of a finished text needs: its record, a private copy of the model, a pass that Stop can end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from models.errors import BadInput
from models.events import Event, Final, Progress
from models.text import looks, vocabulary
from models.text.kept import Kept, unpack
from models.text.sampling.aligning import private_copy as private_copy  # noqa: PLC0414
from models.types import Output
from models.watching import Interrupted, Watch, follow

if TYPE_CHECKING:
    from models.family import Context, Loaded
    from models.spec import ModelSpec
    from models.types import Request

TOKENS_MAX = 512  # of a text's end, in any view


class LayerWatch(Watch):
    """Watch one forward pass, from layer to layer, and leave it at the next layer when Stop is pressed."""

    def attach(self, layers: Sequence[nn.Module]) -> None:
        """Register hooks on the layers of a private model."""

        def hook(*_: Any) -> None:
            self.step += 1
            self.changed.set()
            self.check()

        for layer in layers:
            layer.register_forward_hook(hook)


def follow_pass(run: Callable[[], None], watch: LayerWatch) -> Iterator[Event]:
    """Run `run` in a thread, in inference mode, and yield its progress; where Stop ended it, one empty `Final`."""
    left: list[bool] = []

    def work() -> None:
        left.append(True)
        with torch.inference_mode(), suppress(Interrupted):
            run()
            left.clear()

    yield Progress("layers", 0, watch.total)
    for _ in follow(work, watch):
        yield Progress("layers", min(watch.step, watch.total), watch.total)
    if left:
        yield Final((), {"stopped": True})


def open_kept(spec: ModelSpec, request: Request, context: Context) -> tuple[Kept, list[int], str]:
    """Return a text's record, all its tokens from the prompt on, and its vocabulary's fingerprint.

    The fingerprint is "" in records from before there were any. Raises `BadInput` for a file that is not a record, and
    for a text of another vocabulary or longer than the model reads.
    """
    assert context.open_ref is not None
    data = context.open_ref(request.inputs["view"])
    try:
        kept = unpack(data)
        ids = [*kept.prompt.tolist(), *kept.ids.tolist()]
    except Exception as error:  # the library raises its own
        raise BadInput("This file does not hold a saved text with its logits. Open a text generated here.") from error
    mark = looks.metadata(data).get("vocabulary", "")
    if mark and mark != vocabulary.fingerprint(spec.folder()):
        raise BadInput(
            f"This text was written with another vocabulary: {spec.id} does not know its tokens. "
            "Choose a model with the same tokenizer."
        )
    if ids and max(ids) >= spec.facts["vocabulary_size"]:
        raise BadInput(f"This text has tokens that {spec.id} does not know. Choose the model that wrote it.")
    limit = spec.facts["context_length"]
    if len(ids) > limit:
        raise BadInput(f"The text has {len(ids):,} tokens; {spec.id} reads at most {limit:,}. Choose a shorter text.")
    if len(ids) < 2:
        raise BadInput("This text has only one token: there is nothing to analyse. Write a longer one.")
    return kept, ids, mark


def layers_of(spec: ModelSpec, model: Any) -> tuple[nn.Module, list[nn.Module]]:
    """Return a model's stack of layers and the module that holds it. Raises `BadInput` for a model without one."""
    count = model.config.get_text_config().num_hidden_layers
    for module in model.modules():
        for child in module.children():
            if isinstance(child, nn.ModuleList) and len(child) == count:
                return module, list(child)
    raise BadInput(f"This view needs layers built like Llama, GPT-2 or Qwen; {spec.id} has others.")


def pieces_of(loaded: Loaded, ids: Sequence[int]) -> list[str]:
    """Return each token's text, or its bytes where it is not a whole character."""
    tokenizer = loaded.parts["tokenizer"]
    core = getattr(tokenizer, "backend_tokenizer", None)  # the library tokenizer, where there is one
    if core is not None:
        return vocabulary.texts(core, ids)
    return [str(tokenizer.decode([token], skip_special_tokens=False)) for token in ids]


def view(parts: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> Output:
    """Return a study's view: arrays as safetensors."""
    from safetensors.numpy import save

    data = bytes(save({name: np.ascontiguousarray(part) for name, part in parts.items()}))
    return Output("view", 0, "", data, "application/safetensors", hashlib.sha256(data).hexdigest(), dict(meta))


def final(output: Output, notes: Sequence[str] = ()) -> Final:
    """Return the end of a study that was not stopped."""
    return Final((output,), {"stopped": False, "notes": list(notes)})


def where(ids: Sequence[int], kept: Kept, start: int) -> dict[str, Any]:
    """Say which part of a text a view shows: `{"first", "of", "prompt"}`.

    It shows tokens from place `first` of `of`; the first `prompt` of those shown are the prompt's.
    """
    return {"first": start, "of": len(ids), "prompt": max(0, len(kept.prompt) - start)}
