"""Pretrain the small encoder that text/sentiment and text/intent begin from, on text without labels.

    python -m training.text.encoder --data ../shared/data --minutes 20

A masked language model (Devlin et al. 2019): 15 of 100 tokens are hidden and guessed. Writes no model that ships: the
checkpoint in `--work` is what `training.text.classify` begins with.

Architecture: ELECTRA's layout (Clark et al. 2020), whose word vectors are narrower than its layers. Tokens: BPE over
small letters (Sennrich et al. 2016), with dropped merges while it learns (Provilkov et al. 2020).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from training import loop
from training.optim import Average, Optimizers, has_bfloat16
from training.text.labelled import unlabelled

VOCABULARY = 5120
CONTEXT = 128
BATCH_TOKENS = 4096
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.05
MERGE_DROPOUT = 0.1
MASKED = 0.15
SPECIAL = PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
# how often a source's text comes among ten: what is like the tasks' sentences comes more often than its size
SHARES = {"sentiment": 3, "intents": 3, "sentences": 1, "questions": 1, "stories": 1, "tales": 1}


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, "task-encoder", 20.0, "stories/, stories-extra/, translation/, …", begins=False)
    parser.add_argument("--log-every", type=int, default=250, help="steps between measurements (default: 250)")
    options = parser.parse_args()
    loop.prepare(options)
    texts = unlabelled(options.data)
    print({name: len(rows) for name, rows in texts.items()}, flush=True)
    tokenizer = make_tokenizer(texts, options.work)
    train(tokenizer, texts, options)


def make_tokenizer(texts: Mapping[str, Sequence[str]], work: Path, vocabulary: int = VOCABULARY) -> Any:
    """Return a BPE tokenizer over small letters; sources count by `SHARES`, each with at most 20,000 texts."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    file = work / "tokenizer.json"
    if not file.exists():
        core = Tokenizer(models.BPE(unk_token=UNK, end_of_word_suffix="</w>"))
        core.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Lowercase(), normalizers.NFD(), normalizers.StripAccents()]
        )
        core.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=True)]
        )
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=list(SPECIAL), show_progress=False, end_of_word_suffix="</w>"
        )
        core.train_from_iterator(
            (text for name, rows in texts.items() for text in list(rows)[:20_000] for _ in range(SHARES.get(name, 1))),
            trainer,
        )
        core.post_processor = processors.TemplateProcessing(
            single=f"{CLS} $A {SEP}", special_tokens=[(one, SPECIAL.index(one)) for one in (CLS, SEP)]
        )
        core.save(str(file))
    return PreTrainedTokenizerFast(
        tokenizer_file=str(file), pad_token=PAD, unk_token=UNK, cls_token=CLS, sep_token=SEP, mask_token=MASK,
        model_max_length=CONTEXT, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def config(tokenizer: Any, **more: Any) -> Any:
    """Return the net's configuration; `more` are labels, dropout and what else a task needs."""
    from transformers import ElectraConfig

    return ElectraConfig(**{
        "vocab_size": len(tokenizer), "embedding_size": 64, "hidden_size": 128, "num_hidden_layers": 3,
        "num_attention_heads": 4, "intermediate_size": 512, "max_position_embeddings": CONTEXT, "type_vocab_size": 1,
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.0, "pad_token_id": tokenizer.pad_token_id,
        **more,
    })  # fmt: skip


def encode(tokenizer: Any, texts: Iterable[str], dropout: float = 0.0) -> list[list[int]]:
    """Return each text's ids, cut to the context; with `dropout` of merges, by chance other ones each time."""
    model = tokenizer.backend_tokenizer.model
    model.dropout = dropout or None
    rows = tokenizer(list(texts), truncation=True, max_length=CONTEXT, return_attention_mask=False)["input_ids"]
    model.dropout = None
    return list(rows)


def padded(rows: Sequence[Sequence[int]], pad: int) -> torch.Tensor:
    """Return ids, int64, rows × longest, filled with `pad` on the right."""
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=pad)


class Mixture:
    """Deal rows of ids of several sources by their shares, a batch of like lengths at a time."""

    def __init__(self, tokenizer: Any, texts: Mapping[str, Sequence[str]], choice: random.Random) -> None:
        self._tokenizer, self._texts, self._choice = tokenizer, texts, choice
        self._waiting: list[Any] = []

    def __next__(self) -> list[list[int]]:
        """Return the next batch."""
        if not self._waiting:
            names = self._choice.choices(list(self._texts), [SHARES.get(name, 1) for name in self._texts], k=8192)
            rows = encode(self._tokenizer, [self._choice.choice(self._texts[name]) for name in names], MERGE_DROPOUT)
            self._waiting = by_length(rows, BATCH_TOKENS, self._choice)
        batch: list[list[int]] = self._waiting.pop()
        return batch

    def state_dict(self) -> dict[str, Any]:
        """Return the batches that are drawn and not yet dealt."""
        return {"waiting": self._waiting}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._waiting = list(state["waiting"])


def by_length(rows: Sequence[Any], tokens: int, choice: random.Random) -> list[list[Any]]:
    """Cut rows into batches of like lengths that hold at most `tokens` when padded; the batches in any order."""
    batches: list[list[Any]] = [[]]
    for row in sorted(rows, key=len):
        if batches[-1] and (len(batches[-1]) + 1) * len(row) > tokens:
            batches.append([])
        batches[-1].append(row)
    choice.shuffle(batches)
    return batches


def masked(ids: torch.Tensor, tokenizer: Any, chance: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids with `MASKED` of the words' tokens hidden (8 of 10 as [MASK], 1 as any token), and which they are."""
    words = ids >= len(SPECIAL)
    hidden = words & (torch.rand(ids.shape, generator=chance) < MASKED)
    kind = torch.rand(ids.shape, generator=chance)
    given = ids.clone()
    given[hidden & (kind < 0.8)] = tokenizer.mask_token_id
    other = hidden & (kind >= 0.9)
    given[other] = torch.randint(len(SPECIAL), len(tokenizer), (int(other.sum()),), generator=chance)
    return given, hidden


def loss_of(model: Any, given: torch.Tensor, ids: torch.Tensor, hidden: torch.Tensor, pad: int) -> torch.Tensor:
    """Return the mean loss in nats per hidden token."""
    kind = ids.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=has_bfloat16(kind)):
        states = model.electra(input_ids=given, attention_mask=given != pad).last_hidden_state
        logits = model.generator_lm_head(model.generator_predictions(states[hidden]))
    return F.cross_entropy(logits.float(), ids[hidden])


def train(tokenizer: Any, texts: Mapping[str, Sequence[str]], options: argparse.Namespace) -> Any:
    """Train until the minutes are used; return the net with the averaged weights, which the checkpoint holds too."""
    from transformers import ElectraForMaskedLM

    choice = loop.draws(options)
    chance = torch.Generator().manual_seed(options.seed)
    texts = {name: rows for name, rows in texts.items() if rows}
    held = {name: choice.sample(range(len(rows)), min(40, len(rows) // 20)) for name, rows in texts.items()}
    kept = {name: [row for at, row in enumerate(rows) if at not in set(held[name])] for name, rows in texts.items()}
    model = ElectraForMaskedLM(config(tokenizer)).to(options.device).train()
    optimizers = Optimizers(model, LEARNING_RATE, WEIGHT_DECAY, ("generator_lm_head",))
    average = Average(model, 0.999)
    feed = Mixture(tokenizer, kept, choice)
    run = loop.Run(options, options.log_every, "tokens", decay_from=0.5, model=model, optimizers=optimizers,
                   average=average, feed=feed, choice=choice, chance=chance)  # fmt: skip
    check = [encode(tokenizer, [texts[name][at] for at in rows]) for name, rows in held.items() if rows]
    pad = tokenizer.pad_token_id
    for rate in run:
        ids = padded(next(feed), pad)
        given, hidden = masked(ids, tokenizer, chance)
        loss = loss_of(model, *(one.to(options.device) for one in (given, ids, hidden)), pad)
        loss.backward()
        optimizers.step(rate)
        average.update(model)
        if run.count(int((ids != pad).sum()), loss=loss):
            run.note(held_out=_validate(model, average, tokenizer, check))
    model.load_state_dict(average.weights)
    print({name: value for name, value in run.facts().items() if name != "curve"})
    return model.eval()


@torch.inference_mode()
def _validate(model: Any, average: Average, tokenizer: Any, check: Sequence[Sequence[Any]]) -> float:
    """Return the loss on held-out text of every source, by the averaged weights, always with the same masks."""
    own = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(average.weights)
    model.eval()
    chance = torch.Generator().manual_seed(1)
    losses = []
    for rows in check:
        ids = padded(rows, tokenizer.pad_token_id)
        given, hidden = masked(ids, tokenizer, chance)
        device = model.device
        losses.append(float(loss_of(model, given.to(device), ids.to(device), hidden.to(device),
                                    tokenizer.pad_token_id)))  # fmt: skip
    model.load_state_dict(own)
    model.train()
    return sum(losses) / len(losses)


def pretrained(work: Path) -> dict[str, torch.Tensor]:
    """Return the encoder's averaged weights out of a checkpoint, by their names below `electra.`; {} without one."""
    content = loop.resume(work / "latest.pt")
    if content is None:
        return {}
    weights = content["parts"]["average"]["weights"]
    return {name.removeprefix("electra."): value for name, value in weights.items() if name.startswith("electra.")}


if __name__ == "__main__":
    main()
