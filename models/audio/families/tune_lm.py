"""Language models of folk music: a tune in words of ABC notation, then its sound."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from models import plain_text
from models.audio import loudness, sounds, tunes
from models.audio.loudness import Loudness, loudness_field
from models.audio.presets import TUNES
from models.audio.sound_family import SoundFamily
from models.audio.written import NOTE_ENDINGS, SOUND_ENDINGS
from models.errors import BadInput, WeightsError, restore
from models.events import Event, Final, Preview, Progress
from models.family import Context, InputField, Loaded
from models.params import Params, above, hint
from models.presets import Preset
from models.types import SEED_MAX, Output, Request, RunStats
from models.watching import follow

if TYPE_CHECKING:
    from models.scripts import Script
    from models.spec import ModelSpec

_OPENING = re.compile(r"\|:|:\||\|\||\[[12]|\||\(3|(?:[\^_=]?[A-Ga-g](?:,+|'+)?|z)(?:\d+)?(?:/\d*)?-?|\S")
_HOW_IT_WORKS = """
```mermaid
flowchart LR
  A["metre, key, dance type"] --> B[tokens of notation]
  B --> C[network]
  C --> D[probabilities of every next token]
  D -->|one is drawn and put at the end| B
  B --> E[synthesiser]
  E --> F[sound]
```

Folk tunes can be written as text: [ABC notation](https://abcnotation.com/wiki/abc:standard:v2.1) has a letter for each
note and a bar for each bar. So a language model can write them: it reads the notes so far and gives a probability for
every token (a note or bar) that could come next, one is drawn, and so on until the tune ends. It knows metre, key and
dance type because each tune it learnt from began with them. Nobody told it what a bar is; that bars come out full is
what it found in the tunes.

Two networks learnt from the same tunes. The [Transformer](https://arxiv.org/abs/1706.03762) attends to every token so
far; the [LSTM](https://www.bioinf.jku.at/publications/older/2604.pdf) carries a memory of fixed size from token to
token ([folk-rnn](https://arxiv.org/abs/1604.08723) was one). The sound is made afterwards by a small synthesiser, with
[plucked strings](https://www.jstor.org/stable/3680062) and sums of harmonics: instrument, tempo and reverb change how a
tune sounds and never which notes it has.
"""


Rhythm = Literal["any", "jig", "slip jig", "reel", "hornpipe", "strathspey", "polka", "waltz", "march", "air"]

_DRAWN = {"temperature": above(0)}  # at 0 decoding is greedy


class TuneParams(Params):
    """Declare what kind of tune is asked for, how its words are drawn, and how it is played."""

    metre: Literal["6/8", "4/4", "2/2", "2/4", "3/4", "9/8"] = Field(
        "6/8", description="Time signature: how each bar is counted. 6/8 skips like a jig, 4/4 and 2/2 run like a "
                           "reel, 3/4 is a waltz.",
        json_schema_extra=hint(label="Metre", group="Tune"),
    )  # fmt: skip
    tonic: Literal["D", "G", "A", "C", "E", "F", "Bb"] = Field(
        "D", description="The home note: tunes start around it and end on it.",
        json_schema_extra=hint(label="Key", group="Tune"),
    )  # fmt: skip
    mode: Literal["major", "minor", "Dorian", "Mixolydian"] = Field(
        "major", description="The scale: major is bright, minor dark; Dorian and Mixolydian lie between, and are "
        "common in Ireland and Scotland.",
        json_schema_extra=hint(label="Mode", group="Tune"),
    )  # fmt: skip
    rhythm: Rhythm = Field(
        "any", description="The dance the tune is for. One that does not fit the metre confuses the model.",
        json_schema_extra=hint(label="Dance type", group="Tune"),
    )  # fmt: skip
    temperature: float = Field(
        0.9, ge=0.0, le=2.0, description="Low: familiar phrases, repetitive. High: surprising, until bars break. 0: "
                                          "greedy, always the likeliest token.",
        json_schema_extra=hint(step=0.05, group="Sampling", live=True),
    )  # fmt: skip
    top_p: float = Field(
        0.95, ge=0.05, le=1.0, description="Nucleus sampling: draws only from the likeliest tokens whose "
                                           "probabilities add up to this. Lower: safer, less varied. 1: off.",
        json_schema_extra=hint(label="Top-p", neutral=1.0, step=0.01, group="Sampling", shown_if=_DRAWN),
    )  # fmt: skip
    top_k: int | None = Field(
        None, ge=1, le=200, description="Draws only from this many likeliest tokens. Small: familiar tunes; large: "
                                        "more variety.",
        json_schema_extra=hint(label="Top-k", group="Sampling", advanced=True, shown_if=_DRAWN),
    )  # fmt: skip
    min_p: float | None = Field(
        None, ge=0.01, le=1.0, description="Drops tokens less likely than this fraction of the top token. Higher: "
                                           "safer.",
        json_schema_extra=hint(label="Min-p", step=0.01, group="Sampling", advanced=True, shown_if=_DRAWN),
    )  # fmt: skip
    max_new_tokens: int = Field(
        320, ge=16, le=480, description="At most this many tokens (notes, bars). A tune may end earlier.",
        json_schema_extra=hint(label="Length", cost="limit", group="Sampling", unit="tokens", advanced=True),
    )  # fmt: skip
    num_variants: int = Field(
        1, ge=1, le=4, description="How many tunes. Tune n uses seed + n − 1.",
        json_schema_extra=hint(label="Tunes", neutral=1, counts=True, cost="each", group="Sampling"),
    )  # fmt: skip
    instrument: Literal["plucked string", "whistle", "accordion", "organ", "fiddle"] = Field(
        "plucked string", description="What plays the melody.", json_schema_extra=hint(group="Sound"),
    )  # fmt: skip
    tempo: int | None = Field(
        None, ge=40, le=260, description="Beats per minute (BPM). Off: the usual tempo of the dance.",
        json_schema_extra=hint(step=2, group="Sound", unit="BPM"),
    )  # fmt: skip
    swing: float = Field(
        0.5, ge=0.5, le=0.75, description="Length of the first of two eighth notes: 0.5 even, 0.67 the lilt of a "
                                          "hornpipe. Not used in 6/8 and 9/8.",
        json_schema_extra=hint(neutral=0.5, step=0.01, group="Sound", shown_if={"metre": ["4/4", "2/2", "2/4", "3/4"]}),
    )  # fmt: skip
    repeats: bool = Field(
        True, description="Plays repeated parts twice.", json_schema_extra=hint(label="Play repeats", group="Sound"),
    )  # fmt: skip
    chords: float = Field(
        0.5, ge=0.0, le=1.0, description="Volume of the accompaniment: for each bar, the chord that fits best.",
        json_schema_extra=hint(neutral=0.0, step=0.05, group="Sound"),
    )  # fmt: skip
    drone: float = Field(
        0.0, ge=0.0, le=1.0, description="Volume of a drone: the tonic and its fifth held throughout, as on a "
                                         "bagpipe.",
        json_schema_extra=hint(neutral=0.0, step=0.05, group="Sound"),
    )  # fmt: skip
    reverb: float = Field(
        0.2, ge=0.0, le=1.0, description="Reverb: dry at 0, a small hall at 1.",
        json_schema_extra=hint(label="Reverb", neutral=0.0, step=0.05, group="Sound"),
    )  # fmt: skip
    loudness: Loudness = loudness_field()


class TuneLM(SoundFamily[TuneParams]):
    """Run any causal language model over the words of `models.audio.tunes`, and play what it wrote."""

    name: ClassVar[str] = "tune_lm"
    reentrant: ClassVar[bool] = True
    presets: ClassVar[tuple[Preset, ...]] = TUNES
    saves: ClassVar[tuple[str, ...]] = (*SOUND_ENDINGS, *NOTE_ENDINGS)
    title: ClassVar[str] = "Language model of tunes"
    task: ClassVar[str] = "music generation"
    Params: ClassVar[type[Params]] = TuneParams
    inputs: ClassVar[tuple[InputField, ...]] = (
        InputField("prompt", required=False, label="Opening", help="Notes the tune starts with, in ABC notation, such "
                   "as “d2 f a | f e d”. Empty: the model starts freely."),
    )  # fmt: skip
    how_it_works: ClassVar[str] = _HOW_IT_WORKS
    libraries_bytes: ClassVar[int] = 90_000_000  # scipy, and what draws scores

    def run_bytes(self, spec: ModelSpec, request: Request, params: TuneParams) -> int:
        """Forecast from the sound's length, which the notes decide: a usual tune's; see `Family.run_bytes`.

        Measured with folk-gpt: 124 MB for 42 s of sound at 104 BPM, 215 MB for 73 s at 60 BPM.
        """
        seconds = 42.0 * 104 / (params.tempo or 104) * (1.0 if params.repeats else 0.6)
        return 24_000_000 + int(3_000_000 * seconds) + int(500_000 * seconds) * (params.num_variants - 1)

    def load(self, spec: ModelSpec) -> Loaded:
        """Read tokenizer and weights; see `Family.load`."""
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        import models.tokens.lstm  # noqa: F401 - registers the LSTM with the Auto classes

        folder = spec.folder()
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=False, use_safetensors=True
        )
        model.generation_config = GenerationConfig()
        return Loaded({"model": model.eval(), "tokenizer": tokenizer})

    def describe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return context length and vocabulary size, read from config.json."""
        try:
            config = json.loads((spec.folder() / "config.json").read_text("utf-8"))
            return {"context_length": config["max_position_embeddings"], "vocabulary_size": config["vocab_size"]}
        except (OSError, ValueError, KeyError) as error:
            raise WeightsError(f"{spec.id}: config.json is missing or damaged. {restore()}") from error

    def check_inputs(self, spec: ModelSpec, request: Request, params: TuneParams) -> None:
        """Refuse an opening with a word that the model never saw; see `Family.check_inputs`."""
        words = opening(request.inputs.get("prompt", ""))
        file = spec.folder() / "tokenizer.json"
        known = vocabulary(file, file.stat().st_mtime_ns if file.exists() else 0)
        strange = [word for word in words if word not in known]
        if strange:
            raise BadInput(
                f"The opening contains “{strange[0][:20]}”, which is not in this model's vocabulary. Allowed: notes "
                "such as d, ^c2, B,/2 and z, the triplet sign (3, and bars |. Change it or leave the opening empty."
            )
        limit = spec.facts["context_length"]
        if len(words) + 5 >= limit:
            raise BadInput(f"The opening has {len(words)} notes and bars; at most {limit - 5} are allowed. Shorten it.")

    def script(self, spec: ModelSpec, request: Request, params: TuneParams) -> Script:
        """Return transformers' `generate()` and the synthesiser; see `Family.script`."""
        from models.audio.scripts import tune_lm

        return tune_lm.script(spec, request, params, opening(request.inputs.get("prompt", "")))

    def generate(
        self, spec: ModelSpec, request: Request, params: TuneParams, loaded: Loaded, context: Context
    ) -> Iterator[Event]:
        """Write one tune after another, each from its own seed, and play each; see `Family.generate`."""
        outputs: list[Output] = []
        views: list[Output] = []
        words, seconds, stopped = 0, 0.0, False
        notes: list[str] = []
        for number in range(params.num_variants):
            if context.stopped():
                stopped = True
                break
            run = _Writing(spec, request, params, loaded, context, number)
            for event in run.events():
                yield Preview((*outputs, *event.outputs)) if event.kind == "preview" else event
            words, seconds, stopped = words + run.words, seconds + run.seconds, stopped or run.stopped
            yield Progress("render", number + 1, params.num_variants, unit="tunes")
            if run.output is not None:
                outputs.append(run.output)
                views += run.views
                notes += run.notes
                yield Preview(tuple(outputs))
        stats: RunStats = {
            "tokens": words, "tokens_per_s": round(words / seconds, 2) if seconds > 0 else 0.0, "stopped": stopped,
            "notes": list(dict.fromkeys(notes)),
        }  # fmt: skip
        yield Final((*outputs, *views), stats)


class _Writing:
    """Hold one tune while it is written and played."""

    def __init__(
        self, spec: ModelSpec, request: Request, params: TuneParams, loaded: Loaded, context: Context, number: int
    ) -> None:
        self.request, self.params, self.context, self.number = request, params, context, number
        self.model, self.tokenizer = loaded.parts["model"], loaded.parts["tokenizer"]
        self.limit = spec.facts["context_length"]
        self.words, self.seconds, self.stopped = 0, 0.0, False
        self.notes: list[str] = []
        self.output: Output | None = None
        self.views: list[Output] = []

    def events(self) -> Iterator[Event]:
        """Yield progress and the notation so far; the finished tune is in `output`."""
        import torch

        from models.seeds import seeded
        from models.tokens.streaming import TokenWatch
        from models.tokens.transcript import Transcript

        params, tokenizer = self.params, self.tokenizer
        mode = next(short for short, name in tunes.MODES.items() if name == params.mode)
        start = [*tunes.header(params.metre, params.tonic, mode, params.rhythm),
                 *opening(self.request.inputs.get("prompt", ""))]  # fmt: skip
        ids = [tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(start)]
        total = min(params.max_new_tokens, self.limit - len(ids))
        text = Transcript(lambda some: tokenizer.decode(some, skip_special_tokens=True), ids)
        watch = TokenWatch([text], {tokenizer.eos_token_id}, self.context.stopped)
        begun = time.monotonic()
        yield Progress("prompt", 0, len(ids), unit="tokens")

        def run() -> None:
            with torch.inference_mode(), seeded((self.request.seed + self.number) % (SEED_MAX + 1)):
                _generate(self.model, tokenizer, ids, total, params, watch)

        head = " ".join(start)
        for _ in follow(run, watch):
            yield Progress("generate", watch.step, total, unit="tokens")
            written = head + text.text
            yield Preview((Output("audio", self.number, written, meta={"seconds": self._seconds(written)}),))
        watch.end("length")
        self.words, self.seconds = text.tokens, time.monotonic() - begun
        self.stopped = text.finish == "stopped"
        self._play(head + text.text, text.finish)

    def _seconds(self, written: str) -> float:
        """Return how long the tune so far would sound."""
        from models.audio import arrangement

        tune = tunes.read(written)
        eighths = sum(note.length for note in tunes.play(tune, self.params.repeats))
        tempo = self.params.tempo or arrangement.tempo_of(tune)
        return round(float(eighths / arrangement.BEATS[tune.metre]) * 60 / tempo, 2)

    def _play(self, written: str, finish: str) -> None:
        from models.audio import arrangement, synth
        from models.audio.looking.sound_views import mel_view

        params = self.params
        tune = tunes.read(written)
        if finish == "eos":
            self.notes += [f"Flaw in the notation: {problem}" for problem in tune.problems[:3]]
        tempo = params.tempo or arrangement.tempo_of(tune)
        swing = params.swing if params.metre not in ("6/8", "9/8") else 0.5
        sound = synth.mix(
            arrangement.melody(tune, tempo, swing, params.repeats), params.instrument,
            chords=arrangement.chords(tune, tempo, params.repeats), chord_level=params.chords,
            drone=arrangement.drone(tune), drone_level=params.drone, reverb=params.reverb,
        )  # fmt: skip
        sound, facts = loudness.level(sound, synth.RATE, params.loudness)
        good, bars = tunes.filled(tune)
        meta = {"seed": (self.request.seed + self.number) % (SEED_MAX + 1), "finish": finish, "tempo": tempo,
                "bars": bars, "bars_filled": good, "peaks": sounds.peaks(sound), **facts}  # fmt: skip
        self.views = [mel_view(sound, synth.RATE, self.number)]
        self.output = sounds.sound_output(sound, synth.RATE, self.context.stamp, self.number, written, meta)


def opening(text: str) -> list[str]:
    """Return the words of an opening, which may be written with or without spaces. Raises `BadInput` for no text."""
    words = _OPENING.findall(plain_text.check_text(text, "opening"))
    return [_plain_length(word) for word in words]


def _plain_length(word: str) -> str:
    """Return a note with its length as our words have it: `d/` is `d/2`, `d1` is `d`."""
    return re.sub(r"(?<=\D)1(?=/|-|$)", "", re.sub(r"/(?=-|$)", "/2", word)) if word[-1:] != "" else word


@lru_cache(maxsize=4)
def vocabulary(file: Path, changed_ns: int) -> frozenset[str]:
    """Return the words of a tokenizer.json. Raises `WeightsError` where it is missing or damaged."""
    try:
        found = json.loads(file.read_text("utf-8"))["model"]["vocab"]
        return frozenset(found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{file.parent.name}: {file.name} is missing or damaged. {restore()}") from error


def _generate(model: Any, tokenizer: Any, ids: list[int], total: int, params: TuneParams, watch: Any) -> None:
    import torch
    from transformers import GenerationConfig, StoppingCriteriaList

    # header words stand at the beginning alone
    heads = [at for word, at in tokenizer.get_vocab().items() if word[:2] in ("M:", "K:", "R:")]
    never = [tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id, *heads]
    chance: dict[str, Any] = {"do_sample": False}
    if params.temperature > 0:
        chance = {"do_sample": True, "temperature": params.temperature, "top_p": params.top_p,
                  "top_k": params.top_k or 0, "min_p": params.min_p}  # fmt: skip
    config = GenerationConfig(
        max_new_tokens=total, **chance, suppress_tokens=sorted(one for one in never if one is not None),
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    input_ids = torch.tensor([ids])  # 1 × words
    model.generate(
        input_ids, attention_mask=torch.ones_like(input_ids), generation_config=config,
        stopping_criteria=StoppingCriteriaList([watch]),
    )  # fmt: skip
