"""Which analyses of a finished text a language model supports, and how the pages read their results. No torch.

The result of an analysis, its view, is a safetensors file; a page reads only the part that it draws.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from models import outside
from models.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.blobs import Blobs
    from models.spec import ModelSpec
    from models.types import Request

RECURRENT = ("playground_lstm",)  # architectures (config.json) with a hidden and a cell state
SHOWN = ("attention", "lens", "state")  # studies that only some models have; a model's fact `insides` names its own
STUDIES = (*SHOWN, "rescore")
SCORES = "scores"  # the study that computes a text's logits again, where they were cleared to save room
ALIGNMENT, REASONS = "alignment", "reasons"  # studies of models that rewrite or label texts
PAIRS_MOST = 60  # pairs of sentences in one look
_ATTENDING = ("full_attention", "sliding_attention", "chunked_attention")
_NAMES = {"attention": "attention", "lens": "logit lens", "state": "recurrent state"}
_SIZE = 8  # bytes of a safetensors header's length, little-endian


def offered(config: Mapping[str, Any]) -> list[str]:
    """Return the studies among `SHOWN` that a model has, from its config.json."""
    if config.get("model_type") in RECURRENT:
        return ["state"]
    heads = config.get("num_attention_heads") or config.get("n_head")
    attends = heads and all(kind in _ATTENDING for kind in config.get("layer_types") or ())
    layers = config.get("num_hidden_layers") or config.get("n_layer")
    return [*(["attention"] if attends else []), *(["lens"] if layers else [])]


def check_study(spec: ModelSpec, request: Request) -> None:
    """Check a request for a study before its model is loaded. Raises `BadInput`."""
    if request.study not in STUDIES:
        return
    has = spec.facts.get("insides", [])
    if request.study in SHOWN and request.study not in has:
        can = " and ".join(_NAMES[one] for one in has) or "nothing of this kind"
        raise BadInput(f"{spec.id} has no {_NAMES[request.study]}; it has {can}.")
    if "view" not in request.inputs:
        raise BadInput("Input “view” is missing: pass the sha256 reference of the run's “view” output.")


def check_pairs(request: Request) -> list[tuple[str, str]]:
    """Return the pairs of texts, source and what was made of it, that a look is for. Raises `BadInput`."""
    try:
        found = outside.read_json(request.inputs.get("pairs", ""))
        pairs = [(str(source), str(target)) for source, target in found]
    except (outside.Unreadable, TypeError, ValueError):
        pairs = []
    if not pairs or len(pairs) > PAIRS_MOST or not all(source.strip() and target.strip() for source, target in pairs):
        raise BadInput(f"Input “pairs” must be JSON: a list of one to {PAIRS_MOST} pairs [source, target] of texts.")
    return pairs


def metadata(data: bytes) -> dict[str, str]:
    """Return the metadata in the header of safetensors bytes; {} where there is none or the bytes are damaged."""
    try:
        head = json.loads(data[_SIZE : _SIZE + int.from_bytes(data[:_SIZE], "little")])
        found: dict[str, str] = head.get("__metadata__", {})
        return found
    except (ValueError, AttributeError):
        return {}


def part(blobs: Blobs, ref: str, name: str, *place: int) -> NDArray[Any]:
    """Return one tensor of a view, or the part of it at `place`, and read no more than that from the file.

    Raises `BadInput` where the view was cleared from the store or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(blobs.path(ref), "numpy") as file:
            if not place:
                whole: NDArray[Any] = file.get_tensor(name)
                return whole
            found: NDArray[Any] = file.get_slice(name)[place if len(place) > 1 else place[0]]
            return found
    except FileNotFoundError:
        raise BadInput("The saved analysis was deleted. Open it again to recompute it.") from None
    except (OSError, SafetensorError, IndexError) as error:
        raise BadInput("The saved analysis is damaged. Run the text again, then open it.") from error


def words(blobs: Blobs, ref: str) -> dict[int, str]:
    """Return the texts of the tokens that a lens names, by id. Raises as `part` does."""
    found = json.loads(part(blobs, ref, "words").tobytes())
    return {int(token): str(text) for token, text in found.items()}
