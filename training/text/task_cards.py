"""Write the cards of the translators and classifiers: data, time, marks, unpicked samples."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training import cards, loop
from training.optim import has_bfloat16
from training.text.evaluate_tasks import BEAMS, interval, write_marks
from training.text.labelled import Labelled
from training.text.pairs import Pairs

NAMES = {"en": "English", "fr": "French"}


@dataclass(frozen=True)
class Kind:
    """Hold what a translator's card says of its architecture; `word` stands in its name."""

    word: str
    how: str
    architecture: str
    tokenizer: str


KINDS = {
    "marian": Kind(
        "", "`training/text/translate.py`",
        "MarianMT: encoder of {config.encoder_layers} layers, decoder of {config.decoder_layers}, width "
        "{config.d_model}, {config.encoder_attention_heads} heads", "trained on the training sentences",
    ),
    "playground_lstm_seq2seq": Kind(
        "lstm-", "`training/text/translate.py --net lstm`",
        "LSTM encoder-decoder with attention: bidirectional encoder of {config.encoder_layers} layers, decoder of "
        "{config.decoder_layers}, width {config.hidden_size}, embeddings of {config.embedding_size}, global attention "
        "behind the decoder (Luong et al. 2015)", "that of translate-{source}-{target}",
    ),
}  # fmt: skip


def _hardware(options: argparse.Namespace) -> str:
    precision = "bfloat16" if has_bfloat16(str(options.device)) else "float32"
    return f"{loop.hardware(options.device)}, {precision}, seed {options.seed}"


def write_translator(
    options: argparse.Namespace, pairs: Pairs, model: Any, facts: dict[str, Any], marks: dict[str, Any],
    samples: Sequence[tuple[str, str, str]],
) -> None:  # fmt: skip
    """Write README.md, marks.json and the curve of a translator; `samples` are source, translation, reference."""
    source, target = ("en", "fr") if options.to == "fr" else ("fr", "en")
    curve = facts.pop("curve")
    cards.write_csv(options.out / "curve.csv",
                    ("step", "minutes", "train_loss_nats", "held_out_loss_nats"), curve)  # fmt: skip
    cards.curve(options.out / "curve.png", [(row[1], row[3]) for row in curve], "nats per token, held-out sentences")
    lengths = "\n".join(f"| {name} | {one['sentences']:,} | {one['bleu']:.1f} | {one['chrf']:.1f} |"
                        for name, one in marks["by_words"].items())  # fmt: skip
    shown = "\n".join(f"| {_cell(one)} | {_cell(made)} | {_cell(meant)} |" for one, made, meant in samples)
    kind = KINDS[model.config.model_type]
    (options.out / "README.md").write_text(TRANSLATOR.format(
        **{**facts, **marks}, name=f"translate-{kind.word}{source}-{target}", source=NAMES[source],
        target=NAMES[target], architecture=kind.architecture.format(config=model.config), how=kind.how,
        tokenizer=kind.tokenizer.format(source=source, target=target), config=model.config, to=target, from_=source,
        lengths=lengths, shown=shown, beams=BEAMS,
        learnt=sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
        train=len(pairs.train), held=len(pairs.test), validation=len(pairs.validation), left_out=pairs.dropped,
        device=_hardware(options),
    ), "utf-8")  # fmt: skip
    write_marks(options.out, marks, {name: facts[name] for name in ("steps", "tokens", "minutes")})
    print(json.dumps({**facts, **marks}, indent=1))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def write_classifier(
    options: argparse.Namespace, rows: Labelled, model: Any, facts: dict[str, Any], marks: Sequence[dict[str, float]],
    pretrained: bool,
) -> None:  # fmt: skip
    """Write README.md, curve.csv, curve.png and marks.json of a classifier; `marks` of each seed, the first ships."""
    curve = facts.pop("curve")
    cards.write_csv(options.out / "curve.csv", ("step", "minutes", "train_loss_nats", "calibration_accuracy"), curve)
    cards.curve(options.out / "curve.png", [(row[1], row[3]) for row in curve], "accuracy, calibration sentences")
    told = {name: interval([one[name] for one in marks]) for name in marks[0]}
    table = "\n".join(
        f"| {MARKS[name]} | {marks[0][name]:.1%} | {mean:.1%} ± {half:.1%} |" for name, (mean, half) in told.items()
    )
    (options.out / "README.md").write_text(CLASSIFIER.format(
        **facts, name=options.task, table=table, config=model.config, count=len(marks),
        parameters=sum(weight.numel() for weight in model.parameters()), data=DATA[options.task].format(
            train=len(rows.train), calibration=len(rows.calibration), test=len(rows.test),
        ), how=HOW[options.task], limits=LIMITS[options.task], device=_hardware(options),
        begins="the encoder of `training/text/encoder.py`" if pretrained else "random weights",
    ), "utf-8")  # fmt: skip
    (options.out / "marks.json").write_text(json.dumps(
        {name: {"shipped": marks[0][name], "mean": round(mean, 4), "half_width_95": round(half, 4)}
         for name, (mean, half) in told.items()}, indent=2) + "\n", "utf-8")  # fmt: skip
    print((options.out / "marks.json").read_text("utf-8"))


MARKS = {
    "accuracy": "Right", "macro_f1": "Macro F1", "ece": "Calibration error (ECE, 15 bins)",
    "answered": "Answered (above the threshold)", "answered_accuracy": "Right where answered",
    "outside_recall": "Sentences outside all intents that it does not answer",
}  # fmt: skip

TRANSLATOR = """---
license: apache-2.0
language:
- {from_}
- {to}
library_name: transformers
pipeline_tag: translation
---
# {name}

Translates short everyday sentences from {source} to {target}. Trained from scratch by {how}.

| | |
|---|---|
| Architecture | {architecture}, one vocabulary for both languages, tied embeddings |
| Parameters | {learnt:,}, stored as fp16 |
| Tokenizer | BPE, {config.vocab_size:,} tokens, {tokenizer} |
| **BLEU** | **{bleu}** on {held:,} held-out sentences (sacrebleu's defaults, one reference each, {beams} beams) |
| **chrF** | **{chrf}** |
| Word for word as the reference | {exact:.1%} |
| Loops, dropped text | {loops:.2%} of the translations repeat one to four words three times in a row; {dropped:.2%} \
have less than half of the reference's words |
| Training | {steps:,} steps, {tokens:,} target tokens, {minutes} minutes on {device} |

| words of the source | sentences | BLEU | chrF |
|---|---|---|---|
{lengths}

## Data
Pairs of sentences of the [Tatoeba](https://tatoeba.org) project, as collected by manythings.org/anki (CC BY 2.0 FR),
English and French. {train:,} pairs are for training; {held:,} English sentences with the first of their translations
are held out for the test, {validation:,} for validation, chosen by hash: all pairs of one English sentence stand on one
side. {left_out:,} training pairs whose French is that of a held-out pair were dropped. The weights are a result of
computing on this data and are released under Apache-2.0.

## Curve
![Loss on held-out sentences over minutes](curve.png)

## Limits
It knows short everyday sentences, as in a phrase book. Names, numbers and rare words come out wrong, long sentences
lose parts, and what one source sentence leaves open (tu or vous, his or her) it decides by habit.

## Ten unpicked translations
The first ten of the test.

| {source} | translation | reference |
|---|---|---|
{shown}
"""

CLASSIFIER = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-classification
---
# {name}

{how}

| | |
|---|---|
| Architecture | ELECTRA's layout: {config.num_hidden_layers} layers, width {config.hidden_size}, embeddings of \
{config.embedding_size}, {config.num_attention_heads} heads |
| Parameters | {parameters:,}, stored as fp16 |
| Tokenizer | BPE over small letters, {config.vocab_size:,} tokens |
| Threshold | {threshold:.2f}: below this probability it abstains |
| Training | {steps:,} steps, {tokens:,} tokens, {minutes} minutes a net on {device} |

| test sentences | this model | mean of {count} seeds, 95% interval |
|---|---|---|
{table}

The first seed ships, not the best one.

## Data
{data}

It begins with {begins}, which learnt to fill gaps in stories (TinyStories, CDLA-Sharing-1.0; TinyFabulist, MIT; African
Storybook and Pratham Books, CC BY 4.0; FairytaleQA, Apache-2.0; Project Gutenberg), English sentences of Tatoeba (CC BY
2.0 FR), questions of WikiSQL (BSD-3) and Banking77 (CC BY 4.0), and the training sentences of both classifiers. The
weights are a result of computing on this data and are released under Apache-2.0.

## Training
The targets are the label and, for a share of {taught}, what a linear classifier of words and letters says of a sentence
that it has not seen (`training/text/teacher.py`). Merges of the tokenizer are dropped by chance (0.1). What ships is
the moving average of the weights; the last layer is divided by the temperature that suits the calibration sentences
best.

![Accuracy on calibration sentences over minutes](curve.png)

## Limits
{limits}
"""

HOW = {
    "sentiment": "Says whether an English sentence of a film review is positive or negative. Trained from scratch by\n"
    "`training/text/classify.py`.",
    "intent": "Says which of 150 requests to an assistant an English sentence is, or abstains. Trained from scratch\n"
    "by `training/text/classify.py`.",
}
DATA = {
    "sentiment": "Sentence polarity data set v1.0 (Pang & Lee 2005, CC BY 4.0): sentences of film reviews. {train:,}\n"
    "to learn from, {calibration:,} for temperature and threshold, {test:,} to test, chosen by hash.",
    "intent": "CLINC150 (Larson et al. 2019, CC BY 3.0) in its authors' split: {train:,} sentences to learn from,\n"
    "{calibration:,} for temperature and threshold, {test:,} to test, besides 100, 100 and 1,000 outside of all\n"
    "intents.",
}  # fmt: skip
LIMITS = {
    "sentiment": "It learnt from film reviews of the 1990s and 2000s, and knows two labels: a neutral sentence gets\n"
    "one of them, or none below the threshold. Irony, negation over several words and other subjects mislead it.\n"
    "English only.",
    "intent": "It knows 150 intents and no other. The threshold lets through a part of what is outside of them.\n"
    "English only.",
}  # fmt: skip
