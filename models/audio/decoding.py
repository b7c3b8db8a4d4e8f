"""Recordings decoded block by block, whatever length their header tells: FFmpeg by way of PyAV, else libsndfile.

A header's length is an estimate: of an MP3 without a Xing header, of a stream, of a recorder that was killed. So what
is there is read until nothing comes, and the limit of length is checked while reading. What is held at a time is the
file, one block of it, and what the caller keeps of the one voice that it is handed.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]
    Take = Callable[[Samples], None]

log = logging.getLogger(__name__)

BLOCK = 65_536  # frames that are held at once
CHANNELS_MAX = 32
CHUNKS_MAX = 10_000  # of a file in chunks, before its sound; a file made by a program has a dozen
_HEADER_READS = 100_000  # of libsndfile, which walks over chunks without end
# what FFmpeg may take a file for: recordings, no playlist or script that names other files or addresses
_CONTAINERS = "wav,w64,aiff,au,caf,voc,flac,mp3,ogg,aac,amr,ac3,wv,tta,asf,avi,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm"
_SIZED = ("flac",)  # whose header's length is exact, or left open
_SAMPLE_MAX = 1e6  # full scale is 1; whole numbers kept as floats reach 32,768
_ODD_MOST = 0.1  # share of samples that are no loudness, up to which they are heard as silence
_BAD_MOST = 0.1  # share of packets that cannot be decoded, up to which a recording is heard all the same


_BAD_FIRST = 10_000  # packets in which there is nothing to hear, before the first in which there is


class NotSound(Exception):
    """Say that no library here takes these bytes for a recording."""


class Damaged(Exception):
    """Say that a recording ends in the middle of what its header began, or holds little that can be decoded."""


class NotSamples(Exception):
    """Say that many of a recording's samples are not a number, or beyond any scale."""


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


class ManyChannels(Exception):
    """Say that a recording has `channels`, more than are mixed."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.channels = channels


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
    """Return a recording as mono float32, frames, and its rate in Hz; see `read`."""
    gathered = Gathered()
    rate = read(data, limits, lambda rate: gathered.begin())
    return gathered.samples(), rate


def read(data: bytes, limits: Limits, begin: Callable[[int], Take]) -> int:
    """Hand a recording over as one voice, mono float32 in blocks of at most `BLOCK` frames; return its rate in Hz.

    `begin(rate)` returns what takes the blocks. Channels are averaged; where that cancels them (right = −left) it is
    called once more, and the loudest one is handed over. Returns 0 for a recording without a sample. Raises `NotSound`,
    `Damaged`, `NotSamples`, `TooLong`, `StrangeRate`, `ManyChannels` and `MemoryError`.
    """
    mono = _Mono(limits, begin)
    for block, rate in _blocks(data, limits):
        mono.take(block, rate)
    mono.check()
    if mono.cancels():
        mono = _Mono(limits, begin, mono.loudest())
        for block, rate in _blocks(data, limits):
            mono.take(block, rate)
    return mono.rate


class Gathered:
    """Gather blocks of one voice into an array that grows in place: nothing is held twice."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.float32)
        self._count = 0

    def begin(self) -> Take:
        """Forget what was taken before, and return what takes the blocks."""
        self._count = 0
        return self.take

    def take(self, mono: Samples) -> None:
        """Add a block, frames."""
        if self._count + len(mono) > len(self._buffer):
            self._buffer.resize(max(2 * len(self._buffer), self._count + len(mono)), refcheck=False)
        self._buffer[self._count : self._count + len(mono)] = mono
        self._count += len(mono)

    def samples(self) -> Samples:
        """Return what was gathered, frames."""
        self._buffer.resize(self._count, refcheck=False)
        return self._buffer


class _Mono:
    """Hand blocks of channels × frames on as one voice: their mean, or the channel `only`."""

    def __init__(self, limits: Limits, begin: Callable[[int], Take], only: int | None = None) -> None:
        self.rate = 0
        self._limits, self._begin, self._only = limits, begin, only
        self._hand: Take = lambda mono: None
        self._count = 0
        self._energy = np.zeros(0)  # of each channel
        self._own = 0.0  # of the mean
        self._values = self._odd = 0  # samples, and those that are no loudness

    def take(self, block: Samples, rate: int) -> None:
        """Take a block of channels × frames; of files joined into one, a later rate is brought to the first."""
        self._values += block.size
        if not np.abs(block).max(initial=0) <= _SAMPLE_MAX:  # not a number is not below anything
            odd = ~(np.abs(block) <= _SAMPLE_MAX)
            self._odd += int(odd.sum())
            block = np.where(np.isinf(block), np.sign(block), np.where(odd, np.float32(0), block))
        energy = np.einsum("cf,cf->c", block, block)
        if not self.rate:
            self.rate = rate
            self._hand = self._begin(rate)
        channels = len(block)
        mono = block.mean(0) if self._only is None else block[min(self._only, channels - 1)]
        if rate != self.rate:  # linear: a jingle before the recording, not what is listened to closely
            places = np.arange(0, len(mono), rate / self.rate)
            mono = np.interp(places, np.arange(len(mono)), mono).astype(np.float32)
        most = self._limits.most_s(self.rate)
        if self._count + len(mono) > most * self.rate:
            raise TooLong(most=most)
        self._hand(mono)
        self._count += len(mono)
        if channels > len(self._energy):
            self._energy = np.pad(self._energy, (0, channels - len(self._energy)))
        self._energy[:channels] += energy
        self._own += float(mono @ mono)

    def check(self) -> None:
        """Raise `NotSamples` where many samples were no loudness."""
        if self._odd > _ODD_MOST * self._values:
            raise NotSamples

    def cancels(self) -> bool:
        """Say whether the mean holds next to nothing of what the channels hold: 30 dB below the loudest."""
        return self._only is None and len(self._energy) > 1 and self._own < 1e-3 * float(self._energy.max())

    def loudest(self) -> int:
        """Return the channel with the most energy."""
        return int(self._energy.argmax())


def _blocks(data: bytes, limits: Limits) -> Iterator[tuple[Samples, int]]:
    """Yield blocks of channels × frames with their rate."""
    import av

    try:
        container = av.open(
            io.BytesIO(_sizes_healed(data)), options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"}
        )
    except (av.error.FFmpegError, ValueError, OSError) as error:
        if isinstance(error, MemoryError):
            raise
        yield from _by_libsndfile(data, limits)
        return
    heard = False
    with container:
        stream = next(iter(container.streams.audio), None)
        if stream is None:
            raise NotSound
        if stream.codec_context is not None:
            _check_rate(int(stream.rate or limits.rate_min), limits)
            _check_channels(int(stream.channels or 1))
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
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            bad += 1
            break
        packets += 1
        try:
            decoded = packet.decode()
        except av.error.FFmpegError as error:  # tags behind the sound, a frame that was cut: the rest is heard
            if isinstance(error, MemoryError):
                raise
            bad += 1
            if not frames and bad > _BAD_FIRST:
                break
            continue
        for frame in decoded:
            frames += frame.samples
            _check_channels(int(frame.layout.nb_channels))  # a header may lie
            for block in _floats(frame):
                yield block, int(frame.sample_rate)
    if bad and (not frames or bad > max(1, _BAD_MOST * packets)):
        log.info("%d of %d packets of a recording could not be decoded", bad, packets)
        raise Damaged


def _floats(frame: Any) -> Iterator[Samples]:
    """Yield a decoded frame of any sample format as blocks of channels × frames, −1 … 1."""
    array = frame.to_ndarray()
    whole = array if frame.format.is_planar else array.reshape(-1, frame.layout.nb_channels).T
    for start in range(0, whole.shape[1], BLOCK):
        block = np.ascontiguousarray(whole[:, start : start + BLOCK])
        if block.dtype == np.uint8:
            yield np.asarray((block.astype(np.float32) - 128) / 128)
        elif block.dtype.kind == "i":
            yield np.asarray(block / np.float32(-float(np.iinfo(block.dtype).min)), dtype=np.float32)
        else:
            yield np.asarray(block, dtype=np.float32)


class _Header(io.BytesIO):
    """Read a file whose header ends: past so many reads there is nothing more, until the sound itself is read."""

    left: float = _HEADER_READS

    def readinto(self, buffer: Any) -> int:
        self.left -= 1
        return super().readinto(buffer) if self.left > 0 else 0


def _by_libsndfile(data: bytes, limits: Limits) -> Iterator[tuple[Samples, int]]:
    """Yield what FFmpeg takes for no recording: codings that libsndfile alone knows."""
    import soundfile

    stream = _Header(data)
    try:
        file = soundfile.SoundFile(stream)
    except (soundfile.SoundFileError, OSError, RuntimeError, TypeError) as error:
        raise NotSound from error
    stream.left = float("inf")
    with file:
        _check_rate(int(file.samplerate), limits)
        _check_channels(int(file.channels))
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


def _check_channels(channels: int) -> None:
    if channels > CHANNELS_MAX:
        raise ManyChannels(channels)


def _sizes_healed(data: bytes) -> bytes:
    """Return a WAV file whose data chunk is told to reach to the end where its size cannot be right.

    A recorder that is killed leaves the size that it wrote last: less than there is, with no chunk behind it. Raises
    `NotSound` for a file of nothing but chunks.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data
    at = 12
    for _ in range(CHUNKS_MAX):
        if at + 8 > len(data):
            return data
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
    raise NotSound
