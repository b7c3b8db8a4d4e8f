"""Measure translators and classifiers on what they never learnt from.

    python -m training.text.evaluate_tasks --data ../shared/data --model models/embedded/translate-en-fr

prints the marks of a trained folder; the training scripts use the same functions for their cards. `--write` also puts
those of a translator into its marks.json, where pages read them.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.text.labelled import Labelled

BEAMS = 4
LENGTHS = ((1, 5), (6, 10), (11, 20), (21, 1000))  # words of the source
KEPT = 0.96  # of the calibration sentences inside the labels, that are answered
ACCURATE = 0.85  # of the answers, where there is nothing outside the labels
BINS = 15
DRAWS = 1000  # of the sentences, for the interval of BLEU


def translation_marks(sources: Sequence[str], found: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Return BLEU and chrF (sacrebleu's defaults), in all and by words of the source, and what went wrong.

    `bleu_half` is half of BLEU's 95% interval, by drawing the sentences again (bootstrap, Koehn 2004). `loops` and
    `dropped` are shares of the sentences; see `loops` and `dropped`.
    """
    import sacrebleu

    def both(rows: Sequence[int]) -> dict[str, Any]:
        made, meant = [found[at] for at in rows], [[references[at] for at in rows]]
        bleu = sacrebleu.BLEU().corpus_score(made, meant, n_bootstrap=DRAWS)
        return {"bleu": round(bleu.score, 2), "bleu_half": round(float(bleu._ci), 2),
                "chrf": round(sacrebleu.corpus_chrf(made, meant).score, 2), "sentences": len(rows)}  # fmt: skip

    lengths = [len(source.split()) for source in sources]
    parts = {f"{low}-{high}" if high < 1000 else f"{low}+": [at for at, words in enumerate(lengths)
             if low <= words <= high] for low, high in LENGTHS}  # fmt: skip
    count = max(1, len(found))
    return {
        **both(range(len(found))), "by_words": {name: both(rows) for name, rows in parts.items() if rows},
        "loops": round(sum(map(loops, found, references)) / count, 4),
        "dropped": round(sum(map(dropped, found, references)) / count, 4),
        "exact": round(sum(one == other for one, other in zip(found, references, strict=True)) / count, 4),
    }  # fmt: skip


def write_marks(folder: Path, marks: dict[str, Any], training: dict[str, float]) -> None:
    """Write a translator's marks.json: `translation_marks`, and steps, tokens and minutes of its training.

    Without `training`, what the file says of it stays.
    """
    file = folder / "marks.json"
    training = training or (json.loads(file.read_text("utf-8")).get("training", {}) if file.exists() else {})
    file.write_text(json.dumps({**marks, "training": training}, indent=2) + "\n", "utf-8")


def loops(found: str, reference: str) -> bool:
    """Say whether one to four words stand three times in a row where the reference repeats nothing so."""
    return _repeats(found) and not _repeats(reference)


def _repeats(text: str) -> bool:
    words = text.lower().split()
    return any(
        words[at : at + size] == words[at + size : at + 2 * size] == words[at + 2 * size : at + 3 * size]
        for size in range(1, 5)
        for at in range(len(words) - 3 * size + 1)
    )


def dropped(found: str, reference: str) -> bool:
    """Say whether a translation is empty, or has less than half of the words of a reference of four or more."""
    made, meant = len(found.split()), len(reference.split())
    return made == 0 or (meant >= 4 and made < meant / 2)


def translate(model: Any, tokenizer: Any, texts: Sequence[str], beams: int = BEAMS, rows: int = 64) -> list[str]:
    """Return each sentence's translation by beam search, sentences of like lengths at once."""
    import torch

    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    found = [""] * len(texts)
    for start in range(0, len(order), rows):
        some = order[start : start + rows]
        given = tokenizer([texts[at] for at in some], return_tensors="pt", padding=True, truncation=True)
        most = min(model.config.max_position_embeddings - 1, 2 * given["input_ids"].shape[1] + 10)
        with torch.inference_mode():
            out = model.generate(input_ids=given["input_ids"].to(model.device),
                                 attention_mask=given["attention_mask"].to(model.device), num_beams=beams,
                                 do_sample=False, max_length=most)  # fmt: skip
        for at, text in zip(some, tokenizer.batch_decode(out, skip_special_tokens=True), strict=True):
            found[at] = text.strip()
    return found


def logits_of(model: Any, tokenizer: Any, texts: Sequence[str]) -> Any:
    """Return the logits of sentences, rows × labels, float32, on the CPU."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    most = model.config.max_position_embeddings
    ids = tokenizer(list(texts), truncation=True, max_length=most, return_attention_mask=False)["input_ids"]
    order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
    found = torch.zeros(len(ids), model.config.num_labels)
    for start in range(0, len(order), 128):
        some = order[start : start + 128]
        rows = [torch.tensor(ids[at]) for at in some]
        given = pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad_token_id).to(model.device)
        with torch.inference_mode():
            said = model(input_ids=given, attention_mask=given != tokenizer.pad_token_id).logits
        found[some] = said.float().cpu()
    return found


def predictor(model: Any, tokenizer: Any) -> Callable[[Sequence[str]], np.ndarray]:
    """Return what gives the probabilities of sentences: rows × labels."""

    def predict(texts: Sequence[str]) -> np.ndarray:
        found: np.ndarray = logits_of(model, tokenizer, texts).softmax(1).numpy()
        return found

    return predict


def classifier_marks(
    predict: Callable[[Sequence[str]], np.ndarray], rows: Labelled, threshold: float
) -> dict[str, float]:
    """Return the marks on the test sentences: accuracy, macro F1, calibration, and what the threshold does.

    `answered` is the share of sentences above the threshold, `answered_accuracy` how many of these are right,
    `outside_recall` the share of sentences outside all labels that fall below it.
    """
    from sklearn.metrics import accuracy_score, f1_score

    chances = predict([text for text, _ in rows.test])
    labels = np.array([label for _, label in rows.test])
    found, sure = chances.argmax(1), chances.max(1)
    above = sure >= threshold
    marks = {
        "accuracy": float(accuracy_score(labels, found)), "macro_f1": float(f1_score(labels, found, average="macro")),
        "ece": calibration_error(sure, found == labels), "answered": float(above.mean()),
        "answered_accuracy": float((found == labels)[above].mean()) if above.any() else 0.0,
    }  # fmt: skip
    if rows.outside_test:
        marks["outside_recall"] = float((predict(rows.outside_test).max(1) < threshold).mean())
    return {name: round(value, 4) for name, value in marks.items()}


def calibration_error(sure: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Return the expected calibration error (Naeini et al. 2015): |confidence − accuracy| over equal bins, 0 … 1."""
    at = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(float(sure[at == one].mean()) - float(right[at == one].mean())) * float((at == one).mean())
            for one in range(bins) if (at == one).any()]  # fmt: skip
    return sum(gaps)


def thresholded(chances: np.ndarray, labels: np.ndarray, outside: np.ndarray | None) -> float:
    """Return the probability below which a model should not answer, from its calibration sentences.

    With sentences outside the labels: as high as `KEPT` of those inside allow. Without: as low as answers that are
    right in `ACCURATE` of the cases allow.
    """
    sure = chances.max(1)
    if outside is not None:
        return float(np.quantile(sure, 1 - KEPT))
    right = chances.argmax(1) == labels
    for threshold in np.arange(0.5, 0.95, 0.01):
        kept = sure >= threshold
        if kept.any() and right[kept].mean() >= ACCURATE:
            return float(threshold)
    return 0.95


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of a few seeds' marks and half the width of its 95% interval (Student's t)."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, math.nan
    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return mean, float(t.ppf(0.975, len(values) - 1)) * spread


def main() -> None:
    """Measure the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds translation/, sentiment/, intents/")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model to measure")
    parser.add_argument("--sentences", type=int, default=0, help="only so many test sentences; 0: all")
    parser.add_argument("--validation", action="store_true", help="of a translator: the validation sentences")
    parser.add_argument("--write", action="store_true", help="of a translator: write its marks.json")
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, AutoTokenizer

    import models.text.nets.lstm_seq2seq  # noqa: F401 - registers the LSTM with the Auto classes

    config = json.loads((options.model / "config.json").read_text("utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    if config.get("is_encoder_decoder"):
        from training.text.pairs import load_pairs

        model = AutoModelForSeq2SeqLM.from_pretrained(options.model, dtype=torch.float32).eval()
        pairs = load_pairs(options.data)
        rows = (pairs.validation if options.validation else pairs.test)[: options.sentences or None]
        at = 1 if config["languages"][1] == "fr" else 0
        sources, references = [row[1 - at] for row in rows], [row[at] for row in rows]
        marks = translation_marks(sources, translate(model, tokenizer, sources), references)
        print(json.dumps(marks, indent=1))
        if options.write:
            write_marks(options.model, marks, {})
        return
    from training.text.labelled import load

    classifier = AutoModelForSequenceClassification.from_pretrained(options.model, dtype=torch.float32).eval()
    rows_of = load(options.data, "sentiment" if classifier.config.num_labels == 2 else "intent")
    print(json.dumps(classifier_marks(predictor(classifier, tokenizer), rows_of, config["threshold"]), indent=1))


if __name__ == "__main__":
    main()
