"""Write the cards of the audio models from what their training measured and made.

    python -m training.audio.sound_cards --data ../shared/data

For each model whose weights lie in `--out`: README.md, curve.png, curve.csv, and unpicked samples.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from textwrap import fill
from typing import Any

from models.audio import tunes
from training import cards

TUNES = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-to-audio
---
# {name}

Writes folk tunes as tokens of ABC notation, given metre, key and kind; the playground plays them. Trained from scratch
by `training/audio/folk.py`, as its twin of the other architecture was.

| | |
|---|---|
| Network | {net}; {parameters:,} parameters, {vocabulary} tokens |
| Training | {words:,} tokens in {steps:,} steps, {minutes} minutes on one CPU core (x86-64), bfloat16 |
| **Held out** | **{held_out_bits:.3f} bits per token** (a token is one note or bar) on {held_out} tunes that share \
neither title nor first bars with others |
| 200 samples (temperature 0.9, top-p 0.95) | {parsed:.1%} are read by music21, {well_formed:.1%} have every repeat \
and ending well formed, {filled:.1%} of the bars have the length of their time signature |
| Copies | {copied:.1%} of the samples hold eight bars in a row of a training tune, in any key and octave |

## Data
{sources}

All music is in the public domain: tunes whose header claims a copyright were left out. So were tunes that change key,
metre or unit, have several voices, or have more than one bar in twenty that does not fill its metre. Of a chord the top
note was used; ornaments, slurs and chord names were left out. Each tune was put into seven keys.

## Curve
![Held-out bits per token over minutes](curve.png)

## Limits
It knows melody alone: the chords that are heard come from a rule. Parts may fit each other loosely. A kind that does
not fit the metre confuses the model, and so do openings that no tune has. High temperatures break bars.

## Ten unpicked samples
{samples}
"""

_BY_KIND = """## By kind
Held-out bits per token, how many tunes those are of, and of 200 samples of each kind how many have a bar more than four
times in a row (repeats of whole sections are not counted), with the longest such row.

| kind | bits per token | tunes | more than four times | longest |
|---|---|---|---|---|
{kinds}

"""

_DRAWN = """Rare kinds and modes were drawn more often than their number, by its root. Eleven tunes are named waltzes:
half of the {three_four} in three-four time that no collection names were told as such.
"""

# the card of a training that counted by kind
TUNES_BY_KIND = TUNES.replace("## Data\n", _BY_KIND + "## Data\n")

_COLLECTIONS = {
    "oneills1850": "O'Neill's Music of Ireland (1903)", "ryansMammoth": "Ryan's Mammoth Collection (1883)",
    "airdsAirs": "Aird's Airs (1782)",
    "miscFolk": "Bruce and Stokoe's Northumbrian Minstrelsy (1882) and fife tunes of the American wars",
}  # fmt: skip
_FIRST = tuple(_COLLECTIONS)[:3]  # of trainings that do not say which

DIGITS = """---
license: cc-by-sa-4.0
library_name: diffusers
pipeline_tag: text-to-audio
---
# digits-diffusion

Draws the mel spectrogram of a spoken digit in one of six voices. A `UNet2DModel` and a scheduler in diffusers' layout,
with `spectrogram.json` that says what its values mean. Trained from scratch by `training/audio/digit_diffusion.py`.

| | |
|---|---|
| Network | U-Net, {parameters:,} parameters, on 64 bands × 96 frames folded into 32 × 8 × 24 |
| Training | {steps:,} steps, {minutes} minutes on one CPU core (x86-64), bfloat16; v-prediction, min-SNR 5, 10% \
without label |
| **Recognised** | digit-recogniser recognises the requested digit in {recognised:.1%} of 200 samples (DDPM, 50 steps, \
guidance 3) |
| Guidance, at 20 steps | {by_guidance} |

## This edition and the first, by the same measures
The U-Net is that of the first edition. What changed is at which noise levels it is asked: the first began below the
noisiest one (“leading” spacing), this one begins there and ends near none (“trailing”,
[Lin et al. 2023](https://arxiv.org/abs/2305.08891)).

| digit-recogniser recognises the requested digit, of 200 samples | first | this |
|---|---|---|
| DDPM, 5 steps | {by_steps_first[s5]:.1%} | {by_steps[s5]:.1%} |
| DDPM, 10 steps | {by_steps_first[s10]:.1%} | {by_steps[s10]:.1%} |
| DDPM, 20 steps | {by_steps_first[s20]:.1%} | {by_steps[s20]:.1%} |
| DDPM, 50 steps | {by_steps_first[s50]:.1%} | {by_steps[s50]:.1%} |
| DPM-Solver++, 20 steps | {fast_first:.1%} | {fast:.1%} |

By an ear that learnt elsewhere: digits that `audio/whisper-tiny-en` hears, of {whisper[count]} in rows of four, DDPM
at 20 steps. It mishears the test recordings, too: they are the ceiling.

| | first | this | with the vocoder | test recordings | the same by Griffin-Lim | and by the vocoder |
|---|---|---|---|---|---|---|
| Whisper tiny.en | {whisper[first]} | {whisper[griffin_lim]} | {whisper[trained]} | {whisper[recordings]} | \
{whisper[recordings_griffin_lim]} | {whisper[recordings_trained]} |
| digit-recogniser | {whisper[first_recogniser]} | {whisper[griffin_lim_recogniser]} | {whisper[trained_recogniser]} | \
{whisper[recordings_recogniser]} | {whisper[recordings_griffin_lim_recogniser]} | \
{whisper[recordings_trained_recogniser]} |

## Vocoder
A network of {vocoder[parameters]:,} parameters in the shape of [Vocos](https://arxiv.org/abs/2306.00814) goes on from
what Griffin-Lim comes to and corrects its levels and phases (setting `vocoder`; folder `vocoder`). Trained by
`training/audio/digit_vocoder.py`: {vocoder[steps]:,} steps, {vocoder[minutes]} minutes on one CPU core (x86-64), shared
with other work. A network of that size that had to find the phases itself stood at 5.6 dB.

| Log-spectral distance of the 300 test recordings, dB | Griffin-Lim alone | and the vocoder |
|---|---|---|
| 8 rounds | {vocoder[griffin_lim_db_8]:.2f} | {vocoder[trained_db_8]:.2f} |
| 64 rounds | {vocoder[griffin_lim_db_64]:.2f} | {vocoder[trained_db_64]:.2f} |

## Data
[Free Spoken Digit Dataset](https://github.com/Jakobovski/free-spoken-digit-dataset) (CC BY-SA 4.0): 3,000 recordings
of ten digits by six speakers, 8 kHz. Recordings 0 to 4 of each digit and speaker are the test split; neither they nor
recordings 5 to 7 were used in training. The voices are those of the data set's speakers, who gave them for this use.

## Curve
![Loss over minutes](curve.png)

## Limits
Telephone quality: 8 kHz, and phases found by Griffin-Lim, which rings; the vocoder mends a part of that. It says single
English digits in six voices and joins them, so a number is spoken without natural intonation.

## Samples
`samples.wav`: the digits 0 to 9, unpicked, each by the speakers in turn, seed 0.
"""

RECOGNISER = """---
license: cc-by-sa-4.0
library_name: transformers
pipeline_tag: automatic-speech-recognition
---
# digit-recogniser

Recognises spoken English digits in recordings and writes them down. Trained from scratch by
`training/audio/digit_recogniser.py`.

| | |
|---|---|
| Network | log-mels, separable convolutions, a bidirectional GRU, CTC; {parameters:,} parameters |
| Training | {steps:,} steps, {minutes} minutes on one CPU core (x86-64) that others used too; the first 1,633 steps \
on recordings alone, with two blocks less |
| **Test split** | **{test:.1%}** of 300 recordings: exactly the one digit is recognised |
| **New voices** | **{second[voices]:.1%}** of 680 digits by 17 synthetic voices that it never learnt |
| Held out (5 to 7) | {held_out:.1%} of 180 |
| Rows of test digits with noise, reverb, other speed | {row_error:.1%} digit errors over 200 rows |

## Data
[Free Spoken Digit Dataset](https://github.com/Jakobovski/free-spoken-digit-dataset) (CC BY-SA 4.0): 3,000 recordings
of ten digits by six speakers, 8 kHz. By its authors' rule recordings 0 to 4 of each digit and speaker are the test
split. It learnt from 2,520 recordings, put together into rows of up to six, with pauses, noise, reverb and other
speeds.

It also learnt from digits, rows of digits and sentences spoken by 38 voices of
[espeak-ng](https://github.com/espeak-ng/espeak-ng), in four accents. What that program says is no work derived from it,
and nothing of the program is here. The sentences are of TinyStories; in them, and in noise, nothing was to be heard.

## This edition and the first, by the same measures
Share that is recognised, with the outlier limit of each (in brackets: without a limit). The synthetic voices, their
accents and the kinds of noise had no part in either training, nor in choosing the limit.

| | first | this |
|---|---|---|
| Test recordings, one by one | {first[test]:.1%} ({first[test_without]:.1%}) | {second[test]:.1%} \
({second[test_without]:.1%}) |
| Rows of test digits with noise, reverb, other speed, whole | {first[rows]:.1%} ({first[rows_without]:.1%}) | \
{second[rows]:.1%} ({second[rows_without]:.1%}) |
| Digits by new voices in new accents | {first[voices]:.1%} ({first[voices_without]:.1%}) | {second[voices]:.1%} \
({second[voices_without]:.1%}) |
| Digits by new voices in known accents | {first[voices_plain]:.1%} ({first[voices_plain_without]:.1%}) | \
{second[voices_plain]:.1%} ({second[voices_plain_without]:.1%}) |
| New voices with new noises, 8 to 25 dB below | {first[voices_noise]:.1%} ({first[voices_noise_without]:.1%}) | \
{second[voices_noise]:.1%} ({second[voices_noise_without]:.1%}) |
| New voices with noise and reverb | {first[voices_spoilt]:.1%} ({first[voices_spoilt_without]:.1%}) | \
{second[voices_spoilt]:.1%} ({second[voices_spoilt_without]:.1%}) |
| Rows of 2 to 6 digits by new voices, whole | {first[voices_rows]:.1%} ({first[voices_rows_without]:.1%}) | \
{second[voices_rows]:.1%} ({second[voices_rows_without]:.1%}) |
| `audio/hibari` (a woman's voice), digits and rows of three | {first[hibari]:.1%} ({first[hibari_without]:.1%}) | \
{second[hibari]:.1%} ({second[hibari_without]:.1%}) |
| `audio/joe` (a man's voice), digits and rows of three | {first[joe]:.1%} ({first[joe_without]:.1%}) | \
{second[joe]:.1%} ({second[joe_without]:.1%}) |

Share in which a digit is heard though there is none (lower is better):

| | first | this |
|---|---|---|
| 400 sentences without a number, by new voices | {first[sentences]:.1%} ({first[sentences_without]:.1%}) | \
{second[sentences]:.1%} ({second[sentences_without]:.1%}) |
| The same with noise and reverb | {first[sentences_spoilt]:.1%} ({first[sentences_spoilt_without]:.1%}) | \
{second[sentences_spoilt]:.1%} ({second[sentences_spoilt_without]:.1%}) |
| 400 single words by new voices | {first[words]:.1%} ({first[words_without]:.1%}) | {second[words]:.1%} \
({second[words_without]:.1%}) |
| 300 noises of new kinds | {first[noises]:.1%} ({first[noises_without]:.1%}) | {second[noises]:.1%} \
({second[noises_without]:.1%}) |

## Curve
![Share of held-out recordings that are right, over minutes](curve.png)

## What is not a digit
An outlier score (relative Mahalanobis distance of the network's features) says how unlike the learnt digits a sound is;
what lies beyond the limit of {second[limit]:g} standard deviations is left out. It was set on training recordings, the
learnt voices and some noises (`training/audio/digit_outliers.py`); the limit was chosen by eight other voices.

## Limits
Ten words. Real people are six men, whose other recordings it learnt from; all other voices are synthetic, and how well
it hears a woman or a child is known of synthetic voices alone. Whispered and very robotic voices are missed most often.
"""


def main() -> None:
    """Write every card whose weights are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="not needed: the numbers lie in each model's training.json")
    parser.add_argument("--out", type=Path, default=Path("models/embedded"), help="folder of the model folders")
    options = parser.parse_args()
    nets = {"folk-gpt": "Llama-style Transformer, 4 layers, width 256", "folk-lstm": "LSTM, 2 layers, width 512"}
    for name, net in nets.items():
        if (options.out / name / "training.json").exists():
            tune_card(options.out / name, net)
    if (options.out / "digits-diffusion" / "training.json").exists():
        digits_card(options.out / "digits-diffusion")
    if (options.out / "digit-recogniser" / "training.json").exists():
        recogniser_card(options.out / "digit-recogniser")


def _facts(out: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((out / "training.json").read_text())
    return facts


def tune_card(out: Path, net: str) -> None:
    """Write a tune model's card."""
    facts = _facts(out)
    cards.curve(out / "curve.png", [(row[1], row[3]) for row in facts["curve"]], "held-out bits per token")
    cards.write_csv(out / "curve.csv", ["step", "minutes", "loss_nats", "held_out_bits"], facts["curve"])
    texts = [tunes.to_abc(text, f"Sample {number}") for number, text in enumerate(facts["texts"], 1)]
    samples = "\n".join(f"```abc\n{text}```" for text in texts)
    named = [_COLLECTIONS[one] for one in facts.get("collections", _FIRST)]
    many = f"{facts['train']:,} tunes (and {facts['held_out']} held out)"
    sources = (f"{many}: {', '.join(named[:-1])} and {named[-1]}, as the `music21` package (BSD) carries them, and "
               "Irish tunes of MIT's course 6.S191 (MIT).")  # fmt: skip
    sources = fill(sources, 120)
    if "three_four" in facts:  # a training that drew by kind
        sources += "\n\n" + _DRAWN.format(**facts).rstrip()
    told = {**facts, "name": out.name, "net": net, "samples": samples, "sources": sources}
    card = TUNES_BY_KIND.format(**told, kinds=_kinds(facts)) if "stuck" in facts else TUNES.format(**told)
    (out / "README.md").write_text(card)


def _kinds(facts: dict[str, Any]) -> str:
    """Return the rows of a tune card's table, kinds of dance first, then modes and keys."""
    rows = []
    for name, (bits, many) in sorted(facts["bits_by_kind"].items(), key=lambda one: one[0] not in facts["stuck"]):
        often, longest = facts["stuck"].get(name, ("", ""))
        rows.append(f"| {name} | {bits:.3f} | {many:.0f} | {often} | {longest} |")
    return "\n".join(rows)


def recogniser_card(out: Path) -> None:
    """Write the recogniser's card."""
    facts = _facts(out)
    marks = json.loads((out / "marks.json").read_text())
    cards.curve(out / "curve.png", [(row[1], row[3]) for row in facts["curve"]], "share of held-out recordings right")
    head = ["step", "minutes", "loss", "held_out", "voices"]
    cards.write_csv(out / "curve.csv", head[: len(facts["curve"][-1])], facts["curve"])
    (out / "README.md").write_text(RECOGNISER.format(**facts, **marks))


def digits_card(out: Path) -> None:
    """Write the card of digits-diffusion, from what `digit_marks` and `whisper_marks` found."""
    facts = {**_facts(out), **json.loads((out / "marks.json").read_text()), "vocoder": _facts(out / "vocoder")}
    cards.curve(out / "curve.png", [(row[1], row[2]) for row in facts["curve"]], "loss")
    cards.write_csv(out / "curve.csv", ["step", "minutes", "loss"], facts["curve"])
    (out / "README.md").write_text(DIGITS.format(**facts))


if __name__ == "__main__":
    main()
