"""Which words pushed a classifier towards a label and which away: layer integrated gradients over the embeddings.

Sundararajan et al. 2017, as captum computes it: from a text of unknown words to this one, the gradient of a label's
logit summed up on the way. Over all words it adds up to how much the logit rose.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.errors import BadInput
from models.events import Event, Final, Progress
from models.text import answers, looks, parts
from models.text.sampling import aligning, labelling
from models.types import Output

if TYPE_CHECKING:
    from models.family import Context, Loaded
    from models.spec import ModelSpec
    from models.types import Request

LABELS_MOST = 5  # the likeliest
STEPS = 32  # of the way, at first; twice as many while the sum is off
STEPS_MOST = 256
_OFF = 0.05  # of the rise of the logit, what the sum may differ from it
_AT_ONCE = 16  # points of the way in one pass


def reasons(spec: ModelSpec, request: Request, loaded: Loaded, context: Context) -> Iterator[Event]:
    """Yield progress and a `Final` of one view, JSON, on the first part of the request's prompt.

    `{"words": [words], "labels": [{"label", "chance", "pushes": [number a word], "rise", "sum"}], "read", "of"}`: how
    many logits each word pushed a label up, how much it rose in all and what the pushes add up to. Raises `BadInput`.
    """
    from captum.attr import LayerIntegratedGradients

    tokenizer, model = loaded.parts["tokenizer"], aligning.private_copy(loaded.parts["model"])
    work = labelling.Labelling(loaded.parts, spec.facts.get("context_length", 512))
    cut = [part.text for part in parts.cut(request.inputs["prompt"], "lines", work.fits) if part.text]
    if not cut:
        raise BadInput("There is no text to look at. Label one first.")
    given = tokenizer([cut[0]], return_tensors="pt", return_special_tokens_mask=True)
    ids, mask, special = given["input_ids"], given["attention_mask"], given["special_tokens_mask"].bool()
    unknown = next((one for one in (tokenizer.mask_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id)
                    if one is not None), 0)  # fmt: skip
    baseline = torch.where(special, ids, torch.full_like(ids, unknown))

    def logits(some: torch.Tensor, attends: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = model(input_ids=some, attention_mask=attends).logits
        return found  # texts × labels

    with torch.no_grad():
        now, before = logits(ids, mask)[0], logits(baseline, mask)[0]
    several = bool(spec.facts.get("several"))
    chances = labelling.shares(now.numpy(), 1.0, several)
    best = np.argsort(-chances)[:LABELS_MOST].tolist()
    words = aligning.words_of(tokenizer, ids[0].tolist())
    method, found = LayerIntegratedGradients(logits, model.get_input_embeddings()), list[dict[str, Any]]()
    for number, label in enumerate(best):
        if context.stopped():
            yield Final((), {"stopped": True})
            return
        yield Progress("read", number, len(best), unit="labels")
        rise, steps = float(now[label] - before[label]), STEPS
        while True:
            with torch.inference_mode(False), torch.enable_grad():
                pushed = method.attribute(ids, baseline, additional_forward_args=(mask,), target=label, n_steps=steps,
                                          internal_batch_size=_AT_ONCE)  # fmt: skip
            pushes = pushed.detach()[0].sum(-1).numpy()  # tokens
            if abs(pushes.sum() - rise) <= _OFF * max(abs(rise), 0.1) or steps >= STEPS_MOST or context.stopped():
                break
            steps *= 2
        each = aligning.by_word(pushes, words.counts)
        found.append({"label": answers.readable(str(model.config.id2label[label])), "chance": float(chances[label]),
                      "pushes": [float(one) for one in each], "rise": rise, "sum": float(pushes.sum())})  # fmt: skip
    keep = [at for at, word in enumerate(words.texts) if word.strip()]
    for one in found:
        one["pushes"] = [round(one["pushes"][at], 4) for at in keep]
    told = {"words": [words.texts[at].strip() for at in keep], "labels": found, "read": 1, "of": len(cut)}
    data = json.dumps(told, ensure_ascii=False).encode()
    view = Output("view", 0, "", data, "application/json", hashlib.sha256(data).hexdigest(), {"what": looks.REASONS})
    yield Final((view,), {"stopped": False})
