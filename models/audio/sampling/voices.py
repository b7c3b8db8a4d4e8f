"""Kinds of text-to-speech models behind one call: a sentence, a seed and settings give a sound."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from models.audio import phonemes
from models.audio.sampling.music import limit_peak
from models.seeds import generator, seeded
from models.watching import Interrupted

if TYPE_CHECKING:
    from models.audio.families.text_to_speech import SpeechParams

SEMANTIC_RATE = 49.9  # of Bark's semantic tokens, per second


class Voice(ABC):
    """Hold a loaded model. `settings` are the names of those settings that its call honours.

    `describe(folder, config)` gives the facts of a folder: sample rate and speakers.
    """

    model_types: ClassVar[tuple[str, ...]]
    settings: ClassVar[tuple[str, ...]]
    named: ClassVar[str] = ""  # the kind's name where a model type alone does not say it
    parts: dict[str, Any]
    rate: int

    def __init__(self, folder: Path, dtype: Any) -> None:
        self.parts = {}

    @classmethod
    def fits(cls, config: dict[str, Any]) -> bool:
        """Say whether this is the class for a model's config.json."""
        return config.get("model_type") in cls.model_types

    @classmethod
    @abstractmethod
    def describe(cls, folder: Path, config: dict[str, Any]) -> dict[str, Any]:
        """Return `sample_rate` and `speakers` (names, where there are several), `settings` where fewer act."""

    @abstractmethod
    def say(self, text: str, seed: int, params: SpeechParams, tick: Callable[[], None]) -> np.ndarray | None:
        """Return one sentence, float32, −1 … 1, or None where there is no sound.

        That is: no letter that the model knows, or an end token at once. `tick` is called at every forward pass and may
        raise `Interrupted`.
        """


class Vits(Voice):
    """VITS and MMS (Kim et al. 2021, Pratap et al. 2023): one pass, chance in rhythm and colour."""

    model_types = ("vits",)
    settings: ClassVar[tuple[str, ...]] = ("speaker", "speaking_rate", "noise_scale", "noise_scale_duration")

    def __init__(self, folder: Path, dtype: Any) -> None:
        from transformers import AutoTokenizer, VitsModel

        model = VitsModel.from_pretrained(folder, dtype=dtype, use_safetensors=True).eval()
        self.parts = {"model": model, "tokenizer": AutoTokenizer.from_pretrained(folder, trust_remote_code=False)}
        self.rate = int(model.config.sampling_rate)

    @classmethod
    def describe(cls, folder: Path, config: dict[str, Any]) -> dict[str, Any]:
        """Return the facts; see `Voice.describe`."""
        count = int(config.get("num_speakers", 1))
        return {"sample_rate": int(config["sampling_rate"]),
                "speakers": [str(number) for number in range(count)] if count > 1 else []}  # fmt: skip

    def read(self, text: str) -> Any:
        """Return the ids of a text (int64, 1 × letters)."""
        return self.parts["tokenizer"](text, return_tensors="pt")["input_ids"]

    def say(self, text: str, seed: int, params: SpeechParams, tick: Callable[[], None]) -> np.ndarray | None:
        """Say a sentence; see `Voice.say`."""
        model, ids = self.parts["model"], self.read(text)
        if ids.shape[1] < 2:
            return None
        # the model reads these attributes of its own: one run uses it at a time
        model.noise_scale, model.noise_scale_duration = params.noise_scale, params.noise_scale_duration
        speaker = int(params.speaker) if params.speaker and model.config.num_speakers > 1 else None
        with torch.inference_mode(), seeded(seed):
            wave = model(ids, speaker_id=speaker, speaking_rate=params.speaking_rate).waveform[0]
        return limit_peak(wave.float().numpy())


class Piper(Vits):
    """Piper's voices (Hansen 2023): VITS over letters of sound, which espeak-ng makes of a text."""

    settings: ClassVar[tuple[str, ...]] = ("speaking_rate", "noise_scale", "noise_scale_duration")
    named: ClassVar[str] = "piper"

    @classmethod
    def fits(cls, config: dict[str, Any]) -> bool:
        """Say whether a VITS names the language in which espeak-ng reads."""
        return super().fits(config) and isinstance(config.get("espeak_voice"), str)

    def read(self, text: str) -> Any:
        """Return the ids of a text's sounds as Piper spells them, a blank between two; unknown ones are left out."""
        ids = self.parts["tokenizer"].get_vocab()
        sounds = [ids[one] for one in phonemes.of(text, self.parts["model"].config.espeak_voice) if one in ids]
        if not sounds:
            return torch.zeros((1, 0), dtype=torch.int64)
        spelt = [ids["^"], *sounds, ids["$"]]
        return torch.tensor([[one for sound in spelt for one in (sound, ids["_"])][:-1]])


class SpeechT5(Voice):
    """SpeechT5 (Ao et al. 2022): spectrogram frame by frame, then the vocoder in the folder `vocoder`."""

    model_types = ("speecht5",)
    settings = ("voice_number", "threshold", "maxlenratio")

    def __init__(self, folder: Path, dtype: Any) -> None:
        from transformers import SpeechT5ForTextToSpeech, SpeechT5HifiGan, SpeechT5Processor

        model = SpeechT5ForTextToSpeech.from_pretrained(folder, dtype=dtype, use_safetensors=True).eval()
        vocoder = SpeechT5HifiGan.from_pretrained(folder / "vocoder", dtype=dtype, use_safetensors=True).eval()
        self.parts = {"model": model, "vocoder": vocoder, "processor": SpeechT5Processor.from_pretrained(folder)}
        self.rate = int(vocoder.config.sampling_rate)

    @classmethod
    def describe(cls, folder: Path, config: dict[str, Any]) -> dict[str, Any]:
        """Return the facts; see `Voice.describe`."""
        vocoder = json.loads((folder / "vocoder" / "config.json").read_text("utf-8"))
        return {"sample_rate": int(vocoder["sampling_rate"]), "speakers": []}

    def say(self, text: str, seed: int, params: SpeechParams, tick: Callable[[], None]) -> np.ndarray | None:
        """Say a sentence in the voice that a number stands for: a made-up x-vector of length 1."""
        model = self.parts["model"]
        ids = self.parts["processor"](text=text, return_tensors="pt")["input_ids"]
        if ids.shape[1] < 2:
            return None
        drawn = torch.randn((1, model.config.speaker_embedding_dim), generator=generator(params.voice_number))
        speaker = torch.nn.functional.normalize(drawn).to(model.dtype)
        with torch.inference_mode(), seeded(seed), watching([model.speecht5.decoder.prenet], tick):
            wave = model.generate_speech(
                ids, speaker, threshold=params.threshold, maxlenratio=params.maxlenratio, vocoder=self.parts["vocoder"]
            )
        return limit_peak(wave.float().numpy())


class Bark(Voice):
    """Bark (Suno 2023): three Transformers one after another, for what is said, how it sounds, and the detail."""

    model_types = ("bark",)
    settings = ("speaker", "semantic_temperature", "coarse_temperature", "fine_temperature", "min_eos_p", "max_seconds")

    def __init__(self, folder: Path, dtype: Any) -> None:
        from transformers import BarkModel, BarkProcessor

        model = BarkModel.from_pretrained(folder, dtype=dtype, use_safetensors=True).eval()
        self.parts = {"model": model, "processor": BarkProcessor.from_pretrained(folder)}
        self.rate = int(model.codec_model.config.sampling_rate)

    @classmethod
    def describe(cls, folder: Path, config: dict[str, Any]) -> dict[str, Any]:
        """Return the facts; the speakers are the presets that come with it."""
        presets = folder / "speaker_embeddings_path.json"
        names = json.loads(presets.read_text("utf-8")) if presets.exists() else {}
        return {"sample_rate": int(config["codec_config"].get("sampling_rate", 24_000)),
                "speakers": [name for name in names if name != "repo_or_path"]}  # fmt: skip

    def say(self, text: str, seed: int, params: SpeechParams, tick: Callable[[], None]) -> np.ndarray | None:
        """Say a sentence; see `Voice.say`."""
        model = self.parts["model"]
        given = self.parts["processor"](text, voice_preset=params.speaker or None, return_tensors="pt")
        chance: dict[str, Any] = {}
        for stage in ("semantic", "coarse"):
            heat = getattr(params, f"{stage}_temperature")
            chance |= {f"{stage}_do_sample": True, f"{stage}_temperature": heat} if heat > 0 else {
                f"{stage}_do_sample": False}  # fmt: skip
        # its last stage is greedy at None and at exactly 1
        chance["fine_temperature"] = {0.0: None, 1.0: 1.0 + 1e-6}.get(params.fine_temperature, params.fine_temperature)
        chance["semantic_max_new_tokens"] = max(1, round(params.max_seconds * SEMANTIC_RATE))
        if params.min_eos_p is not None:
            chance["min_eos_p"] = params.min_eos_p
        stages = [model.semantic, model.coarse_acoustics, model.fine_acoustics]
        with torch.inference_mode(), seeded(seed), watching(stages, tick):
            try:
                wave = model.generate(**given, **chance)
            except RuntimeError as error:
                if "ernel size" in str(error):  # an end token at once: fewer frames than the codec can decode
                    return None
                raise
        return limit_peak(wave[0].float().numpy())


class Latents(Voice):
    """Pocket TTS and Phonon: a language model over hidden frames, each drawn by a small flow (Kyutai 2026)."""

    model_types = ("pocket_tts", "gradium_phonon_tts")
    settings = ("speaker", "temperature", "num_flow_steps", "eos_threshold", "max_seconds")

    def __init__(self, folder: Path, dtype: Any) -> None:
        from safetensors.torch import load_file
        from transformers import AutoModelForTextToWaveform, AutoProcessor

        model = AutoModelForTextToWaveform.from_pretrained(folder, dtype=dtype, use_safetensors=True).eval()
        processor = AutoProcessor.from_pretrained(folder, trust_remote_code=False)
        self.parts = {"model": model, "codec": processor.audio_tokenizer.eval(), "processor": processor}
        self.rate = int(processor.feature_extractor.sampling_rate)
        self.voices = {file.stem: next(iter(load_file(file).values())) for file in _voices(folder)}

    @classmethod
    def describe(cls, folder: Path, config: dict[str, Any]) -> dict[str, Any]:
        """Return the facts; the speakers are the files in the folder `voices`: one tensor each, frames × dimension."""
        settings = json.loads((folder / "processor_config.json").read_text("utf-8"))
        drifting = config.get("flow_head_config", {}).get("flow_type") == "drifting"  # it samples in one call
        return {"sample_rate": int(settings["feature_extractor"]["sampling_rate"]),
                "speakers": [file.stem for file in _voices(folder)],
                "settings": [name for name in cls.settings if not (drifting and name == "num_flow_steps")]}  # fmt: skip

    def say(self, text: str, seed: int, params: SpeechParams, tick: Callable[[], None]) -> np.ndarray | None:
        """Say a sentence; see `Voice.say`."""
        model, processor = self.parts["model"], self.parts["processor"]
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        voice = self.voices.get(params.speaker or next(iter(self.voices), ""))
        if voice is not None:
            content.insert(0, {"type": "audio"})
        prompt = processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
        voices = {"audio_prompt_latents": [voice.reshape(-1, voice.shape[-1]).float()]} if voice is not None else {}
        given = processor(text=[prompt], return_tensors="pt", **voices)
        frames = max(1, round(params.max_seconds * model.config.frame_rate))
        chance = {"do_sample": True, "temperature": params.temperature} if params.temperature > 0 else {
            "do_sample": False}  # fmt: skip
        with torch.inference_mode(), seeded(seed), watching([model.flow_head], tick):
            out = model.generate(
                **given, **chance, num_flow_steps=params.num_flow_steps, eos_threshold=params.eos_threshold,
                max_new_tokens=frames, return_dict_in_generate=True,
            )  # fmt: skip
            wave = processor.decode(out.audio_latents, out.audio_latents_mask)[0]
        return limit_peak(wave.float().numpy())


class Hibari(Voice):
    """Hibari (Williams 2026), distilled from Kokoro-82M: a small ONNX net over phonemes, which its own code reads.

    That code lies beside the weights, as its package has it, and is imported from there.
    """

    model_types = ("hibari",)
    settings = ("speaking_rate",)

    def __init__(self, folder: Path, dtype: Any) -> None:
        self.parts = {"hibari": _package(folder / "hibari").Hibari()}
        self.rate = int(self.parts["hibari"].sample_rate)

    @classmethod
    def describe(cls, folder: Path, config: dict[str, Any]) -> dict[str, Any]:
        """Return the facts; see `Voice.describe`."""
        return {"sample_rate": int(config["sampling_rate"]), "speakers": []}

    def say(self, text: str, seed: int, params: SpeechParams, tick: Callable[[], None]) -> np.ndarray | None:
        """Say a sentence; see `Voice.say`. The seed fixes the noise of breath and hiss."""
        speaker, parts = self.parts["hibari"], []
        chance = np.random.default_rng(seed)
        for clause in speaker.phonemize(text):
            tick()
            parts.append(speaker.from_ids(speaker.ids(clause), params.speaking_rate, chance))
        wave = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return limit_peak(wave.astype(np.float32)) if len(wave) else None


def _package(folder: Path) -> Any:
    """Import the package in a folder under its own name, from there and nowhere else."""
    name = folder.name
    known = sys.modules.get(name)
    if known is not None and Path(str(known.__file__)).parent == folder:
        return known
    for one in [one for one in sys.modules if one.partition(".")[0] == name]:
        del sys.modules[one]
    found = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if found is None or found.loader is None:
        raise ImportError(f"{folder} holds no package")
    sys.modules[name] = module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


KINDS: tuple[type[Voice], ...] = (Piper, Vits, SpeechT5, Bark, Latents, Hibari)


def kind_of(config: dict[str, Any]) -> type[Voice]:
    """Return the class for a model's config.json. Raises `ValueError` for any other model type."""
    for kind in KINDS:
        if kind.fits(config):
            return kind
    known = ", ".join(dict.fromkeys(name for kind in KINDS for name in kind.model_types))
    raise ValueError(f"model type {config.get('model_type')!r} does not speak; known: {known}")


def describe_folder(folder: Path) -> dict[str, Any]:
    """Return the catalogue's facts. Raises `OSError`, `ValueError`, `KeyError` or `TypeError` for a damaged folder."""
    config = read_config(folder)
    kind = kind_of(config)
    return {
        "kind": kind.named or config["model_type"],
        "settings": list(kind.settings),
        **kind.describe(folder, config),
    }


def read_config(folder: Path) -> dict[str, Any]:
    """Return config.json. Raises `OSError` or `ValueError`."""
    found = json.loads((folder / "config.json").read_text("utf-8"))
    if not isinstance(found, dict):
        raise ValueError("config.json holds no JSON object")
    return found


@contextmanager
def watching(modules: list[Any], tick: Callable[[], None]) -> Iterator[None]:
    """Call `tick` before every forward pass of the modules, within this context."""
    handles = [module.register_forward_pre_hook(lambda *_: tick()) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def stop_at(stopped: Callable[[], bool]) -> Callable[[], None]:
    """Return a `tick` that raises `Interrupted` once `stopped()`."""

    def tick() -> None:
        if stopped():
            raise Interrupted

    return tick


def _voices(folder: Path) -> list[Path]:
    return sorted((folder / "voices").glob("*.safetensors"))
