"""Classifiers of texts: which of the labels that a model learnt a text has, and how likely each is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from models import plain_text
from models.errors import BadInput, WeightsError, restore
from models.events import Event, Final, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.params import Params, ShownIf, limited
from models.text import answers, languages, parts, row_inputs, tasks
from models.text.looks import REASONS
from models.text.task_settings import ClassifierParams
from models.types import Output, Request, RunStats

if TYPE_CHECKING:
    from models.params import ParamField
    from models.scripts import Script
    from models.spec import ModelSpec

_CONTEXT = 512  # tokens, of models that name none
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  A[your text] --> B[tokens]
  B --> C[encoder: each token sees all others]
  C --> D[one vector for the text]
  D --> E[head: a logit for each label]
  E --> F[probabilities]
```

An encoder such as [BERT](https://arxiv.org/abs/1810.04805) reads the whole text at once and turns it into one vector;
a last layer gives each label a logit, and softmax makes probabilities of them. Encoders learn in two steps: first they
fill gaps in text without labels, then they learn the labels from far fewer examples.

A probability is honest if, of all answers given with 80%, eight in ten are right; [temperature
scaling](https://arxiv.org/abs/1706.04599) is the simplest way to get there. The model knows its labels and no other: a
text about something else gets one of them all the same. Below the threshold it says that it is not sure. A long text is
read in parts, and the mean of their probabilities is shown. Which words pushed the answer is told by
[integrated gradients](https://arxiv.org/abs/1703.01365).
"""


class TextClassifier(Family[ClassifierParams]):
    """Run any `AutoModelForSequenceClassification` on a text, in parts where it is long."""

    name: ClassVar[str] = "text_classifier"
    title: ClassVar[str] = "Text classifier"
    task: ClassVar[str] = "text classification"
    modality: ClassVar[Modality] = "text"
    called: ClassVar[str] = "classify label sentiment feelings intent"
    Params: ClassVar[type[Params]] = ClassifierParams
    studies: ClassVar[Mapping[str, str]] = {REASONS: "explain"}
    saves: ClassVar[tuple[str, ...]] = ("txt", "md", "csv")
    seed_shown_if: ClassVar[ShownIf] = {"top_labels": ()}  # there is no chance in it
    reentrant: ClassVar[bool] = True
    inputs: ClassVar[tuple[InputField, ...]] = row_inputs.INPUTS
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    stored_above_bytes: ClassVar[int | None] = 100_000_000
    architectures: ClassVar[frozenset[str]] = frozenset({
        "AlbertForSequenceClassification", "BertForSequenceClassification", "DebertaV2ForSequenceClassification",
        "DistilBertForSequenceClassification", "ElectraForSequenceClassification", "RobertaForSequenceClassification",
        "XLMRobertaForSequenceClassification",
    })  # fmt: skip

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the settings: the threshold is the model's own, no more labels are listed than there are."""
        count, threshold = len(spec.facts.get("label_names", [])), spec.facts.get("threshold")
        table = []
        for item in super().fields(spec):
            if item.name == "top_labels" and count:
                item = limited(item, le=count)
            elif item.name == "threshold" and threshold is not None and "threshold" not in spec.params:
                item = replace(item, default=threshold)
            table.append(item)
        return tuple(table)

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`."""
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        folder = spec.folder()
        dtype: Any = torch.float32 if spec.weights_bytes() < (self.stored_above_bytes or 0) else "auto"
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=dtype, trust_remote_code=False, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return Loaded({"model": model.eval(), "tokenizer": tokenizer})

    def adopts(self, config: Mapping[str, Any]) -> bool:
        """Take what is declared, but one whose labels judge labels of one's own; see `Family.adopts`."""
        return super().adopts(config) and not tasks.is_inference(config)

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return context length, task, labels and threshold, as config.json tells them."""
        return describe(spec, tasks.CLASSIFICATION)

    def check_inputs(self, spec: ModelSpec, request: Request, params: ClassifierParams) -> None:
        """Refuse an empty text; see `Family.check_inputs`."""
        if params.by != row_inputs.COLUMN and not plain_text.check_text(request.inputs["prompt"], "text").strip():
            raise BadInput("There is no text. Write or paste one, such as “What a lovely film!”")

    def amount(self, spec: ModelSpec, request: Request, params: ClassifierParams) -> float | None:
        """Return how many parts or lines are read; of a table, its page tells how many rows. See `Family.amount`."""
        return row_inputs.amount(request, params.by, spec.facts.get("context_length", _CONTEXT))

    def warnings(self, spec: ModelSpec, request: Request, params: ClassifierParams) -> list[str]:
        """Tell of a text in letters or a language that the model does not read; see `Family.warnings`."""
        text = request.inputs.get("prompt", "") if params.by == row_inputs.TEXT else ""
        return languages.unread(text, spec.reads)

    def script(self, spec: ModelSpec, request: Request, params: ClassifierParams) -> Script:
        """Return a classifier of transformers; see `Family.script`."""
        from models.text.scripts import tasks as scripts

        context, several = spec.facts.get("context_length", _CONTEXT), bool(spec.facts.get("several"))
        return scripts.classifier(spec, request, params, context, self.stored_above_bytes or 0, several)

    def save(self, request: Request, output: Output, ending: str) -> bytes:
        """Return a text's whole distribution as CSV; a table is CSV already. See `Family.save`."""
        return answers.as_csv(output.meta["scores"]) if ending == "csv" and "scores" in output.meta else output.data

    def explain(
        self, spec: ModelSpec, request: Request, params: ClassifierParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Look at which words pushed a label; see `models.text.looking.reasons`."""
        from models.text.looking import reasons

        yield from reasons.reasons(spec, request, loaded, context)

    def generate(
        self, spec: ModelSpec, request: Request, params: ClassifierParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Read the text part by part, one output; see `Family.generate`."""
        from models.text.sampling import labelling, row_labels

        work = labelling.Labelling(loaded.parts, spec.facts.get("context_length", _CONTEXT))
        labels = [loaded.parts["model"].config.id2label[at] for at in range(loaded.parts["model"].config.num_labels)]
        several = bool(spec.facts.get("several"))
        if params.by != row_inputs.TEXT:
            every = partial(labelling.shares, temperature=params.temperature, several=several)
            yield from row_labels.run(
                request, params, work, labels, lambda logits: every(logits)[0], every, several, spec.reads, context
            )  # fmt: skip
            return
        cut = [part.text for part in parts.cut(request.inputs["prompt"], "lines", work.fits) if part.text]
        found, weights, by_part = [], [], []
        for number, (logits, weight) in enumerate(labelling.each(work, cut, context.stopped)):
            found.append(labelling.shares(logits[0], params.temperature, several))
            weights.append(weight)
            best = next(iter(answers.ranked(labels, list(found[-1])).items()))
            by_part.append({"text": cut[number][:80], "label": answers.readable(best[0]), "chance": best[1]})
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
        meta = answers.meta(scores, params.threshold, params.top_labels, several, by_part, unread)
        text = answers.NONE if unread else answers.told(scores, params.threshold, several)
        yield Final((plain_text.text_output(text, context.stamp, 0, meta),), stats)


def describe(spec: ModelSpec, task: str) -> dict[str, Any]:
    """Return a classifier's facts from its config.json. Raises `WeightsError`."""
    file = spec.folder() / "config.json"
    try:
        config = json.loads(file.read_text("utf-8"))
        names = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}  # transformers writes no usual ones
        labels = [str(names[str(at)]) for at in range(len(names))]
        context = config.get("max_position_embeddings") or _CONTEXT
        offset = 2 if config.get("model_type") in _SHIFTED else 0
        facts: dict[str, Any] = {"context_length": int(context) - offset, "task": tasks.of(config, task),
                                 "label_names": labels}  # fmt: skip
        if config.get("problem_type") == "multi_label_classification":
            facts["several"] = True
        if config.get("threshold") is not None:
            facts["threshold"] = float(config["threshold"])
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise WeightsError(f"{spec.id}: {file.name} is missing or damaged. {restore()}") from error
    if len(labels) < 2:
        raise WeightsError(f"{spec.id} gives one number and no labels: this family runs models with two or more.")
    return facts


_SHIFTED = ("roberta", "xlm-roberta", "camembert", "longformer")  # their first position is the one after the padding's
