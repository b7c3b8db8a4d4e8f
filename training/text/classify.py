"""Train text/sentiment and text/intent: small encoders that put a sentence under one of the labels that they learnt.

    python -m training.text.encoder --data ../shared/data --minutes 20
    python -m training.text.classify --data ../shared/data --task intent --minutes 30 --out models/embedded/intent

Reads top to bottom: targets, batches, loss, training, calibration, export. Each of `--seeds` nets gets its share of the
minutes; the card tells the mean of all, and the first ships. Interrupt it at any time: the next call continues from the
checkpoints in `--work`.

A net begins with the encoder that `training.text.encoder` pretrained. Its targets are the label and, for a share, what
a teacher without a net says of a sentence that it has not seen (distillation, Hinton et al. 2015). For two labels it
also learns from sentences spliced by chance, which the teacher labels; for intents, sentences outside of all of them
have the same share of each (Hendrycks et al. 2019). One temperature, fitted on sentences kept for it, makes the
probabilities honest (Guo et al. 2017): the last layer is divided by it.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from training import loop
from training.optim import Average, Optimizers, has_bfloat16
from training.text import teacher
from training.text.encoder import MERGE_DROPOUT, config, encode, make_tokenizer, padded, pretrained
from training.text.evaluate_tasks import classifier_marks, logits_of, predictor, thresholded
from training.text.labelled import TASKS, Labelled, Row, load, spliced, unlabelled
from training.text.task_cards import write_classifier

BATCH_TOKENS = 2048
LEARNING_RATE = 2.5e-3
WEIGHT_DECAY = 0.05
TAUGHT = {"sentiment": 0.6, "intent": 0.3}  # share of the teacher in a target
DROPOUT = 0.15
OUTSIDE_REPEATS = 6  # how often a sentence outside of the labels comes in one pass
FAR_OUTSIDE = 300  # sentences of other kinds of text in one pass


def main() -> None:
    """Run the training that the command line asks for."""
    options = read_options()
    loop.prepare(options)
    rows = load(options.data, options.task)
    texts = unlabelled(options.data)
    tokenizer = make_tokenizer(texts, options.encoder)
    print(f"{len(rows.train):,} sentences to learn from, {len(rows.calibration):,} to calibrate, {len(rows.test):,} to "
          f"test; {len(rows.labels)} labels", flush=True)  # fmt: skip
    begin = pretrained(options.encoder)
    print("begins with the pretrained encoder" if begin else "begins from scratch: no pretrained encoder", flush=True)
    far = texts["questions"] + texts["sentiment"] if rows.outside_train else []
    study = prepare(rows, far, options)
    found = []
    for seed in range(options.seeds):
        own = argparse.Namespace(**{**vars(options), "seed": options.seed + seed,
                                    "minutes": options.minutes / options.seeds,
                                    "work": options.work / f"seed-{options.seed + seed}"})  # fmt: skip
        own.work.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(own.seed)
        model, facts = train(tokenizer, rows, study, begin, own)
        threshold = calibrate(model, tokenizer, rows)
        marks = classifier_marks(predictor(model, tokenizer), rows, threshold)
        print(f"seed {own.seed}", json.dumps(marks), flush=True)
        found.append((model, {**facts, "threshold": threshold, "taught": TAUGHT[options.task]}, marks))
    model, facts, _ = found[0]
    write_weights(model, tokenizer, rows.labels, facts["threshold"], options.out)
    write_classifier(options, rows, model, facts, [marks for *_, marks in found], bool(begin))


def read_options() -> argparse.Namespace:
    """Read the command line."""
    early = argparse.ArgumentParser(add_help=False)
    early.add_argument("--task", choices=TASKS, default="sentiment")
    task = early.parse_known_args()[0].task
    parser = loop.options(__doc__, f"models/embedded/{task}", 30.0, "sentiment/ and intents/", begins=False)
    parser.add_argument("--task", choices=TASKS, default="sentiment", help="what is told (default: sentiment)")
    parser.add_argument("--encoder", type=Path, default=loop.WORK / "task-encoder",
                        help="folder with the pretrained encoder's checkpoint (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=5, help="nets that share the minutes (default: 5)")
    parser.add_argument("--log-every", type=int, default=250, help="steps between measurements (default: 250)")
    return parser.parse_args()


@dataclass(frozen=True)
class Study:
    """Hold what a pass learns from: sentences, and the probability of each label for each, float32.

    `more(count)` gives other sentences than the training's, with their targets, drawn anew.
    """

    texts: list[str]
    targets: torch.Tensor
    more: Callable[[Any], tuple[list[str], torch.Tensor]]


def prepare(rows: Labelled, far: Sequence[str], options: argparse.Namespace) -> Study:
    """Make the targets; what the teacher said is kept in `--work`, as it takes a minute."""
    count = len(rows.labels)
    file = options.work / "teacher.npy"
    if not file.exists():
        np.save(file, teacher.unseen(rows.train, count))
    said = torch.from_numpy(np.load(file))
    numbers = torch.tensor([label for _, label in rows.train])
    taught = TAUGHT[options.task]
    targets = (1 - taught) * F.one_hot(numbers, count).float() + taught * said
    whole = teacher.fitted(rows.train, count) if count == 2 else None

    def more(choice: Any) -> tuple[list[str], torch.Tensor]:
        if whole is not None:
            texts = spliced(rows.train, len(rows.train), choice)
            return texts, torch.from_numpy(np.asarray(whole.predict_proba(texts), np.float32))
        texts = rows.outside_train * OUTSIDE_REPEATS + choice.sample(list(far), min(FAR_OUTSIDE, len(far)))
        return texts, torch.full((len(texts), count), 1 / count)

    return Study([text for text, _ in rows.train], targets, more)


class Passes:
    """Deal batches, (rows of ids, targets), pass by pass, without end; merges are dropped anew in each."""

    def __init__(self, tokenizer: Any, study: Study, choice: Any) -> None:
        self._tokenizer, self._study, self._choice = tokenizer, study, choice
        self._waiting: list[tuple[list[list[int]], torch.Tensor]] = []

    def __next__(self) -> tuple[list[list[int]], torch.Tensor]:
        """Return the next batch."""
        if not self._waiting:
            texts, targets = self._study.more(self._choice)
            ids = encode(self._tokenizer, self._study.texts + texts, MERGE_DROPOUT)
            aims = torch.cat([self._study.targets, targets])
            order = sorted(range(len(ids)), key=lambda at: (len(ids[at]), self._choice.random()))
            self._waiting = [([ids[at] for at in some], aims[some]) for some in _cut(order, ids)]
            self._choice.shuffle(self._waiting)
        return self._waiting.pop()

    def state_dict(self) -> dict[str, Any]:
        """Return the batches that are left of this pass."""
        return {"waiting": self._waiting}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._waiting = list(state["waiting"])


def _cut(order: Sequence[int], ids: Sequence[Sequence[int]]) -> list[list[int]]:
    batches: list[list[int]] = [[]]
    for at in order:  # from short to long
        if batches[-1] and (len(batches[-1]) + 1) * len(ids[at]) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(at)
    return batches


def make_model(tokenizer: Any, labels: Sequence[str], begin: dict[str, torch.Tensor]) -> Any:
    """Return a classifier over `labels`, whose encoder begins with the weights in `begin` where there are any."""
    from transformers import ElectraForSequenceClassification

    names = dict(enumerate(labels))
    model = ElectraForSequenceClassification(
        config(tokenizer, id2label=names, label2id={name: at for at, name in names.items()},
               hidden_dropout_prob=DROPOUT, classifier_dropout=DROPOUT)
    )  # fmt: skip
    if begin:
        missing = model.electra.load_state_dict(begin, strict=False)
        if missing.missing_keys or missing.unexpected_keys:
            raise SystemExit("The pretrained encoder has another form: delete its checkpoint and pretrain again.")
    return model


def train(
    tokenizer: Any, rows: Labelled, study: Study, begin: dict[str, torch.Tensor], options: argparse.Namespace
) -> tuple[Any, dict[str, Any]]:
    """Train one net until its minutes are used; return it with the averaged weights, and what a card says of it."""
    choice = loop.draws(options)
    model = make_model(tokenizer, rows.labels, begin).to(options.device).train()
    optimizers = Optimizers(model, LEARNING_RATE, WEIGHT_DECAY, ("out_proj",))
    average = Average(model, 0.995)
    feed = Passes(tokenizer, study, choice)
    run = loop.Run(options, options.log_every, "tokens", decay_from=0.3, model=model, optimizers=optimizers,
                   average=average, feed=feed, choice=choice)  # fmt: skip
    pad, kind = tokenizer.pad_token_id, torch.device(options.device).type
    for rate in run:
        batch, aims = next(feed)
        ids = padded(batch, pad).to(options.device)
        with torch.autocast(kind, torch.bfloat16, enabled=has_bfloat16(kind)):
            logits = model(input_ids=ids, attention_mask=ids != pad).logits
        loss = F.cross_entropy(logits.float(), aims.to(options.device))
        loss.backward()
        optimizers.step(rate)
        average.update(model)
        if run.count(int((ids != pad).sum()), loss=loss):
            run.note(calibration_accuracy=_accuracy(averaged(model, average), tokenizer, rows.calibration))
    return averaged(model, average).cpu(), run.facts()


def averaged(model: Any, average: Average) -> Any:
    """Return a copy of the model with the averaged weights, in evaluation mode."""
    other = copy.deepcopy(model)
    other.load_state_dict(average.weights)
    return other.eval()


def _accuracy(model: Any, tokenizer: Any, rows: Sequence[Row]) -> float:
    found = predictor(model, tokenizer)([text for text, _ in rows]).argmax(1)
    return float(np.mean(found == np.array([label for _, label in rows])))


def calibrate(model: Any, tokenizer: Any, rows: Labelled) -> float:
    """Divide the last layer by the temperature that suits the calibration sentences best; return the threshold.

    Below the threshold the model abstains; see `evaluate_tasks.thresholded`.
    """
    logits = logits_of(model, tokenizer, [text for text, _ in rows.calibration])
    labels = torch.tensor([label for _, label in rows.calibration])
    log = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([log], max_iter=60)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = F.cross_entropy(logits / log.exp(), labels)
        found.backward()
        return found

    optimizer.step(loss)
    temperature = float(log.detach().exp())
    with torch.no_grad():
        for weight in model.classifier.out_proj.parameters():
            weight.div_(temperature)
    outside = rows.outside_calibration
    return thresholded(
        (logits / temperature).softmax(1).numpy(), labels.numpy(),
        logits_of(model, tokenizer, outside).softmax(1).numpy() if outside else None,
    )  # fmt: skip


def write_weights(model: Any, tokenizer: Any, labels: Sequence[str], threshold: float, out: Path) -> None:
    """Write config (with the threshold), fp16 safetensors and tokenizer in Hugging Face layout."""
    out.mkdir(parents=True, exist_ok=True)
    shipped = copy.deepcopy(model).half()
    shipped.config.threshold = round(threshold, 3)
    shipped.save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    main()
