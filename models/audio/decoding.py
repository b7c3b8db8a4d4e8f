"""Recordings decoded block by block, whatever length their header tells: FFmpeg by way of PyAV, else libsndfile.

A header's length is an estimate: of an MP3 without a Xing header, of a stream, of a recorder that was killed. So what
is there is read until nothing comes, and the limit of length is checked while reading.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

log = logging.getLogger(__name__)

BLOCK = 65_536  # frames that are read at once by libsndfile
# what FFmpeg may take a file for: recordings, no playlist or script that names other files or addresses
_CONTAINERS = "wav,w64,aiff,au,caf,voc,flac,mp3,ogg,aac,amr,ac3,wv,tta,asf,avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"
_SIZED = ("flac",)  # whose header's length is exact, or left open
_BAD_MOST = 0.1  # share of packets that cannot be decoded, up to which a recording is heard all the same


class NotSound(Exception):
    """Say that no library here takes these bytes for a recording."""


class Damaged(Exception):
    """Say that a recording ends in the middle of what its header began, or holds little that can be decoded."""


class TooLong(Exception):
    """Say that a recording goes on past the limit.

    `seconds` is what its header tells, 0 where that is unknown; `most` are the seconds allowed at its rate.
    """

    def __init__(self, seconds: float = 0.0, most: float = 0.0) -> None:
        super().__init__(seconds, most)
        self.seconds, self.most = seconds, most


class StrangeRate(Exception):
    """Say that a recording has `rate` samples per second, which is outside of the limits."""

    def __init__(self, rate: int) -> None:
        super().__init__(rate)
        self.rate = rate


@dataclass(frozen=True)
class Limits:
    """Say what is decoded at most: seconds, the least and greatest rate in Hz, and samples.

    A rate beyond those of sound cards has fewer seconds, for a second takes as much more memory.
    """

    seconds: float
    rate_min: int
    rate_max: int
    samples: int

    def most_s(self, rate: int) -> float:
        """Return the seconds that are allowed at a rate in Hz."""
        return min(self.seconds, self.samples / rate)


def decode(data: bytes, limits: Limits) -> tuple[Samples, int]:
    """Return a recording as mono float32, frames, and its rate in Hz.

    Channels are averaged; where that cancels them (right = −left) the loudest one is heard. What is held at a time is
    the mono sound and one block. Raises `NotSound`, `Damaged`, `TooLong` and `StrangeRate`.
    """
    mono = _Mono(limits)
    for block, rate in _blocks(data, limits):
        mono.take(block, rate)
    if mono.cancels():
        loudest = mono.loudest()
        mono = _Mono(limits, loudest)
        for block, rate in _blocks(data, limits):
            mono.take(block, rate)
    return mono.samples(), mono.rate


class _Mono:
    """Gather blocks of channels × frames as one voice: their mean, or the channel `only`."""

    def __init__(self, limits: Limits, only: int | None = None) -> None:
        self.rate = 0
        self._limits, self._only = limits, only
        self._buffer = np.empty(0, np.float32)
        self._count = 0
        self._energy = np.zeros(0)  # of each channel
        self._own = 0.0  # of the mean

    def take(self, block: Samples, rate: int) -> None:
        """Add a block of channels × frames; of files joined into one, a later rate is brought to the first."""
        energy = np.einsum("cf,cf->c", block, block)
        if not np.isfinite(energy).all():
            block = np.nan_to_num(block, nan=0.0, posinf=1.0, neginf=-1.0)
            energy = np.einsum("cf,cf->c", block, block)
        self.rate = self.rate or rate
        channels = len(block)
        mono = block.mean(0) if self._only is None else block[min(self._only, channels - 1)]
        if rate != self.rate:  # linear: a jingle before the recording, not what is listened to closely
            places = np.arange(0, len(mono), rate / self.rate)
            mono = np.interp(places, np.arange(len(mono)), mono).astype(np.float32)
        most = self._limits.most_s(self.rate)
        if self._count + len(mono) > most * self.rate:
            raise TooLong(most=most)
        if self._count + len(mono) > len(self._buffer):  # grows in place: nothing is held twice
            self._buffer.resize(max(2 * len(self._buffer), self._count + len(mono)), refcheck=False)
        self._buffer[self._count : self._count + len(mono)] = mono
        self._count += len(mono)
        if channels > len(self._energy):
            self._energy = np.pad(self._energy, (0, channels - len(self._energy)))
        self._energy[:channels] += energy
        self._own += float(mono @ mono)

    def cancels(self) -> bool:
        """Say whether the mean holds next to nothing of what the channels hold: 30 dB below the loudest."""
        return self._only is None and len(self._energy) > 1 and self._own < 1e-3 * float(self._energy.max())

    def loudest(self) -> int:
        """Return the channel with the most energy."""
        return int(self._energy.argmax())

    def samples(self) -> Samples:
        """Return what was gathered."""
        self._buffer.resize(self._count, refcheck=False)
        return self._buffer


def _blocks(data: bytes, limits: Limits) -> Iterator[tuple[Samples, int]]:
    """Yield blocks of channels × frames with their rate."""
    import av

    try:
        container = av.open(
            io.BytesIO(_sizes_healed(data)), options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"}
        )
    except (av.error.FFmpegError, ValueError, OSError):
        yield from _by_libsndfile(data, limits)
        return
    heard = False
    with container:
        stream = next(iter(container.streams.audio), None)
        if stream is None:
            raise NotSound
        if stream.codec_context is not None:
            _check_rate(int(stream.rate or limits.rate_min), limits)
            _check_header(container, stream, limits)
            try:
                for block in _by_ffmpeg(container, stream):
                    heard = True
                    yield block
            except Damaged:
                if heard:
                    raise
    if not heard:  # a container that FFmpeg knows, around a coding that it does not
        yield from _by_libsndfile(data, limits)


def _check_header(container: Any, stream: Any, limits: Limits) -> None:
    """Refuse by a header alone what is too long, where such headers are exact."""
    if container.format.name in _SIZED and stream.duration and stream.time_base:
        seconds = float(stream.duration * stream.time_base)
        most = limits.most_s(int(stream.rate or limits.rate_min))
        if seconds > most:
            raise TooLong(seconds, most)


def _by_ffmpeg(container: Any, stream: Any) -> Iterator[tuple[Samples, int]]:
    import av

    packets = bad = frames = 0
    reading = container.demux(stream)
    while True:
        try:
            packet = next(reading)
        except StopIteration:
            break
        except av.error.FFmpegError:
            bad += 1
            break
        packets += 1
        try:
            decoded = packet.decode()
        except av.error.FFmpegError:  # tags behind the sound, a frame that was cut: the rest is heard
            bad += 1
            continue
        for frame in decoded:
            frames += frame.samples
            yield _floats(frame), int(frame.sample_rate)
    if bad and (not frames or bad > max(1, _BAD_MOST * packets)):
        log.info("%d of %d packets of a recording could not be decoded", bad, packets)
        raise Damaged


def _floats(frame: Any) -> Samples:
    """Return a decoded frame of any sample format as channels × frames, −1 … 1."""
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = np.ascontiguousarray(array.reshape(-1, frame.layout.nb_channels).T)
    if array.dtype == np.uint8:
        return np.asarray((array.astype(np.float32) - 128) / 128)
    if array.dtype.kind == "i":
        return np.asarray(array / np.float32(-float(np.iinfo(array.dtype).min)), dtype=np.float32)
    return np.asarray(array, dtype=np.float32)


def _by_libsndfile(data: bytes, limits: Limits) -> Iterator[tuple[Samples, int]]:
    """Yield what FFmpeg takes for no recording: codings that libsndfile alone knows."""
    import soundfile

    try:
        file = soundfile.SoundFile(io.BytesIO(data))
    except (soundfile.SoundFileError, OSError, RuntimeError, TypeError) as error:
        raise NotSound from error
    with file:
        _check_rate(int(file.samplerate), limits)
        block = np.empty((BLOCK, file.channels), np.float32)
        while True:
            try:
                count = file.buffer_read_into(block, "float32")  # never seeks: some codings cannot
            except (soundfile.SoundFileError, RuntimeError) as error:
                raise Damaged from error
            if not count:
                return
            yield np.ascontiguousarray(block[:count].T), int(file.samplerate)


def _check_rate(rate: int, limits: Limits) -> None:
    if not limits.rate_min <= rate <= limits.rate_max:
        raise StrangeRate(rate)


def _sizes_healed(data: bytes) -> bytes:
    """Return a WAV file whose data chunk is told to reach to the end where its size cannot be right.

    A recorder that is killed leaves the size that it wrote last: less than there is, with no chunk behind it.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        after = at + 8 + size + size % 2
        if data[at : at + 4] == b"data":
            name = data[after : after + 4]
            left = len(data) - after
            if (
                size
                and left > 0
                and not (left < 4 or (name.isascii() and name.decode("ascii", "replace").isprintable()))
            ):
                return data[: at + 4] + b"\xff\xff\xff\xff" + data[at + 8 :]
            return data
        at = after
    return data
