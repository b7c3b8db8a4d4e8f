"""Train image/emoji-caption: a picture → its name in words, by an LSTM and by a Transformer over one encoder.

    python -m training.image.emoji_caption --data ../shared/data --minutes 30
    python -m training.image.caption_card --data ../shared/data

Reads top to bottom: vocabulary, net, loss, training, export; the second command measures what was written and makes the
card. Everything is learnt from scratch on the seen pairs of `training.image.styles`: the judge's weights would be a
quicker start, but they have met the held-out names and pairs, and then to name such a pair would prove nothing.

Both decoders are trained at once: the encoder learns from the sum of their losses, each step shows both the same
augmented pictures, and they have about as many parameters. What their marks differ by is what the architecture does.

Architecture: `models/image/nets/captioner.py`.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from models.image.nets.captioner import WRITERS, Captioner, CaptionerConfig  # first: it mends torchaudio
from training import loop
from training.image.emoji import on_white
from training.image.emoji_judge import SIDE, Pictures
from training.image.styles import STYLES, StyleSet, load_styles
from training.optim import Average, Optimizers, has_bfloat16

LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.05
SMOOTHING = 0.05
DROPOUT = 0.1
BATCH = 64
EVERY = 200  # steps between points of the curve
CONTEXT = 16  # tokens; the longest name has 8
FOLDER = Path("models/embedded/emoji-caption")
FACTS = "training.json"  # what the training took; the marks are in marks.json
PAD, EOS, BOS, UNK, SEPARATOR = "<pad>", "</s>", "<s>", "<unk>", ","


def main() -> None:
    """Run the training that the command line asks for."""
    parser = loop.options(__doc__, str(FOLDER), 30.0, "emoji/ and emoji-styles/")
    parser.add_argument("--batch", type=int, default=BATCH, help="pictures of a step (default: %(default)s)")
    options = parser.parse_args()
    loop.prepare(options)
    styles = load_styles(options.data)
    tokenizer = make_tokenizer([styles.group(group).name for group in styles.base.train])
    model = make_model(tokenizer)
    if options.from_shipped:
        begin_from(model, tokenizer, options.shipped)
    print(f"{len(styles.seen):,} seen pairs, {len(styles.held_out)} held out, {len(tokenizer):,} words, "
          f"{sum(one.numel() for one in model.parameters()):,} parameters", flush=True)  # fmt: skip
    model.to(options.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average, facts = train(model, tokenizer, styles, options)
    export(averaged(model, average), tokenizer, options.out)
    facts |= {"hardware": loop.hardware(options.device), "bfloat16": has_bfloat16(options.device),
              "seed": options.seed, "batch": options.batch}  # fmt: skip
    (options.out / FACTS).write_text(json.dumps(facts))


def make_tokenizer(names: Sequence[str]) -> Any:
    """Return a tokenizer of whole words, those of the training names and the styles; the comma is a word."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for name in names for word in name.split()} - set(STYLES))
    listed = [PAD, EOS, BOS, UNK, SEPARATOR, *STYLES, *words]
    core = Tokenizer(models.WordLevel({word: at for at, word in enumerate(listed)}, unk_token=UNK))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.decoder = decoders.WordPiece("##", cleanup=False)  # words with spaces between them
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=PAD, eos_token=EOS, bos_token=BOS, unk_token=UNK, model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def make_model(tokenizer: Any) -> Captioner:
    """Return an untrained net for the tokenizer's words."""
    from transformers import GenerationConfig

    ends = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": tokenizer.bos_token_id, "decoder_start_token_id": tokenizer.bos_token_id}  # fmt: skip
    model = Captioner(CaptionerConfig(
        vocab_size=len(tokenizer), max_position_embeddings=CONTEXT, dropout=DROPOUT, writers=list(WRITERS),
        styles=list(STYLES), separator_token_id=tokenizer.convert_tokens_to_ids(SEPARATOR), **ends,
    ))  # fmt: skip
    never = [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.unk_token_id]
    ending = [tokenizer.eos_token_id, model.config.separator_token_id]  # no caption begins with its end
    model.generation_config = GenerationConfig(
        max_length=CONTEXT, suppress_tokens=never, begin_suppress_tokens=ending, use_cache=False, **ends
    )
    return model


def begin_from(model: Captioner, tokenizer: Any, folder: Path) -> None:
    """Take a trained captioner's weights. Raises `SystemExit` where its words are others."""
    from transformers import AutoTokenizer

    if AutoTokenizer.from_pretrained(folder).get_vocab() != tokenizer.get_vocab():
        raise SystemExit("The shipped captioner has other words than the data: leave out --from-shipped.")
    model.load_state_dict(Captioner.from_pretrained(folder, dtype=torch.float32).state_dict())


def caption(name: str, style: int) -> str:
    """Return what is to be written of a pair, as the tokenizer reads it: "pizza , 3d"."""
    return f"{name} {SEPARATOR} {STYLES[style]}"


def labels_of(tokenizer: Any, styles: StyleSet, pairs: Sequence[tuple[int, int]]) -> torch.Tensor:
    """Return the pairs' captions as ids, int64, pairs × longest, each with its end, -100 behind it."""
    texts = [caption(styles.group(group).name, style) for group, style in pairs]
    rows = [torch.tensor([*ids, tokenizer.eos_token_id]) for ids in tokenizer(texts)["input_ids"]]
    return pad_sequence(rows, batch_first=True, padding_value=-100)


def losses(model: Captioner, pictures: torch.Tensor, labels: torch.Tensor, smoothing: float) -> dict[str, torch.Tensor]:
    """Return each decoder's mean loss in nats per word, by name (float32 scalars)."""
    kind = pictures.device.type
    with torch.autocast(kind, torch.bfloat16, enabled=has_bfloat16(kind)):
        encoded = model.encoder(pictures)
        scores = logits_of(model, encoded, labels)
    return {writer: F.cross_entropy(found.flatten(0, 1).float(), labels.flatten(), label_smoothing=smoothing)
            for writer, found in scores.items()}  # fmt: skip


def logits_of(model: Captioner, encoded: Any, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return each decoder's logits (batch × words × vocabulary) where it is told the words before each."""
    first = torch.full_like(labels[:, :1], model.config.decoder_start_token_id)
    given = torch.cat([first, labels[:, :-1]], 1)
    given = given.masked_fill(given == -100, model.config.pad_token_id)
    return {writer: model(encoder_outputs=encoded, decoder_input_ids=given, writer=writer).logits for writer in WRITERS}


def train(
    model: Captioner, tokenizer: Any, styles: StyleSet, options: argparse.Namespace
) -> tuple[Average, dict[str, Any]]:
    """Train until the minutes are used; return the averaged weights, and steps, pictures, minutes and the curve."""
    device, batch = options.device, getattr(options, "batch", BATCH)
    optimizers = Optimizers(model, LEARNING_RATE, WEIGHT_DECAY, edges=("stem", "score"))
    average = Average(model, 0.999)
    generator = torch.Generator(device).manual_seed(options.seed)
    pictures = Pictures(styles, device)
    pairs, labels = torch.tensor(styles.seen, device=device), labels_of(tokenizer, styles, styles.seen).to(device)
    unseen = styles.held_out, labels_of(tokenizer, styles, styles.held_out).to(device)
    run = loop.Run(options, EVERY, "pictures", decay_from=0.3, model=model, optimizers=optimizers, average=average,
                   generator=generator)  # fmt: skip
    model.train()
    for rate in run:
        drawn = torch.randint(len(pairs), (batch,), generator=generator, device=device)
        groups, asked = pairs[drawn].unbind(1)
        shown, _ = pictures.draw(groups, generator, asked)
        wanted = labels[drawn]
        wanted = wanted[:, : int((wanted != -100).sum(1).max())]
        found = losses(model, shown.contiguous(memory_format=torch.channels_last), wanted, SMOOTHING)
        sum(found.values(), torch.zeros((), device=device)).backward()
        optimizers.step(rate)
        average.update(model)
        if run.count(batch, **found):
            run.note(**told(averaged(model, average), styles, *unseen))
    return average, run.facts()


def averaged(model: Captioner, average: Average) -> Captioner:
    """Return a copy of the model with the averaged weights, in evaluation mode."""
    other = copy.deepcopy(model)
    other.load_state_dict(average.weights)
    return other.eval()  # type: ignore[no-any-return]


@torch.inference_mode()
def told(
    model: Captioner, styles: StyleSet, pairs: Sequence[tuple[int, int]], labels: torch.Tensor
) -> dict[str, float]:
    """Return for each decoder the share of pairs, as their plainest file on white, whose name it writes word for word.

    The likeliest word each time, up to the comma: that each is right when told those before is the same.
    """
    files = [styles.files[style][group][0] for group, style in pairs]
    name = (labels != model.config.separator_token_id).cumprod(1).bool()
    name |= labels == model.config.separator_token_id
    right = dict.fromkeys(WRITERS, 0)
    for some in torch.arange(len(files)).split(128):
        shown = on_white(styles.pixels[torch.tensor(files)[some]]).to(labels.device)
        encoded = model.encoder(shown)
        for writer, scores in logits_of(model, encoded, labels[some]).items():
            same = (scores.argmax(-1) == labels[some]) | ~name[some]
            right[writer] += int(same.all(1).sum())
    return {f"{writer}_unseen_pairs": count / max(1, len(files)) for writer, count in right.items()}


def export(model: Captioner, tokenizer: Any, out: Path) -> None:
    """Write config, fp16 safetensors, tokenizer and how pictures are given to the model, in Hugging Face layout."""
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    out.mkdir(parents=True, exist_ok=True)
    kept = copy.deepcopy(model).cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    kept.half().save_pretrained(out)
    tokenizer.save_pretrained(out)
    half = [0.5] * 3
    ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}, image_mean=half, image_std=half).save_pretrained(out)


if __name__ == "__main__":
    main()
