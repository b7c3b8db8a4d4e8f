"""Train text/translate-en-fr and text/translate-fr-en, small Marian-style translators, and text/translate-lstm-en-fr.

    python -m training.text.translate --data ../shared/data --to fr --minutes 90
    python -m training.text.translate --data ../shared/data --to fr --minutes 40 --net lstm

Reads top to bottom: tokenizer, net, loss, training, export. Interrupt it at any time: the next call continues from the
checkpoint in `--work`.

Architecture: MarianMT (Junczys-Dowmunt et al. 2018), an encoder and decoder Transformer with one vocabulary for both
languages, tied embeddings and a deep encoder beside a shallow decoder (Kasai et al. 2021), which costs little when each
token is written. Hidden matrices learn by Muon, embeddings and norms by AdamW; labels are smoothed by 0.1 (Szegedy et
al. 2016); what ships is the moving average of the weights.

`--net lstm` is what translated before: LSTMs with attention (`models/text/nets/lstm_seq2seq.py`) of about as many
parameters, with the tokenizer of the Transformer that ships, the same pairs and batches. All that differs is the net:
what the marks differ by is what the architecture does.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from training import loop
from training.optim import Average, Optimizers, has_bfloat16
from training.text.evaluate_tasks import translate, translation_marks
from training.text.pairs import HELD_OUT, Batches, Pairs, load_pairs
from training.text.task_cards import write_translator

VOCABULARY = 4096
CONTEXT = 128  # tokens: four times the longest sentence but a few of the data
BATCH_TOKENS = 5120  # of source and target together
WEIGHT_DECAY = 0.05
SMOOTHING = 0.1
SIZES = {"marian": {"hidden": 192, "encoder_layers": 4, "decoder_layers": 2, "dropout": 0.1, "learning_rate": 3e-3},
         "lstm": {"hidden": 336, "encoder_layers": 2, "decoder_layers": 1, "dropout": 0.1,
                  "learning_rate": 1e-2}}  # fmt: skip
PAD, EOS, UNK = "<pad>", "</s>", "<unk>"
LANGUAGES = ("en", "fr")


def main() -> None:
    """Run the training that the command line asks for."""
    options = read_options()
    loop.prepare(options)
    pairs = load_pairs(options.data, options.held_out)
    print(f"{len(pairs.train):,} training pairs, {len(pairs.validation):,} and {len(pairs.test):,} held out, "
          f"{pairs.dropped:,} with held-out French dropped", flush=True)  # fmt: skip
    if options.tokenizer:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    else:
        tokenizer = make_tokenizer([side for pair in pairs.train for side in pair], options.work)
    make = make_lstm if options.net == "lstm" else make_model
    model = make(tokenizer, options.hidden, options.encoder_layers, options.decoder_layers, options.dropout)
    print(f"{learnt(model):,} parameters", flush=True)
    model.config.task = "translation"
    model.config.languages = [LANGUAGES[LANGUAGES.index(options.to) - 1], options.to]  # read, written
    average, facts = train(model.to(options.device), tokenizer, pairs, options)
    write_weights(averaged(model, average), tokenizer, options.out)
    report(tokenizer, pairs, facts, options)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    early = argparse.ArgumentParser(add_help=False)
    early.add_argument("--to", choices=LANGUAGES, default="fr")
    early.add_argument("--net", choices=tuple(SIZES), default="marian")
    chosen = early.parse_known_args()[0]
    target, recurrent = chosen.to, chosen.net == "lstm"
    way = f"{LANGUAGES[LANGUAGES.index(target) - 1]}-{target}"
    transformer = Path(f"models/embedded/translate-{way}")
    out = f"models/embedded/translate-lstm-{way}" if recurrent else str(transformer)
    parser = loop.options(__doc__, out, 40.0 if recurrent else 90.0, "translation/", begins=False)
    parser.set_defaults(**SIZES[chosen.net])
    parser.add_argument("--to", choices=LANGUAGES, default="fr", help="language that is written (default: fr)")
    parser.add_argument("--net", choices=tuple(SIZES), default="marian", help="architecture (default: marian)")
    parser.add_argument("--hidden", type=int, help="width of the net, of the LSTM's decoder (here: %(default)s)")
    parser.add_argument("--encoder-layers", type=int, help="depth of the encoder (here: %(default)s)")
    parser.add_argument("--decoder-layers", type=int, help="depth of the decoder (here: %(default)s)")
    parser.add_argument("--dropout", type=float, help="more for more passes (here: %(default)s)")
    parser.add_argument("--learning-rate", type=float, help="before it falls (here: %(default)s)")
    parser.add_argument("--tokenizer", type=Path, default=transformer if recurrent else None,
                        help="model whose tokenizer is used; none: one is trained (here: %(default)s)")  # fmt: skip
    parser.add_argument("--batch-tokens", type=int, default=BATCH_TOKENS, help="of both sides (default: %(default)s)")
    parser.add_argument("--merge-dropout", type=float, default=0.0, help="of the tokenizer's merges; 0.1: many passes")
    parser.add_argument("--average", type=float, default=0.999, help="share of the average kept at each step")
    parser.add_argument("--held-out", type=int, default=HELD_OUT, help="English sentences of test and validation each")
    parser.add_argument("--log-every", type=int, default=250, help="steps between measurements (default: 250)")
    return parser.parse_args()


def make_tokenizer(sentences: Iterable[str], work: Path, vocabulary: int = VOCABULARY) -> Any:
    """Return a BPE tokenizer (Sennrich et al. 2016), trained on the training sentences of both languages alone.

    Digits and signs never share a token with letters, and an apostrophe ends one: "l'" + "ami", "I'" + "m".
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    file = work / "tokenizer.json"
    if not file.exists():
        core = Tokenizer(models.BPE(unk_token=UNK))
        core.normalizer = normalizers.Sequence([
            normalizers.NFKC(), normalizers.Replace(Regex("[‘’]"), "'"),
            normalizers.Replace(Regex("[\u00ad\u200b\ufeff]"), ""), normalizers.Replace(Regex(r"\s+"), " "),
        ])  # fmt: skip
        core.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Metaspace(), pre_tokenizers.Split("'", "merged_with_previous"),
            pre_tokenizers.Split(Regex(r"▁?[^\p{L}\p{M}▁']"), "isolated"),
        ])  # fmt: skip
        core.decoder = decoders.Metaspace()
        trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=[PAD, EOS, UNK], show_progress=False)
        core.train_from_iterator(sentences, trainer)
        core.post_processor = processors.TemplateProcessing(single=f"$A {EOS}", special_tokens=[(EOS, 1)])
        core.save(str(file))
    return PreTrainedTokenizerFast(
        tokenizer_file=str(file), eos_token=EOS, pad_token=PAD, unk_token=UNK, model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def make_model(tokenizer: Any, hidden: int, encoder_layers: int, decoder_layers: int, dropout: float) -> Any:
    """Return an untrained MarianMT whose heads are at least 32 wide."""
    from transformers import GenerationConfig, MarianConfig, MarianMTModel

    heads = max(1, hidden // 48)
    pad = tokenizer.pad_token_id
    config = MarianConfig(
        vocab_size=len(tokenizer), d_model=hidden, encoder_layers=encoder_layers, decoder_layers=decoder_layers,
        encoder_ffn_dim=2 * hidden, decoder_ffn_dim=2 * hidden, encoder_attention_heads=heads,
        decoder_attention_heads=heads, max_position_embeddings=CONTEXT, activation_function="silu", dropout=dropout,
        attention_dropout=0.0, activation_dropout=0.0, init_std=hidden**-0.5, scale_embedding=True,
        pad_token_id=pad, eos_token_id=tokenizer.eos_token_id, decoder_start_token_id=pad, bos_token_id=None,
        forced_eos_token_id=None,
    )  # fmt: skip
    model = MarianMTModel(config)
    for part in (model.get_encoder(), model.get_decoder()):  # sines: they are computed, and no file holds them
        part.embed_positions.weight.requires_grad_(False)
    model.generation_config = GenerationConfig(
        num_beams=4, max_length=CONTEXT, bad_words_ids=[[pad]], decoder_start_token_id=pad, pad_token_id=pad,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    for name, weight in model.named_parameters():
        if weight.ndim == 2 and "embed" not in name and "shared" not in name:
            torch.nn.init.xavier_uniform_(weight)
    return model


def make_lstm(tokenizer: Any, hidden: int, encoder_layers: int, decoder_layers: int, dropout: float) -> Any:
    """Return an untrained LSTM encoder-decoder with attention, `hidden` wide in its decoder."""
    from transformers import GenerationConfig

    from models.text.nets.lstm_seq2seq import LSTMForSeq2SeqLM, LSTMSeq2SeqConfig

    ends = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id,
            "decoder_start_token_id": tokenizer.pad_token_id}  # fmt: skip
    model = LSTMForSeq2SeqLM(LSTMSeq2SeqConfig(
        vocab_size=len(tokenizer), embedding_size=round(hidden / 1.75), hidden_size=hidden,
        encoder_layers=encoder_layers, decoder_layers=decoder_layers, dropout=dropout,
        max_position_embeddings=CONTEXT, **ends,
    ))  # fmt: skip
    model.generation_config = GenerationConfig(
        num_beams=4, max_length=CONTEXT, bad_words_ids=[[tokenizer.pad_token_id]], **ends
    )
    return model


def learnt(model: Any) -> int:
    """Return the number of parameters that are learnt."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def padded(rows: Sequence[Sequence[int]], pad: int) -> torch.Tensor:
    """Return ids, int64, rows × longest, filled with `pad` on the right."""
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=pad)


def loss_of(model: Any, sources: torch.Tensor, targets: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Return the mean loss in nats per target token; `sources` and `targets` are ids that end with `</s>`, padded."""
    pad = model.config.pad_token_id
    given = torch.cat([torch.full_like(targets[:, :1], pad), targets[:, :-1]], 1)  # what is written so far
    kind = sources.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=has_bfloat16(kind)):
        states = model.model(input_ids=sources, attention_mask=sources != pad, decoder_input_ids=given,
                             use_cache=False).last_hidden_state  # fmt: skip
        kept = targets != pad
        logits = model.lm_head(states[kept]) + model.final_logits_bias  # tokens × vocabulary
    return F.cross_entropy(logits.float(), targets[kept], label_smoothing=smoothing)


def speller(tokenizer: Any, pairs: Sequence[tuple[str, str]], target: str, dropout: float) -> Any:
    """Return a function that gives the ids of all sources and all targets, each ending with `</s>`.

    With `dropout` each call leaves out other merges of the tokenizer (BPE-dropout, Provilkov et al. 2020).
    """
    at = LANGUAGES.index(target)
    sides = [pair[1 - at] for pair in pairs], [pair[at] for pair in pairs]
    kept: list[list[list[int]]] = []

    def spell() -> list[list[list[int]]]:
        if not kept or dropout:
            tokenizer.backend_tokenizer.model.dropout = dropout or None
            kept[:] = [tokenizer(side, return_attention_mask=False)["input_ids"] for side in sides]
            tokenizer.backend_tokenizer.model.dropout = None
        return [[row if len(row) <= CONTEXT else [*row[: CONTEXT - 1], row[-1]] for row in side] for side in kept]

    return spell


def train(model: Any, tokenizer: Any, pairs: Pairs, options: argparse.Namespace) -> tuple[Average, dict[str, Any]]:
    """Train until the minutes are used; return the averaged weights, and steps, tokens, minutes and the curve."""
    choice = loop.draws(options)
    pad, device = tokenizer.pad_token_id, options.device
    batches = Batches(speller(tokenizer, pairs.train, options.to, options.merge_dropout), options.batch_tokens, choice)
    held_out = Batches(speller(tokenizer, pairs.validation, options.to, 0.0), 8192, loop.draws(options)).one_pass()
    optimizers = Optimizers(model, options.learning_rate, WEIGHT_DECAY, ("shared", "lm_head"))
    average = Average(model, options.average)
    run = loop.Run(options, options.log_every, "tokens", warm_up=200, decay_from=0.4, model=model,
                   optimizers=optimizers, average=average, batches=batches, choice=choice)  # fmt: skip
    model.train()
    for rate in run:
        sources, targets = (padded(rows, pad) for rows in next(batches))
        loss = loss_of(model, sources.to(device), targets.to(device), SMOOTHING)
        loss.backward()
        optimizers.step(rate)
        average.update(model)
        if run.count(int((targets != pad).sum()), loss=loss):
            run.note(held_out=validate(averaged(model, average), held_out))
    return average, run.facts()


def averaged(model: Any, average: Average) -> Any:
    """Return a copy of the model with the averaged weights, in evaluation mode."""
    other = copy.deepcopy(model)
    other.load_state_dict(average.weights)
    return other.eval()


@torch.inference_mode()
def validate(model: Any, batches: Sequence[tuple[list[list[int]], list[list[int]]]]) -> float:
    """Return the mean loss of held-out targets, in nats per token, without smoothing."""
    pad, device = model.config.pad_token_id, model.device
    total = count = 0.0
    for sources, targets in batches:
        tokens = sum(map(len, targets))
        total += tokens * float(loss_of(model, padded(sources, pad).to(device), padded(targets, pad).to(device), 0.0))
        count += tokens
    return total / count


def report(tokenizer: Any, pairs: Pairs, facts: dict[str, Any], options: argparse.Namespace) -> None:
    """Measure the shipped bytes on the test sentences, and write the card."""
    from transformers import AutoModelForSeq2SeqLM

    shipped = AutoModelForSeq2SeqLM.from_pretrained(options.out, dtype=torch.float32).eval().to(options.device)
    at = LANGUAGES.index(options.to)
    sources, references = [pair[1 - at] for pair in pairs.test], [pair[at] for pair in pairs.test]
    found = translate(shipped, tokenizer, sources)
    samples = list(zip(sources, found, references, strict=True))[:10]
    write_translator(options, pairs, shipped, facts, translation_marks(sources, found, references), samples)


def write_weights(model: Any, tokenizer: Any, out: Path) -> None:
    """Write config, fp16 safetensors and tokenizer in Hugging Face layout."""
    out.mkdir(parents=True, exist_ok=True)
    copy.deepcopy(model).cpu().half().save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    main()
