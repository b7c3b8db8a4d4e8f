"""Sentence embeddings: texts as vectors, and how near they are to one another in meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from models import plain_text
from models.errors import WeightsError, restore
from models.events import Event, Final, Progress
from models.family import Context, Family, InputField, Loaded, Modality
from models.measures import Measure
from models.params import Params, ShownIf
from models.text import similar, tasks
from models.text.task_settings import EmbeddingParams
from models.types import Output, Request, RunStats

if TYPE_CHECKING:
    from pathlib import Path

    from models.params import ParamField
    from models.scripts import Script
    from models.spec import ModelSpec

_CONTEXT = 512  # tokens, of models that name none
_SHIFTED = ("roberta", "xlm-roberta", "camembert", "mpnet")  # their first position is the one after the padding's
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  A[a text] --> B[tokens]
  B --> C[encoder: each token sees all others]
  C --> D[a vector for each token]
  D --> E[pooling: one vector for the text]
  E --> F[cosine of the angle to another text's vector]
```

An encoder such as [BERT](https://arxiv.org/abs/1810.04805) gives each token a vector that depends on all others; their
mean stands for the text. [Sentence-BERT](https://arxiv.org/abs/1908.10084) trains it on pairs of texts that belong
together, such as a question and its answer: their vectors are pulled together, those of chance pairs pushed apart. Near
vectors then mean near meanings, whatever the words.

The cosine of two vectors is 1 where they point the same way and about 0 for unrelated texts. It says how near, not
why: texts about the same thing come out near even where one denies what the other says. A long text becomes one vector
too, in which its details blur; compare sentences where they matter.
[MiniLM](https://arxiv.org/abs/2002.10957) is a small net that learnt to imitate the attention of a larger one.
"""


def _closeness(output: Output, asked: str, folder: Path) -> float | None:
    from models.text.looking import meaning

    return meaning.closeness(output, asked, folder)


def _nearness(output: Output, reference: Output, folder: Path) -> float | None:
    from models.text.looking import meaning

    return meaning.nearness(output, reference, folder)


class TextEmbedding(Family[EmbeddingParams]):
    """Run any encoder of `AutoModel` that was trained for sentence embeddings."""

    name: ClassVar[str] = "text_embedding"
    title: ClassVar[str] = "Sentence embedding"
    task: ClassVar[str] = "sentence similarity"
    modality: ClassVar[Modality] = "text"
    Params: ClassVar[type[Params]] = EmbeddingParams
    saves: ClassVar[tuple[str, ...]] = ("txt", "md", "csv")
    seed_shown_if: ClassVar[ShownIf] = {"top_texts": ()}  # there is no chance in it
    reentrant: ClassVar[bool] = True
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", label="Text", help="What the others are compared with. Without others, its first line is "
                                                "compared with its other lines."),
        InputField("texts", "text", False, "Texts to compare with", "One a line; or a whole text, compared by "
                                                                    "sentences.",
                   accept=("txt",), limits=f"At most {similar.TEXTS_MOST:,} lines or sentences."),
    )  # fmt: skip
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    in_short: ClassVar[str] = (
        "Trained on pairs of texts that belong together: it turns each text into one vector, and near vectors mean "
        "near meanings."
    )
    stored_above_bytes: ClassVar[int | None] = 100_000_000
    measures: ClassVar[tuple[Measure, ...]] = (
        Measure("closeness", "Closeness to the prompt", _closeness, "", ("text",), "judged", heavy=True,
                help="Cosine of what was written and the prompt: 1 the same meaning, about 0 unrelated."),
        Measure("nearness", "Closeness to the reference", _nearness, "", ("text",), "judged pair", heavy=True,
                help="Cosine of what was written and the reference of the same seed: 1 the same meaning, about 0 "
                     "unrelated."),
    )  # fmt: skip

    def fields(self, spec: ModelSpec) -> tuple[ParamField, ...]:
        """Return the settings: the pooling is the one that the model was trained with."""
        trained: Any = spec.facts.get("pooling")
        own = trained in similar.POOLINGS and "pooling" not in spec.params
        table = super().fields(spec)
        return tuple(replace(one, default=trained) if own and one.name == "pooling" else one for one in table)

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`."""
        import torch
        from transformers import AutoModel, AutoTokenizer

        folder = spec.folder()
        dtype: Any = torch.float32 if spec.weights_bytes() < (self.stored_above_bytes or 0) else "auto"
        model = AutoModel.from_pretrained(folder, dtype=dtype, trust_remote_code=False, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return Loaded({"model": model.eval(), "tokenizer": tokenizer})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return context length, task and pooling, as config.json and the files of sentence-transformers tell them."""
        folder = spec.folder()
        try:
            config = json.loads((folder / "config.json").read_text("utf-8"))
            context = int(config.get("max_position_embeddings") or _CONTEXT)
            context -= 2 if config.get("model_type") in _SHIFTED else 0
            facts: dict[str, Any] = {"context_length": context, "task": tasks.SIMILARITY}
            if (file := folder / similar.LENGTH_FILE).is_file():
                facts["context_length"] = min(context, int(json.loads(file.read_text("utf-8"))["max_seq_length"]))
            if (file := folder / similar.POOLING_FILE).is_file():
                pooling = similar.pooling(json.loads(file.read_text("utf-8")))
                facts |= {"pooling": pooling} if pooling else {}
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise WeightsError(f"{spec.id}: config.json or a file beside it is damaged. {restore()}") from error
        return facts

    def embed(self, folder: Path, texts: Sequence[str]) -> Sequence[Sequence[float]] | None:
        """Return the vectors of a BERT in numpy, None for other nets; see `Family.embed`."""
        from models.text.looking import meaning

        found = meaning.vectors(folder, texts)
        return None if found is None else found.tolist()

    def check_inputs(self, spec: ModelSpec, request: Request, params: EmbeddingParams) -> None:
        """Refuse an empty text, and one without others; see `Family.check_inputs`."""
        for name in ("prompt", "texts"):
            plain_text.check_text(request.inputs.get(name, ""), "text" if name == "prompt" else "texts")
        similar.given(request, params.by)

    def script(self, spec: ModelSpec, request: Request, params: EmbeddingParams) -> Script:
        """Return an encoder of transformers; see `Family.script`."""
        from models.text.scripts import tasks as scripts

        context = spec.facts.get("context_length", _CONTEXT)
        return scripts.embedding(spec, request, params, context, self.stored_above_bytes or 0)

    def save(self, request: Request, output: Output, ending: str) -> bytes:
        """Return all texts with their similarities as CSV, else the output's own bytes. See `Family.save`."""
        if ending != "csv":
            return output.data
        by: Any = request.params.get("by", "lines")
        scores = output.meta["similarities"]
        return similar.as_csv(similar.given(request, by)[1][: len(scores)], scores)

    def generate(
        self, spec: ModelSpec, request: Request, params: EmbeddingParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Read the texts batch by batch, one output; see `Family.generate`."""
        import numpy as np

        from models.text.sampling import embedding

        text, others = similar.given(request, params.by)
        every, found = [text, *others], []
        most = spec.facts.get("context_length", _CONTEXT)
        work = embedding.Embedding(loaded.parts, most, params.pooling)
        yield Progress("read", 0, len(every), unit="texts")
        for start in range(0, len(every), embedding.BATCH):
            if context.stopped():
                break
            found.append(work.vectors(every[start : start + embedding.BATCH]))
            yield Progress("read", min(start + embedding.BATCH, len(every)), len(every), unit="texts")
        read = sum(map(len, found))
        stats: RunStats = {
            "steps": read, "counted": "text" if read == 1 else "texts", "prompt_tokens": work.read,
            "stopped": read < len(every), "notes": _notes(read, len(every), work.cut, most),
        }  # fmt: skip
        if read < 2:
            yield Final((), stats)
            return
        vectors, threshold = np.concatenate(found), params.threshold if params.normalise else None
        scores = embedding.compared(vectors[:1], vectors[1:], params.normalise)[0].tolist()
        near = vectors[: similar.GRID_MOST]
        grid = embedding.compared(near, near, params.normalise).tolist()
        meta = similar.meta(text, others[: read - 1], scores, grid, cosine=params.normalise, threshold=threshold,
                            top=params.top_texts)  # fmt: skip
        told = similar.told(others, scores, threshold, params.top_texts)
        yield Final((plain_text.text_output(told, context.stamp, 0, meta),), stats)


def _notes(read: int, total: int, cut: int, context: int) -> list[str]:
    """Return what to tell of a stop, and of texts that were too long to be read whole."""
    found = []
    if read < total:
        found.append(f"Stopped after {read:,} of {total:,} texts: the ranking has these.")
    if cut:
        many = "One text is" if cut == 1 else f"{cut:,} texts are"
        found.append(
            f"{many} longer than the {context:,} tokens that the model reads at once: only the beginning counts. "
            "Compare by sentences to have all of it read."
        )
    return found
