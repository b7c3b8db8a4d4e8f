"""Train audio/digit-recogniser: hears digits in recordings of people and writes them down.

    python -m training.audio.digit_recogniser --data ../shared/data --minutes 25

It learns from rows of one to six digits put together from single recordings of people and of voices of espeak-ng, with
pauses, other loudness, speed and colour of sound, noise and room: so that a microphone's recording of "four, zero,
seven" is not new to it. Nearly a quarter of the rows are talk or noise, in which nothing is to be heard. CTC (Graves
et al. 2006) finds by itself which frames are which digit.

The frequency axis is stretched and moved a little for each row, as other throats would (Jaitly & Hinton 2013), and
stretches of bands and frames are blanked (SpecAugment, Park et al. 2019). With `--from-shipped` the blocks that the
shipped weights lack begin as identities (Net2Net, Chen et al. 2016).
"""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from training import loop
from training.audio import voices
from training.audio.digits import RATE, Digits, Take, load_digits
from training.optim import Average, Optimizers

LEARNING_RATE = 2e-3
BATCH = 32
EVERY = 100  # steps between measurements
BLOCKS = 6
LABELS = ("<pad>", *"0123456789")
Row = tuple[torch.Tensor, list[int]]  # a sound and its digits


def main() -> None:
    """Run the training that the command line asks for."""
    options = loop.options(__doc__, "models/embedded/digit-recogniser", 15.0, "digits/ and stories/").parse_args()
    loop.prepare(options)
    from models.audio.nets.speech_ctc import SpeechCTC, SpeechCTCConfig

    digits = load_digits(options.data)
    model = SpeechCTC(SpeechCTCConfig(num_blocks=BLOCKS))
    if options.from_shipped:
        take_over(model, SpeechCTC.from_pretrained(options.shipped).float())
    print(f"{sum(one.numel() for one in model.parameters()):,} parameters", flush=True)
    facts = train(model, digits, made(options.data), options)
    export(model, digits, facts, options)


@dataclass
class Made:
    """Hold what espeak-ng said: single digits and rows of them to learn from, talk without a number, and digits of
    other voices by which the training is watched.
    """

    takes: list[Take]
    rows: list[Row]
    talk: list[torch.Tensor]
    watched: list[Take]


def made(data: Path) -> Made:
    """Return what the learnt voices say, from the sentences in `data`."""
    texts = voices.sentences(data)[1000:1500]
    words = sorted({word.strip(".,!?'").lower() for text in texts for word in text.split()} - voices.SOUND_ALIKE)
    own = voices.LEARNT, voices.LEARNT_ACCENTS
    return Made(
        voices.singles(*own, 5, 1), voices.rows(*own, 1000, 2), voices.spoken([*texts, *words[:800]], *own, 3),
        voices.singles(voices.CHOSEN_BY, voices.LEARNT_ACCENTS, 2, 4),
    )  # fmt: skip


def take_over(model: Any, shipped: Any) -> None:
    """Give the model the shipped weights; each block beyond theirs adds nothing as yet."""
    missing, _ = model.load_state_dict(shipped.state_dict(), strict=False)
    for name in missing:
        if ".back." in name:
            torch.nn.init.zeros_(model.get_parameter(name))


def drawn(digits: Digits, said: Made, choice: random.Random, chance: torch.Generator) -> Row:
    """Return one row to learn from."""
    kind = choice.random()
    if kind < 0.36:  # cut out closely, as recordings are that somebody has: its mean is that of the word alone
        if kind < 0.26:
            take = choice.choice(digits.train if choice.random() < 0.75 else said.takes)
            sound, labels = take.sound, [take.digit]
        else:
            sound, labels = choice.choice(said.talk)[: 2 * RATE], []
        hiss = torch.randn(len(sound), generator=chance) * 10 ** choice.uniform(-5, -2)
        return changed_speed((sound + hiss) * choice.uniform(0.1, 1.0), choice.uniform(0.85, 1.25)), labels
    if kind < 0.62:
        sound, labels = row(digits.train, choice, chance)
    elif kind < 0.74:
        sound, labels = row(said.takes, choice, chance)
    elif kind < 0.77:
        sound, labels = row([*choice.choices(digits.train, k=20), *choice.choices(said.takes, k=20)], choice, chance)
    elif kind < 0.87:
        sound, labels = choice.choice(said.rows)
        quiet = torch.zeros(int(RATE * choice.uniform(0.0, 0.4)))
        sound = spoilt(torch.cat([quiet, sound, quiet[::2]]), choice, chance)
    else:
        labels = []
        sound = choice.choice(said.talk) if choice.random() < 0.7 else voices.noises(
            (choice.choice(voices.NOISES_LEARNT),), 1, choice.randrange(2**31))[0]  # fmt: skip
        sound = spoilt(sound[: 3 * RATE], choice, chance)
    if choice.random() < 0.5:
        sound = changed_speed(sound, choice.uniform(0.85, 1.3))
    if choice.random() < 0.25:
        noise = voices.noises((choice.choice(voices.NOISES_LEARNT),), 1, choice.randrange(2**31), len(sound) / RATE)[0]
        sound = voices.mixed(sound, noise, choice.uniform(5, 25))
    return sound * choice.uniform(0.3, 1.0), labels


def batches(digits: Digits, said: Made, choice: random.Random, chance: torch.Generator) -> list[Any]:
    """Return four batches of rows that are about as long as one another, so that little of a batch is padding."""
    rows = sorted((drawn(digits, said, choice, chance) for _ in range(4 * BATCH)), key=lambda row: len(row[0]))
    found = [collate(rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)]
    choice.shuffle(found)
    return found


def hidden_parts(mel: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
    """Return log-mels (batch × bands × frames) as another throat would give them, stretches of them blanked."""
    count, bands, frames = mel.shape

    def uniform(low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(count, 1, generator=chance)

    place = torch.arange(bands) * uniform(0.86, 1.16) + uniform(-2.0, 2.0)  # batch × bands
    place = place.clamp(0, bands - 1.001)
    below = place.floor().long()
    share = (place - below)[:, :, None]
    low, high = (mel.gather(1, at[:, :, None].expand(-1, -1, frames)) for at in (below, below + 1))
    mel = low * (1 - share) + high * share
    for axis, most in ((1, 10), (2, 14), (2, 14)):
        start = torch.rand(count, 1, generator=chance) * mel.shape[axis]
        at = torch.arange(mel.shape[axis])
        gone = (at >= start) & (at < start + torch.rand(count, 1, generator=chance) * most)  # batch × bands or frames
        mel = mel.masked_fill(gone[:, :, None] if axis == 1 else gone[:, None, :], 0.0)
    return mel


def row(takes: list[Take], choice: random.Random, chance: torch.Generator) -> tuple[torch.Tensor, list[int]]:
    """Return a row of digits as one recording, and its digits."""
    parts, labels = [], []
    one_voice = choice.random() < 0.7
    voice = choice.choice(takes).speaker
    pool = [take for take in takes if take.speaker == voice] if one_voice else takes
    for _ in range(choice.choice((1, 1, 2, 3, 4, 6)) if choice.random() < 0.97 else 0):
        take = choice.choice(pool)
        sound = changed_speed(take.sound, choice.uniform(0.85, 1.18)) * choice.uniform(0.5, 1.0)
        parts += [torch.zeros(int(RATE * choice.choice((0.0, 0.03, 0.1, choice.uniform(0, 0.5))))), sound]
        labels.append(take.digit)
    parts.append(torch.zeros(int(RATE * choice.uniform(0.02, 0.4))))
    return spoilt(torch.cat(parts), choice, chance), labels


def changed_speed(sound: torch.Tensor, speed: float) -> torch.Tensor:
    """Return the sound played `speed` times as fast, pitch and all."""
    return F.interpolate(sound[None, None], scale_factor=1 / speed, mode="linear", align_corners=False)[0, 0]


def spoilt(sound: torch.Tensor, choice: random.Random, chance: torch.Generator) -> torch.Tensor:
    """Return the sound in another room, through another microphone, with noise, at another loudness."""
    if choice.random() < 0.5:  # a slope and a bump in the spectrum
        spectrum = torch.fft.rfft(sound)
        place = torch.linspace(0, 1, len(spectrum))
        gain = choice.uniform(-1.2, 1.2) * (place - 0.5) * 2
        gain = gain + choice.uniform(-1, 1) * torch.exp(-(((place - choice.random()) / 0.15) ** 2))
        sound = torch.fft.irfft(spectrum * gain.exp(), n=len(sound))
    if choice.random() < 0.3:  # a room: noise that dies away
        length = int(RATE * choice.uniform(0.05, 0.25))
        tail = torch.randn(length, generator=chance) * torch.exp(-torch.linspace(0, 6, length)) * 0.3
        tail[0] = 1.0
        size = len(sound) + length
        sound = torch.fft.irfft(torch.fft.rfft(sound, size) * torch.fft.rfft(tail, size), size)[: len(sound)]
    noise = torch.randn(len(sound), generator=chance)
    if choice.random() < 0.5:
        noise = torch.fft.irfft(torch.fft.rfft(noise) / torch.arange(1, len(noise) // 2 + 2).sqrt(), n=len(noise)) * 5
    level = sound.square().mean().sqrt().clamp(min=0.01)
    sound = sound + noise * level / noise.std().clamp(min=1e-6) * 10 ** (-choice.uniform(8, 45) / 20)
    return sound / sound.abs().max().clamp(min=1e-4) * choice.uniform(0.05, 1.0)


def collate(rows: list[tuple[torch.Tensor, list[int]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return sound (batch × samples), mask (batch × samples) and labels (batch × longest, -100 beyond the end)."""
    longest = max(len(sound) for sound, _ in rows)
    most = max(1, *(len(labels) for _, labels in rows))
    sound = torch.stack([F.pad(one, (0, longest - len(one))) for one, _ in rows])
    mask = torch.stack([(torch.arange(longest) < len(one)).long() for one, _ in rows])
    labels = torch.tensor([[digit + 1 for digit in one] + [-100] * (most - len(one)) for _, one in rows])
    return sound, mask, labels


def train(model: Any, digits: Digits, said: Made, options: Any) -> dict[str, Any]:
    """Train until the minutes are used and give the model the average of its weights."""
    optimizers = Optimizers(model, LEARNING_RATE, weight_decay=0.02, edges=("stem", "out", "along"))
    average = Average(model, 0.998)
    choice = loop.draws(options)
    chance = torch.Generator().manual_seed(options.seed * 1_000_003)
    feed = loop.Feed(lambda: batches(digits, said, choice, chance))
    run = loop.Run(options, EVERY, "rows", model=model, optimizers=optimizers, average=average, choice=choice,
                   chance=chance, feed=feed)  # fmt: skip
    hook = model.stem.register_forward_pre_hook(
        lambda stem, given: (hidden_parts(given[0], chance),) if stem.training else None
    )
    for rate in run:
        model.train()
        sound, mask, labels = next(feed)
        loss = model(sound, mask, labels).loss
        loss.backward()
        optimizers.step(rate)
        average.update(model)
        if run.count(BATCH, loss=loss):
            watched = averaged(model, average)
            framed = [Take(voices.framed(take.sound), take.digit, take.speaker) for take in said.watched]
            run.note(held_out=accuracy(watched, digits.held_out), voices=accuracy(watched, framed))
    hook.remove()
    model.load_state_dict(average.weights)
    return run.facts()


def averaged(model: Any, average: Average) -> Any:
    """Return a copy of the model with the average of its weights."""
    found = copy.deepcopy(model).eval()
    found.load_state_dict(average.weights)
    return found


@torch.inference_mode()
def heard(model: Any, sounds: list[torch.Tensor]) -> list[list[int]]:
    """Return the digits that the model hears in each sound."""
    model.eval()
    found = []
    for sound in sounds:  # one by one, as the page does: what pads a batch would move the mean of the shorter ones
        labels = torch.unique_consecutive(model(sound[None].float()).logits[0].argmax(-1)).tolist()
        found.append([label - 1 for label in labels if label])
    return found


def accuracy(model: Any, takes: list[Take]) -> float:
    """Return the share of recordings in which exactly the one digit is heard."""
    got = heard(model, [take.sound for take in takes])
    return sum(one == [take.digit] for one, take in zip(got, takes, strict=True)) / len(takes)


def row_errors(model: Any, takes: list[Take], rows: int, seed: int) -> float:
    """Return the digit error rate (Levenshtein over length) on spoilt rows of these recordings."""
    choice, chance = random.Random(seed), torch.Generator().manual_seed(seed)
    made = [row(takes, choice, chance) for _ in range(rows)]
    got = heard(model, [sound for sound, _ in made])
    from torchaudio.functional import edit_distance

    wrong = sum(edit_distance(one, labels) for one, (_, labels) in zip(got, made, strict=True))
    return wrong / sum(len(labels) for _, labels in made)


def export(model: Any, digits: Digits, trained: dict[str, Any], options: Any) -> None:
    """Write the fp16 folder with its processor, and what is measured on the shipped bytes."""
    from transformers import AutoModelForCTC, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    model.eval().half().save_pretrained(options.out)
    words = options.work / "vocab.json"
    words.write_text(json.dumps({label: at for at, label in enumerate(LABELS)}))
    tokenizer = Wav2Vec2CTCTokenizer(
        str(words), pad_token="<pad>", unk_token="<pad>", bos_token=None, eos_token=None, word_delimiter_token=" "
    )
    extractor = Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=False, return_attention_mask=True)
    Wav2Vec2Processor(extractor, tokenizer).save_pretrained(options.out)
    shipped = AutoModelForCTC.from_pretrained(options.out, dtype=torch.float32).eval()
    facts = {
        "held_out": accuracy(shipped, digits.held_out), "test": accuracy(shipped, digits.test),
        "row_error": row_errors(shipped, digits.test, 200, 1), **trained,
        "parameters": sum(one.numel() for one in shipped.parameters()),
    }  # fmt: skip
    (options.out / "training.json").write_text(json.dumps(facts))
    print({name: value for name, value in facts.items() if name != "curve"})


if __name__ == "__main__":
    main()
