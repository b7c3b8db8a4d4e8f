"""Classifiers by labels of one's own: a model of inference says whether a sentence with the label follows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from models import plain_text
from models.errors import BadInput, BadParam, WeightsError, restore
from models.events import Event, Final, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.params import Params, ShownIf
from models.text import answers, languages, parts, row_inputs, tasks
from models.text.task_settings import ZeroShotParams
from models.types import Output, Request, RunStats

if TYPE_CHECKING:
    import numpy as np

    from models.scripts import Script
    from models.spec import ModelSpec

_HOW_IT_WORKS = """
```mermaid
flowchart LR
  A[your text] --> C[model of inference]
  B["This text is about {label}."] --> C
  C --> D[does it follow, or is it contradicted?]
  D --> E[probability of each label]
```

A model of [natural language inference](https://arxiv.org/abs/1704.05426) has learnt to say whether one sentence follows
from another. So it can judge labels that it [never saw in training](https://arxiv.org/abs/1909.00161): each is put into
a sentence, the hypothesis, and read together with the text.

One pass of the model for each label: twenty labels take twenty times as long as one. The wording of the hypothesis
matters; try another one where the answers look wrong. A long text is read in parts, and the mean of their probabilities
is shown.
"""


class ZeroShotClassifier(Family[ZeroShotParams]):
    """Run an `AutoModelForSequenceClassification` with a label "entailment" on a text and labels of one's own."""

    name: ClassVar[str] = "zero_shot_classifier"
    title: ClassVar[str] = "Zero-shot classifier"
    task: ClassVar[str] = "zero-shot classification"
    modality: ClassVar[Modality] = "text"
    Params: ClassVar[type[Params]] = ZeroShotParams
    saves: ClassVar[tuple[str, ...]] = ("txt", "md", "csv")
    seed_shown_if: ClassVar[ShownIf] = {"top_labels": ()}  # there is no chance in it
    reentrant: ClassVar[bool] = True
    inputs: ClassVar[tuple[InputField, ...]] = row_inputs.INPUTS
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    stored_above_bytes: ClassVar[int | None] = 100_000_000
    architectures: ClassVar[frozenset[str]] = frozenset({
        "AlbertForSequenceClassification", "BartForSequenceClassification", "BertForSequenceClassification",
        "DebertaV2ForSequenceClassification", "DistilBertForSequenceClassification",
        "ElectraForSequenceClassification", "RobertaForSequenceClassification", "XLMRobertaForSequenceClassification",
    })  # fmt: skip

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`. Raises `WeightsError` for a model that judges no sentences."""
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        from models.text.sampling.labelling import entailing

        folder = spec.folder()
        dtype: Any = torch.float32 if spec.weights_bytes() < (self.stored_above_bytes or 0) else "auto"
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=dtype, trust_remote_code=False, use_safetensors=True
        )
        if entailing(model.config.id2label) is None:
            raise WeightsError(
                f"{spec.id} has no labels “entailment” and “contradiction”, so it cannot judge labels of your own. Use "
                "the family text_classifier for it."
            )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return Loaded({"model": model.eval(), "tokenizer": tokenizer})

    def adopts(self, config: Mapping[str, Any]) -> bool:
        """Take what is declared, where its labels are entailment and contradiction; see `Family.adopts`."""
        return super().adopts(config) and tasks.is_inference(config)

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return context length and task, as config.json tells them."""
        file = spec.folder() / "config.json"
        try:
            config = json.loads(file.read_text("utf-8"))
            return {"context_length": int(config.get("max_position_embeddings") or 512), "task": tasks.ZERO_SHOT}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise WeightsError(f"{spec.id}: {file.name} is missing or damaged. {restore()}") from error

    def check_inputs(self, spec: ModelSpec, request: Request, params: ZeroShotParams) -> None:
        """Refuse an empty text, too few labels and a hypothesis without a place for them; see `Family.check_inputs`."""
        if params.by != row_inputs.COLUMN and not plain_text.check_text(request.inputs["prompt"], "text").strip():
            raise BadInput("There is no text. Write or paste one, such as “What a lovely film!”")
        labels = clean(params.labels)
        if len(labels) < (1 if params.several else 2):
            raise BadParam(f"labels: {len(labels)} given; give at least two, or turn “Several labels” on.")
        if "{}" not in params.template:
            raise BadParam(f"template is {params.template!r}; it must hold {{}} where the label stands.")

    def amount(self, spec: ModelSpec, request: Request, params: ZeroShotParams) -> float | None:
        """Return how many parts or lines are read; of a table, its page tells how many rows. See `Family.amount`."""
        return row_inputs.amount(request, params.by, spec.facts["context_length"])

    def warnings(self, spec: ModelSpec, request: Request, params: ZeroShotParams) -> list[str]:
        """Tell of a text in letters or a language that the model does not read; see `Family.warnings`."""
        text = request.inputs.get("prompt", "") if params.by == row_inputs.TEXT else ""
        return languages.unread(text, spec.reads)

    def script(self, spec: ModelSpec, request: Request, params: ZeroShotParams) -> Script:
        """Return a model of inference of transformers; see `Family.script`."""
        from models.text.scripts import tasks as scripts

        context, labels = spec.facts["context_length"], clean(params.labels)
        return scripts.zero_shot(spec, request, params, context, self.stored_above_bytes or 0, labels)

    def save(self, request: Request, output: Output, ending: str) -> bytes:
        """Return a text's whole distribution as CSV; a table is CSV already. See `Family.save`."""
        return answers.as_csv(output.meta["scores"]) if ending == "csv" and "scores" in output.meta else output.data

    def generate(
        self, spec: ModelSpec, request: Request, params: ZeroShotParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Read the text with each label's sentence, part by part, one output; see `Family.generate`."""
        from models.text.sampling import labelling, row_labels

        labels = clean(params.labels)
        sides = labelling.entailing(loaded.parts["model"].config.id2label)
        assert sides is not None
        work = labelling.Labelling(
            loaded.parts, spec.facts["context_length"], [params.template.replace("{}", label) for label in labels]
        )
        if not work.fits("x"):
            raise BadParam(
                "The hypothesis with its longest label fills the model's context. Shorten template or labels."
            )
        if params.by != row_inputs.TEXT:
            yield from row_labels.run(request, params, work, labels, partial(_judged, params, sides), None,
                                      params.several, spec.reads, context)  # fmt: skip
            return
        cut = [part.text for part in parts.cut(request.inputs["prompt"], "lines", work.fits) if part.text]
        found, weights, by_part = [], [], []
        for number, (logits, weight) in enumerate(labelling.each(work, cut, context.stopped)):
            found.append(_judged(params, sides, logits))
            weights.append(weight)
            best = next(iter(answers.ranked(labels, list(found[-1])).items()))
            by_part.append({"text": cut[number][:80], "label": best[0], "chance": best[1]})
            yield Progress("read", number + 1, len(cut), unit="parts")
        counted = "part" if len(found) == 1 else "parts"
        stats: RunStats = {
            "steps": len(found), "counted": counted, "prompt_tokens": work.read, "stopped": len(found) < len(cut),
            "notes": answers.part_notes(len(found), len(cut)),
        }  # fmt: skip
        if not found:
            yield Final((), stats)
            return
        scores = answers.ranked(labels, list(labelling.averaged(found, weights)))
        unread = languages.unreadable(request.inputs["prompt"], spec.reads) if spec.reads else ""
        meta = answers.meta(scores, params.threshold, params.top_labels, params.several, by_part, unread)
        text = answers.NONE if unread else answers.told(scores, params.threshold, params.several)
        yield Final((plain_text.text_output(text, context.stamp, 0, meta),), stats)


def _judged(params: ZeroShotParams, sides: tuple[int, int], logits: np.ndarray) -> np.ndarray:
    """Return the probability of each label from the logits of its sentence (labels × outputs)."""
    from models.text.sampling import labelling

    if params.several:  # of each label: does it follow, or not?
        return labelling.shares(logits[:, sides], params.temperature, False)[:, 0]
    return labelling.shares(logits[:, sides[0]], params.temperature, False)


def clean(labels: list[str]) -> list[str]:
    """Return the labels without blanks around them, each once, in order."""
    return list(dict.fromkeys(label.strip() for label in labels if label.strip()))
