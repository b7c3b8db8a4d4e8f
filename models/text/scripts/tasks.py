"""The scripts of models made for one task: texts from texts, and labels; transformers' models, read part by part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from models.scripts import Part, Script, constants, dtype, weights
from models.stamps import file_name
from models.text import parts, similar
from models.text.scripts.nets import own_nets

if TYPE_CHECKING:
    from models.spec import ModelSpec
    from models.text.task_settings import ClassifierParams, EmbeddingParams, Seq2SeqParams, ZeroShotParams
    from models.types import Request

_LABELLING = "models.text.sampling.labelling"
_KEPT = ("decoder_start_token_id", "bos_token_id", "eos_token_id", "pad_token_id", "bad_words_ids",
         "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens", "begin_suppress_tokens")  # fmt: skip


def seq2seq(spec: ModelSpec, request: Request, params: Seq2SeqParams, context: int, above: int) -> Script:
    """Return the script of an encoder-decoder's request; see `Family.script`.

    `context` is how many tokens the model reads at once; weights above `above` bytes keep their dtype.
    """
    folder, imports = weights(spec)
    named = {"PROMPT": request.inputs["prompt"], "PREFIX": params.prefix, "CONTEXT": context, "SEED": request.seed}
    load = [
        "tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)",
        f"model = AutoModelForSeq2SeqLM.from_pretrained(WEIGHTS, dtype={dtype(spec, above)}).eval()",
    ]
    read = [
        "def fits(piece):",
        f"    return len(piece) <= 30 * CONTEXT and {_TOKENS} <= CONTEXT",
        "",
        "",
        f"pieces = cut(PROMPT, {params.parts!r}, fits, {parts.WORD_MOST})  # longer words stay as they are",
    ]
    settings: dict[str, Any] = {"num_beams": params.num_beams, "do_sample": params.do_sample}
    if params.do_sample:
        settings |= {"temperature": params.temperature, "top_p": params.top_p, "top_k": params.top_k or 0}
    if params.num_beams > 1:
        settings |= {"length_penalty": params.length_penalty, "early_stopping": params.early_stopping}
    settings |= {"max_new_tokens": min(params.max_new_tokens, context - 1),
                 "min_new_tokens": params.min_new_tokens or None, "no_repeat_ngram_size": params.no_repeat_ngram_size,
                 "repetition_penalty": params.repetition_penalty}  # fmt: skip
    write = [
        "# of the model's own settings, how its texts begin and end, and what it never writes",
        f"kept = {_KEPT!r}",
        "own = {name: getattr(model.generation_config, name, None) for name in kept}",
        "config = GenerationConfig(",
        "    **{name: value for name, value in own.items() if value is not None},",
        *[f"    {name}={value!r}," for name, value in settings.items()],
        ")",
        "made = []",
        "torch.manual_seed(SEED)",
        "for part in pieces:",
        "    if not part.text:",
        "        continue  # what stands behind the last one",
        '    given = tokenizer(PREFIX + part.text, return_tensors="pt", truncation=True, max_length=CONTEXT)',
        "    with torch.inference_mode():",
        '        out = model.generate(input_ids=given["input_ids"], attention_mask=given["attention_mask"],',
        "                             generation_config=config)",
        "    made.append(tokenizer.decode(out[0, 1:], skip_special_tokens=True).strip())",
        "text = joined(pieces, made)",
    ]
    return Script(
        f"{folder}\n{constants(**named)}",
        (
            Part("Load", "\n".join(load)),
            Part("Cut the text into parts", "\n".join(read), "What is too long to be read at once is read in parts."),
            Part("Write", "\n".join(write), "Each part becomes a text, put together as the parts stood."),
            _save(request),
        ),
        ("import torch", "from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig", *imports),
        (*own_nets(spec), "models.text.parts:cut", "models.text.parts:joined"),
    )


_TOKENS = 'len(tokenizer(PREFIX + piece)["input_ids"])'


def classifier(
    spec: ModelSpec, request: Request, params: ClassifierParams, context: int, above: int, several: bool
) -> Script:
    """Return the script of a classifier's request; `several`: more than one label may hold; see `seq2seq`."""
    find = [
        "labels = [model.config.id2label[at] for at in range(model.config.num_labels)]",
        "found = [shares(work.logits(piece)[0], TEMPERATURE, SEVERAL) for piece in pieces]",
    ]
    return _labelling(spec, request, params, context, above, several, {}, [], find)


def zero_shot(
    spec: ModelSpec, request: Request, params: ZeroShotParams, context: int, above: int, labels: Sequence[str]
) -> Script:
    """Return the script of a request with labels of one's own, judged by a model of inference; see `seq2seq`."""
    find = ["labels = LABELS", "follows, against = entailing(model.config.id2label)"]
    logits = "work.logits(piece)[:, [follows, against]]" if params.several else "work.logits(piece)[:, follows]"
    taken = "[:, 0]" if params.several else ""
    find.append(f"found = [shares({logits}, TEMPERATURE, False){taken} for piece in pieces]")
    named = {"LABELS": list(labels), "TEMPLATE": params.template}
    beside = ['[TEMPLATE.replace("{}", label) for label in LABELS]']
    return _labelling(spec, request, params, context, above, params.several, named, beside, find)


def embedding(spec: ModelSpec, request: Request, params: EmbeddingParams, context: int, above: int) -> Script:
    """Return the script of a comparison of texts by their sentence embeddings; see `seq2seq`."""
    folder, imports = weights(spec)
    text, others = similar.given(request, params.by)
    threshold = params.threshold if params.normalise else None
    named = {"TEXT": text, "TEXTS": others, "CONTEXT": context, "POOLING": params.pooling,
             "NORMALISE": params.normalise, "THRESHOLD": threshold, "TOP": params.top_texts}  # fmt: skip
    load = [
        "tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)",
        f"model = AutoModel.from_pretrained(WEIGHTS, dtype={dtype(spec, above)}).eval()",
    ]
    read = [
        'work = Embedding({"model": model, "tokenizer": tokenizer}, CONTEXT, POOLING)',
        "every = [TEXT, *TEXTS]",
        "vectors = np.concatenate([work.vectors(every[at : at + BATCH]) for at in range(0, len(every), BATCH)])",
        "scores = compared(vectors[:1], vectors[1:], NORMALISE)[0].tolist()",
        "text = told(TEXTS, scores, THRESHOLD, TOP)",
    ]
    carries = [f"models.text.sampling.embedding:{name}" for name in ("BATCH", "Embedding", "compared")]
    return Script(
        f"{folder}\n{constants(**named)}",
        (
            Part("Load", "\n".join(load)),
            Part("Compare", "\n".join(read), "Each text becomes one vector; near vectors mean near meanings."),
            _save(request),
        ),
        ("import numpy as np", "import torch", "from transformers import AutoModel, AutoTokenizer", *imports),
        (*carries, "models.text.similar:told"),
    )


def _labelling(
    spec: ModelSpec, request: Request, params: ClassifierParams, context: int, above: int, several: bool,
    more: dict[str, Any], beside: Sequence[str], find: Sequence[str],
) -> Script:  # fmt: skip
    folder, imports = weights(spec)
    named = {"PROMPT": request.inputs["prompt"], **more, "CONTEXT": context, "TEMPERATURE": params.temperature,
             "THRESHOLD": params.threshold, "SEVERAL": several}  # fmt: skip
    load = [
        "tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)",
        f"model = AutoModelForSequenceClassification.from_pretrained(WEIGHTS, dtype={dtype(spec, above)}).eval()",
    ]
    arguments = ", ".join(['{"model": model, "tokenizer": tokenizer}', "CONTEXT", *beside])
    read = [
        f"work = Labelling({arguments})",
        'pieces = [part.text for part in cut(PROMPT, "lines", work.fits) if part.text]',
        *find,
        "scores = ranked(labels, list(averaged(found, [work.weight(piece) for piece in pieces])))",
        "text = told(scores, THRESHOLD, SEVERAL)",
    ]
    carries = [f"{_LABELLING}:{name}" for name in ("Labelling", "shares", "averaged")]
    carries += [f"{_LABELLING}:entailing"] if beside else []
    carries += ["models.text.parts:cut", "models.text.answers:ranked", "models.text.answers:told"]
    return Script(
        f"{folder}\n{constants(**named)}",
        (
            Part("Load", "\n".join(load)),
            Part("Read", "\n".join(read), "Logits become probabilities; those of several parts are averaged."),
            _save(request, "for label, probability in scores.items():", '    print(f"{label}: {probability:.1%}")'),
        ),
        ("import torch", "from transformers import AutoModelForSequenceClassification, AutoTokenizer", *imports),
        tuple(carries),
    )


def _save(request: Request, *more: str) -> Part:
    name = file_name(request.model, request.seed)
    lines = [f'Path({name!r}).write_text(text, "utf-8", newline="\\n")', "print(text)", *more]
    return Part("Save", "\n".join(lines))
