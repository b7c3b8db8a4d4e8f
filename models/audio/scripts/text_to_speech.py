"""The script that says a text again: a speaking model of transformers, called for each sentence by carried source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from models.audio.scripts.saving import IMPORTS, even, save
from models.errors import BadInput
from models.scripts import Part, Script, constants, dtype, weights

if TYPE_CHECKING:
    from models.audio.families.text_to_speech import SpeechParams
    from models.spec import ModelSpec
    from models.types import Request

_VOICES = {"vits": "Vits", "piper": "Piper", "speecht5": "SpeechT5", "bark": "Bark", "pocket_tts": "Latents",
           "gradium_phonon_tts": "Latents"}  # fmt: skip
_ALSO = ("speaker", "num_flow_steps")  # what a voice reads although its model may have no choice of it


def script(
    spec: ModelSpec, request: Request, params: SpeechParams, said: Sequence[tuple[str, int, SpeechParams]], above: int
) -> Script:
    """Return the script of a request; see `Family.script`. Weights above `above` bytes keep their dtype.

    `said` are the sentences, each with its seed and settings. Raises `BadInput` for a model of another kind.
    """
    kind = _VOICES.get(str(spec.facts.get("kind")))
    if kind is None:
        raise BadInput(f"There is no script yet for voices such as {spec.id}. Choose the style “models” or “cli”.")
    folder, imports = weights(spec)
    names = {*spec.facts.get("settings", []), *_ALSO}
    rows = [(text, seed, {name: value for name, value in own.model_dump().items() if name in names})
            for text, seed, own in said]  # fmt: skip
    listed = "\n".join(["SENTENCES = [  # text, seed, settings", *[f"    {row!r}," for row in rows], "]"])
    level, more = even(params.loudness, "sound", "voice.rate")
    made: list[str] = [
        "parts = []",
        "for text, seed, settings in SENTENCES:",
        "    part = voice.say(text, seed, SimpleNamespace(**settings), lambda: None)  # None: nothing to be heard",
        "    parts += [part] if part is not None else []",
        "sound = joined(parts, voice.rate, PAUSE_S)",
        *level,
        "sounds = [sound]",
    ]
    named: dict[str, Any] = {"PAUSE_S": params.pause_s}
    return Script(
        f"{folder}\n{listed}\n{constants(**named)}",
        (
            Part("Load", f"voice = {kind}(WEIGHTS, {dtype(spec, above)})"),
            Part("Say it", "\n".join(made), "One sentence after another, sentence k from seed + k."),
            save(request, "voice.rate"),
        ),
        ("import torch", "from types import SimpleNamespace", *IMPORTS, *imports),
        (f"models.audio.sampling.voices:{kind}", "models.audio.families.text_to_speech:joined", *more),
    )  # fmt: skip
