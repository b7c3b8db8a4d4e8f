"""The script that writes and plays a tune again: transformers' `generate()`, then the synthesiser's carried source."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from models.audio import tunes
from models.audio.scripts.saving import IMPORTS, even, save
from models.scripts import Part, Script, constants, weights

if TYPE_CHECKING:
    from models.audio.families.tune_lm import TuneParams
    from models.spec import ModelSpec
    from models.types import Request

# by `model_type` of config.json: architectures that transformers does not have
_OWN_TYPES = {"playground_lstm": "models.tokens.lstm:LSTMForCausalLM"}
_PLAYED = ("melody", "chords", "drone", "tempo_of")


def script(spec: ModelSpec, request: Request, params: TuneParams, opening: Sequence[str]) -> Script:
    """Return the script of a request; see `Family.script`. `opening` are the words that the tune starts with."""
    folder, imports = weights(spec)
    kind = json.loads((spec.folder() / "config.json").read_text("utf-8"))["model_type"] if spec.here else ""
    mode = next(short for short, name in tunes.MODES.items() if name == params.mode)
    start = " ".join([*tunes.header(params.metre, params.tonic, mode, params.rhythm), *opening])
    named: dict[str, Any] = {"START": start, "TUNES": params.num_variants, "INSTRUMENT": params.instrument}
    named |= {"TEMPO": params.tempo, "REVERB": params.reverb, "SEED": request.seed}
    level, more = even(params.loudness, "sound", "RATE")
    carries = [
        *([_OWN_TYPES[kind]] if kind in _OWN_TYPES else []), "models.audio.tunes:read",
        *(f"models.audio.arrangement:{name}" for name in _PLAYED), "models.audio.synth:mix", "models.audio.synth:RATE",
        *more,
    ]  # fmt: skip
    return Script(
        f"{folder}\n{constants(**named)}",
        (_load(), _write(spec, params), _play(params, level), save(request, "RATE")),
        ("import torch", "from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig", *IMPORTS,
         *imports), tuple(carries),
    )  # fmt: skip


def _load() -> Part:
    lines = [
        "tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)",
        "model = AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32).eval()",
        "model.generation_config = GenerationConfig()  # every setting is named below",
    ]
    return Part("Load", "\n".join(lines), "The weights are stored at half precision and computed in float32.")


def _write(spec: ModelSpec, params: TuneParams) -> Part:
    chance = ["do_sample=False"]
    if params.temperature > 0:
        chance = [f"do_sample=True, temperature={params.temperature!r}, top_p={params.top_p!r}",
                  f"top_k={params.top_k or 0!r}, min_p={params.min_p!r}"]  # fmt: skip
    lines = [
        "ids = [tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(START.split())]",
        "# words of the head stand at the beginning alone",
        'heads = [at for word, at in tokenizer.get_vocab().items() if word[:2] in ("M:", "K:", "R:")]',
        "never = [tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id, *heads]",
        "config = GenerationConfig(",
        f"    max_new_tokens=min({params.max_new_tokens}, {spec.facts['context_length']} - len(ids)),",
        *[f"    {one}," for one in chance],
        "    suppress_tokens=sorted(one for one in never if one is not None),",
        "    bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,"
        " pad_token_id=tokenizer.pad_token_id,",
        ")",
        "written = []",
        "for number in range(TUNES):",
        "    input_ids = torch.tensor([ids])  # 1 × words",
        "    torch.manual_seed((SEED + number) % 2**32)",
        "    with torch.inference_mode():",
        "        out = model.generate(input_ids, attention_mask=torch.ones_like(input_ids), generation_config=config)",
        "    before = len(tokenizer.decode(ids, skip_special_tokens=True))",
        "    written.append(START + tokenizer.decode(out[0], skip_special_tokens=True)[before:])",
        "    print(written[-1])",
    ]
    return Part("Write", "\n".join(lines), "A tune is words: notes and bars in ABC notation, drawn one after another.")


def _play(params: TuneParams, level: Sequence[str]) -> Part:
    swing = params.swing if params.metre not in ("6/8", "9/8") else 0.5
    lines = [
        "sounds = []",
        "for words in written:",
        "    tune = read(words)",
        "    tempo = TEMPO or tempo_of(tune)",
        "    sound = mix(",
        f"        melody(tune, tempo, {swing!r}, {params.repeats!r}), INSTRUMENT,",
        f"        chords=chords(tune, tempo, {params.repeats!r}), chord_level={params.chords!r},",
        f"        drone=drone(tune), drone_level={params.drone!r}, reverb=REVERB,",
        "    )  # samples × 2",
        *[f"    {line}" for line in level],
        "    sounds.append(sound)",
    ]
    return Part("Play", "\n".join(lines), "Notes become sound by a small synthesiser.")
