"""Sound in and out: uploads checked before they are decoded, results as files with all that causes them inside."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from models.amounts import size
from models.audio import tags
from models.audio.rates import Resampler
from models.errors import BadInput
from models.stamps import TEXT_MAX_CHARS, Recovered, own_settings
from models.types import Output

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from models.audio import decoding
    from models.blobs import Blobs
    from models.family import Context

    Samples = NDArray[np.float32]

UPLOAD_MAX_BYTES = 50_000_000
UPLOAD_MAX_S = 600.0
UPLOAD_MIN_S = 0.05
DECODED_MAX_BYTES = 115_200_000  # of an upload's one voice, 4 bytes a sample: ten minutes at 48 kHz
UPLOAD_MAX_SAMPLES = DECODED_MAX_BYTES // 4
PIECE_MAX_S = 30.0  # of a recording that is heard at once: attention over minutes outgrows the memory
RATE_MIN, RATE_MAX = 1_000, 384_000
SILENT = 1e-4  # a peak below this is nothing that could be heard
FORMATS = {"WAV": "audio/wav", "FLAC": "audio/flac", "MP3": "audio/mpeg", "OGG": "audio/ogg"}
BLOCK = 65_536  # frames that are encoded at once
CHUNKS_MAX = 10_000  # of a WAV file that are looked at for its comment
DECODED = "mono"  # beside an upload: its samples as a mono WAV of floats, at its own rate
WAV_COMMENT_MAX_BYTES = 30_000  # the library drops a longer one without a word
_MARK = '{"index":'  # how our comment begins: its keys are sorted
LIMITS = f"At most {UPLOAD_MAX_BYTES // 1_000_000} MB and {UPLOAD_MAX_S / 60:.0f} minutes."
_WHAT = "Upload a WAV, FLAC, MP3, OGG, M4A, AAC or WebM recording"


def sound_output(
    samples: Samples, rate: int, stamp: Mapping[str, Any], index: int = 0, text: str = "",
    meta: Mapping[str, Any] | None = None,
) -> Output:  # fmt: skip
    """Return finished sound as 16-bit WAV with its `stamp` inside; `samples` are −1 … 1, frames (× channels).

    Equal arguments give equal bytes. The stamp is JSON in the INFO comment. `text` is what else belongs to the sound: a
    tune's notation, what was said.
    """
    data = encode(samples, rate, "WAV", comment_of(stamp, index))
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    return Output(
        kind="audio", index=index, text=text, data=data, media_type="audio/wav",
        sha256=hashlib.sha256(data).hexdigest(),
        meta={"sample_rate": rate, "seconds": round(len(samples) / rate, 4), "channels": channels, **(meta or {})},
    )  # fmt: skip


def comment_of(stamp: Mapping[str, Any], index: int) -> str:
    """Return what a file says of its cause: JSON of the stamp and of which output it is, as in a picture."""
    content = {"playground": True, "index": index, "stamp": dict(stamp)}
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def encode(samples: Samples, rate: int, kind: str = "WAV", comment: str = "") -> bytes:
    """Return a sound file of one of `FORMATS` with a comment of any length in its tags."""
    import soundfile

    buffer = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    whole = kind in ("WAV", "FLAC")  # codings of whole numbers
    long = kind == "WAV" and len(comment.encode()) > WAV_COMMENT_MAX_BYTES
    if kind == "MP3" and comment.startswith(_MARK):
        comment = _ascii(comment)  # its tags are read back as Latin-1
    samples = np.clip(samples, -1, 1)
    with soundfile.SoundFile(buffer, "w", rate, channels, subtype="PCM_16" if whole else None, format=kind) as file:
        if comment and not long:
            file.comment = comment
        if whole:  # rounded here: the library would add dither of its own
            file.write((samples * 32767).round().astype(np.int16))
        else:  # never int16: libsndfile 1.2.2 writes noise for a stereo MP3 of it
            for start in range(0, len(samples), BLOCK):  # a long OGG at once overflows the library's stack
                file.write(samples[start : start + BLOCK].astype(np.float32))
    return _with_comment(buffer.getvalue(), comment) if long else buffer.getvalue()


def _ascii(text: str) -> str:
    """Return JSON with every other character than ASCII escaped."""
    return re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], text)


def _with_comment(wav: bytes, comment: str) -> bytes:
    """Return a WAV file with a LIST INFO chunk at its end; see `_info_comment`."""
    text = comment.encode() + b"\0"
    text += b"\0" * (len(text) % 2)
    content = b"INFOICMT" + len(text).to_bytes(4, "little") + text
    body = wav[8:] + b"\0" * (len(wav) % 2) + b"LIST" + len(content).to_bytes(4, "little") + content
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def read_wav(data: bytes) -> tuple[Samples, int]:
    """Return a file of our own as float32, frames × channels, and its rate."""
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return samples, int(rate)


@dataclass(frozen=True)
class Size:
    """Say how much sound a file holds: `values` are frames × channels."""

    seconds: float
    values: int


def size_of(blobs: Blobs, ref: str) -> Size:
    """Return how much sound a stored WAV holds, by its header. Raises `BadInput` for what is none or not there."""
    import soundfile

    file = blobs.path(ref)
    if not file.exists():
        blobs.get_bytes(ref)  # says what is missing
    try:
        about = soundfile.info(file)
    except (soundfile.SoundFileError, OSError, RuntimeError) as error:
        raise BadInput(f"What is stored under {ref} is not a sound. Choose a sound that was made here.") from error
    return Size(about.frames / about.samplerate, about.frames * about.channels)


def read_comment(data: bytes) -> str:
    """Return the comment in a sound file's tags, "" where there is none or the file is no sound."""
    import soundfile

    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":  # the library reads no comment above 4 kB
        return _info_comment(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            return str(file.comment)
    except (soundfile.SoundFileError, OSError, UnicodeDecodeError):
        return ""


def read_settings(data: bytes) -> Recovered | None:
    """Return what a sound file of ours says of its making, None for one that says nothing.

    Raises `BadInput` for a file that is no sound, and where the settings are there but damaged.
    """
    if len(data) > UPLOAD_MAX_BYTES:
        raise BadInput(f"The sound is {size(len(data))}; at most {size(UPLOAD_MAX_BYTES)} are allowed.")
    if not tags.is_sound(data):
        raise BadInput(f"This is not a sound file this app can read. {_WHAT}.")
    comment = next((text for text in tags.comments(data) if text.startswith(_MARK)), "")
    if len(comment) > TEXT_MAX_CHARS:
        raise BadInput(f"The settings in this sound are {len(comment):,} characters long: too long to be settings.")
    return own_settings(comment, "sound") if comment else None


def _info_comment(data: bytes) -> str:
    """Return ICMT of a WAV file's LIST INFO chunk (Multimedia Programming Interface 1.0, IBM & Microsoft 1991)."""
    whole = memoryview(data)
    for name, content in _chunks(whole[12:]):
        if name == b"LIST" and bytes(content[:4]) == b"INFO":
            for inner, text in _chunks(content[4:]):
                if inner == b"ICMT":
                    return bytes(text).split(b"\0")[0].decode("utf-8", "replace")
    return ""


def _chunks(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the name and the content of each chunk, of at most `CHUNKS_MAX`; nothing is copied."""
    at = 0
    for _ in range(CHUNKS_MAX):
        if at + 8 > len(data):
            return
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield bytes(data[at : at + 4]), data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def decode_upload(data: bytes, rate: int = 0, name: str = "recording") -> tuple[Samples, int]:
    """Return a recording as mono float32, −1 … 1, at `rate` (0: at its own), and the rate.

    Looks at the bytes, not at a file name or at the length that a header tells. Channels are averaged, or the loudest
    is heard where they cancel. What is held is the file, a block of it, and what is returned. Raises `BadInput` for
    empty, too large, too long, foreign, damaged, silent and almost empty files, and for too many channels.
    """
    from models.audio import decoding

    out = decoding.Gathered()
    turned: list[Resampler] = []  # the last one is at work: the loudest channel begins anew

    def begin(own: int) -> decoding.Take:
        take = out.begin()
        if not rate or rate == own:
            return take
        turned.append(Resampler(own, rate))

        def bring(block: Samples) -> None:
            for part in turned[-1].take(block):
                take(part)

        return bring

    own = _read(data, name, begin)
    if turned:
        out.take(turned[-1].end())
    return out.samples(), rate or own


def decode_upload_to(file: Path, data: bytes, name: str = "recording") -> None:
    """Write a recording as `decode_upload` returns it, at its own rate, into a mono WAV file of floats.

    What is held is the upload and a block. Raises as `decode_upload`.
    """
    import soundfile

    opened: list[soundfile.SoundFile] = []

    def begin(own: int) -> decoding.Take:
        for one in opened:
            one.close()
        opened.append(soundfile.SoundFile(file, "w", own, 1, subtype="FLOAT", format="WAV"))
        return opened[-1].write  # type: ignore[no-any-return]

    try:
        _read(data, name, begin)
    finally:
        for one in opened:
            one.close()


def _read(data: bytes, name: str, begin: Callable[[int], decoding.Take]) -> int:
    """Hand over an upload's one voice in blocks (see `decoding.read`), and return its rate."""
    from models.audio import decoding

    if not data:
        raise BadInput(f"The {name} is empty (0 bytes). {_WHAT}.")
    if len(data) > UPLOAD_MAX_BYTES:
        raise BadInput(
            f"The {name} is {size(len(data))}; at most {size(UPLOAD_MAX_BYTES)} are allowed. Cut it, or "
            "save it as FLAC or MP3.", bytes=len(data), limit=UPLOAD_MAX_BYTES,
        )  # fmt: skip
    count, peak = 0, 0.0

    def measured(own: int) -> decoding.Take:
        nonlocal count, peak
        count, peak, take = 0, 0.0, begin(own)

        def measure(block: Samples) -> None:
            nonlocal count, peak
            count += len(block)
            if len(block):
                peak = max(peak, float(block.max()), -float(block.min()))
            take(block)

        return measure

    try:
        own = decoding.read(data, decoding.Limits(UPLOAD_MAX_S, RATE_MIN, RATE_MAX, UPLOAD_MAX_SAMPLES), measured)
    except decoding.NotSound as error:
        raise BadInput(f"The {name} is not a sound file this app can read. {_WHAT}.") from error
    except decoding.Damaged as error:
        raise BadInput(f"The {name} is damaged: it cannot be read to its end. Save it again.") from error
    except decoding.NotSamples as error:
        raise BadInput(
            f"The {name} has samples that are not a number, or far beyond full scale. Save it again as 16-bit WAV or "
            "FLAC."
        ) from error
    except decoding.ManyChannels as error:
        raise BadInput(
            f"The {name} has {error.channels:,} channels; at most {decoding.CHANNELS_MAX} are allowed. Save it as mono "
            "or stereo.", channels=error.channels, limit=decoding.CHANNELS_MAX,
        ) from error  # fmt: skip
    except decoding.StrangeRate as error:
        raise BadInput(
            f"The {name} has {error.rate:,} samples per second; {RATE_MIN:,} to {RATE_MAX:,} are allowed. Save it "
            "at 44,100 Hz."
        ) from error
    except decoding.TooLong as error:
        at_rate_of = "" if error.most >= UPLOAD_MAX_S else " at its sampling rate"
        most = _time(error.most)
        long = f"{_time(error.seconds)} long" if error.seconds else f"longer than {most}"
        advice = "Shorten it." if not at_rate_of else "Shorten it, or save it at 44,100 Hz."
        raise BadInput(
            f"The {name} is {long}; at most {most} are allowed{at_rate_of}. {advice}",
            seconds=error.seconds or None, limit=error.most,
        ) from error  # fmt: skip
    except MemoryError as error:
        raise BadInput(
            f"The {name} needs more memory to be read than is allowed. Save it as mono WAV at 44,100 Hz, or shorten it."
        ) from error
    if not count or count < UPLOAD_MIN_S * own:
        raise BadInput(f"The {name} holds {count} samples, less than {UPLOAD_MIN_S} s of sound. Record longer.")
    if peak < SILENT:
        raise BadInput(f"The {name} is silent from beginning to end. Check the microphone, or upload another one.")
    return own


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} minutes"


def open_recording(context: Context, ref: str, rate: int) -> tuple[Samples, int]:
    """Return a run's recording as `decode_upload` does, decoded only where nobody did it before (a file of the CLI)."""
    import soundfile

    from models.audio import decoding

    assert context.open_ref is not None
    if (kept := context.open_beside(ref, DECODED)) is None:
        return decode_upload(context.open_ref(ref), rate)
    out = decoding.Gathered()
    with soundfile.SoundFile(io.BytesIO(kept)) as file:
        own = int(file.samplerate)
        turned = Resampler(own, rate) if rate and rate != own else None
        for block in file.blocks(decoding.BLOCK, dtype="float32"):
            for part in turned.take(block) if turned is not None else (block,):
                out.take(part)
    if turned is not None:
        out.take(turned.end())
    return out.samples(), rate or own


def pieces(samples: Samples, rate: int, most_s: float = PIECE_MAX_S) -> list[tuple[int, int]]:
    """Return the parts, of at most `most_s` s, of a long recording (mono): first sample, and one past the last.

    Each cut lies where the last third of a part is quietest, so that no word is cut in two if there is a pause.
    """
    most, window = int(most_s * rate), max(1, rate // 20)
    found, start = [], 0
    while len(samples) - start > most:
        third = samples[start + 2 * most // 3 : start + most].astype(np.float64) ** 2
        loudness = np.convolve(third, np.ones(window), "valid")
        cut = start + 2 * most // 3 + int(loudness.argmin()) + window // 2
        found.append((start, cut))
        start = cut
    return [*found, (start, len(samples))]


def peaks(samples: Samples, count: int = 800) -> list[list[float]]:
    """Return the lowest and the highest value of each of `count` stretches, for drawing: [[low, high], …]."""
    mono = samples if samples.ndim == 1 else samples.mean(1)
    if not len(mono):
        return []
    count = min(count, len(mono))
    edges = np.linspace(0, len(mono), count + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(mono, edges), np.maximum.reduceat(mono, edges)
    return [[round(float(a), 4), round(float(b), 4)] for a, b in zip(low, high, strict=True)]
