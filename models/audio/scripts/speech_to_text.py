"""The script that hears a recording again: a recogniser of transformers, ours by its carried source."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from models.scripts import Part, Script, constants, dtype, weights
from models.stamps import file_name

if TYPE_CHECKING:
    from models.audio.families.speech_to_text import SpeechToTextParams
    from models.spec import ModelSpec
    from models.types import Request

# by `model_type` of config.json: architectures that transformers does not have
_OWN_TYPES = {"playground_speech_ctc": "models.audio.nets.speech_ctc:SpeechCTC"}
_FAMILY = "models.audio.families.speech_to_text"
_SOUND = (
    "the recording is a file beside this script; the playground reads more kinds of files than the library "
    "soundfile does, and of a stereo recording whose channels cancel each other it takes the louder one."
)
_WORDS = (
    'for segment in out["segments"][0]:',
    "    for word in words_of(processor.tokenizer, segment):",
    """        print(word["start_s"], word["end_s"], word["label"])""",
)
_TOKENS_PER_S = 6.5  # of speech: Moonshine may repeat itself without end


def script(spec: ModelSpec, request: Request, params: SpeechToTextParams, any_language: str, above: int) -> Script:
    """Return the script of a request; see `Family.script`. `any_language` is the choice that names none.

    Weights above `above` bytes keep their dtype.
    """
    folder, imports = weights(spec)
    named: dict[str, Any] = {"RECORDING": "audio.wav"}
    libraries = ["import torch", "import soundfile", "from transformers import AutoProcessor", *imports]
    carries = ["models.audio.rates:resample"]
    if spec.facts.get("kind") in ("whisper", "moonshine"):
        named["SEED"] = request.seed
        carries += ["models.audio.sounds:pieces"] if spec.facts["kind"] == "moonshine" else []
        carries += ["models.audio.sampling.transcribing:words_of"] if params.timestamps == "words" else []
        libraries.append("from transformers import AutoModelForSpeechSeq2Seq")
        listen = (_whisper if spec.facts["kind"] == "whisper" else _moonshine)(spec, params, any_language)
        load = [f"model = AutoModelForSpeechSeq2Seq.from_pretrained(WEIGHTS, dtype={dtype(spec, above)}).eval()"]
    else:
        named["MIN_CONFIDENCE"] = params.min_confidence
        kind = json.loads((spec.folder() / "config.json").read_text("utf-8"))["model_type"] if spec.here else ""
        carries += [_OWN_TYPES[kind]] if kind in _OWN_TYPES else []
        carries += [f"{_FAMILY}:segments", "models.audio.sounds:pieces"]
        libraries.append("from transformers import AutoModelForCTC")
        load = [f"model = AutoModelForCTC.from_pretrained(WEIGHTS, dtype={dtype(spec, above)}).eval()"]
        listen, more = _ctc(spec, params)
        carries += more
    load.append("processor = AutoProcessor.from_pretrained(WEIGHTS)")
    read = [
        "rate = int(processor.feature_extractor.sampling_rate)",
        'samples, own_rate = soundfile.read(RECORDING, dtype="float32", always_2d=True)',
        "samples = samples.mean(1)",
        "if own_rate != rate:",
        "    samples = resample(samples, own_rate, rate)",
    ]
    name = file_name(spec.id, request.seed)
    show = [f'Path({name!r}).write_text(text, "utf-8", newline="\\n")', "print(text)"]
    return Script(
        f"{folder}\n{constants(**named)}",
        (
            Part("Load", "\n".join(load)),
            Part("Read the recording", "\n".join(read), "One voice, at the rate that the model learnt from."),
            Part("Listen", "\n".join(listen), "Each stretch of sound becomes tokens."),
            Part("Show", "\n".join(show)),
        ),
        tuple(libraries), tuple(carries), (_SOUND,),
    )  # fmt: skip


def _ctc(spec: ModelSpec, params: SpeechToTextParams) -> tuple[list[str], list[str]]:
    """Return the lines that read a recording by CTC, and what they carry."""
    carries: list[str] = []
    judge = ""
    lines = ["blank = model.config.pad_token_id or 0", "found = []"]
    strange = params.max_outlier is not None and bool(spec.facts.get("outliers"))
    if strange:
        carries += ["models.audio.looking.outliers:read", "models.audio.looking.outliers:around",
                    f"{_FAMILY}:without_strange"]  # fmt: skip
        lines = ["measured = read(WEIGHTS)  # what the sounds were like that it learnt", *lines]
        judge = ", judge"
    lines += [
        "for start, end in pieces(samples, rate):",
        '    given = processor(samples[start:end], sampling_rate=rate, return_tensors="pt")["input_values"]',
        "    with torch.inference_mode():",
        "        heard = model(given, output_hidden_states=True)",
        "    odds = heard.logits[0].float().softmax(-1).numpy()  # frames × labels",
    ]
    if strange:
        lines += [
            "    hidden = heard.hidden_states[-1][0].float().numpy()  # frames × width",
            "",
            "    def judge(label, peak, hidden=hidden):",
            "        return measured.score(around(hidden, peak), label)",
            "",
        ]
    lines += [
        f"    found += segments(odds, blank, end / rate - start / rate, start / rate{judge})",
        'kept = [one for one in found if one["confidence"] >= MIN_CONFIDENCE]',
    ]
    if strange:
        lines.append(f"kept, _ = without_strange(kept, {params.max_outlier!r})")
    lines += [
        "# a blank between any two, so that the tokenizer takes none for a repeat",
        'spaced = [token for one in kept for token in (one["label"], blank)]',
        'text = processor.tokenizer.decode(spaced).strip() if spaced else ""',
    ]
    return lines, carries


def _whisper(spec: ModelSpec, params: SpeechToTextParams, any_language: str) -> list[str]:
    words, silence = "", []
    if params.no_speech_threshold is not None:
        silence = [f"        no_speech_threshold={params.no_speech_threshold!r}, logprob_threshold=-1.0,"]
    if spec.facts.get("languages"):
        language = None if params.language == any_language else params.language
        words = f"task={params.task!r}, language={language!r}, "
    return [
        "long = len(samples) / rate > processor.feature_extractor.chunk_length",
        'more = {"truncation": False, "padding": "longest"} if long else {}',
        'given = processor(samples, sampling_rate=rate, return_tensors="pt", return_attention_mask=True, **more)',
        "torch.manual_seed(SEED)",
        "with torch.inference_mode():",
        "    out = model.generate(",
        f"        **given, {words}num_beams={params.num_beams!r}, temperature={params.temperature!r},",
        "        return_timestamps=True, return_segments=True,"
        + (" return_token_timestamps=True," if params.timestamps == "words" else ""),
        *silence,
        "    )",
        'said = [processor.decode(one["tokens"], skip_special_tokens=True).strip() for one in out["segments"][0]]',
        'text = " ".join(one for one in said if one)',
        *(_WORDS if params.timestamps == "words" else ()),
    ]


def _moonshine(spec: ModelSpec, params: SpeechToTextParams, any_language: str) -> list[str]:
    chance = f"do_sample=True, temperature={params.temperature!r}" if params.temperature > 0 else "do_sample=False"
    return [
        "said = []",
        "torch.manual_seed(SEED)",
        "for start, end in pieces(samples, rate):  # it learnt from less than a minute at a time",
        '    given = processor(samples[start:end], sampling_rate=rate, return_tensors="pt")',
        f"    most = max(4, round((end - start) / rate * {_TOKENS_PER_S}))",
        "    with torch.inference_mode():",
        f"        out = model.generate(**given, {chance}, num_beams={params.num_beams!r}, max_new_tokens=most)",
        "    said.append(processor.decode(out[0], skip_special_tokens=True).strip())",
        'text = " ".join(one for one in said if one)',
    ]
