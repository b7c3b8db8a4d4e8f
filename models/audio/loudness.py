"""One loudness for every sound that is made: EBU R 128's meter by pyloudnorm, FFmpeg's limiter for peaks.

ITU-R BS.1770-4 measures integrated loudness and, at four times the rate, the true peak between samples. −16 LUFS and at
most −1 dB of true peak are what players of speech and music on the web ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from models.params import hint

if TYPE_CHECKING:
    from av.filter import Graph
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

TARGET_LUFS = -16.0
PEAK_DB = -1.0  # true peak, below full scale
GAIN_MAX_DB = 40.0  # a sound softer than −56 LUFS is next to silence: its noise is not made loud
NEAR_LU = 0.1
EVEN = "even (−16 LUFS)"
_BLOCK_S = 0.4  # of the meter; a shorter sound is one block
_SHORTEST_S = 0.02
_OVERSAMPLED = 4
_BLOCK = 32_768  # frames that are oversampled at a time
_NEIGHBOURS = 16  # frames on each side that a value between two frames depends on, 10 of them by its filter
_ROUNDS = 4


Loudness = Literal["even (−16 LUFS)", "as it came"]


def loudness_field() -> Any:
    """Return the declaration of the setting `loudness`, which every family that makes sound has."""
    return Field(
        EVEN, description="Even: equally loud (−16 LUFS, true peak at most −1 dBTP). As it came: no gain.",
        json_schema_extra=hint(label="Loudness", group="Sound", neutral="as it came"),
    )  # fmt: skip


def level(samples: Samples, rate: int, loudness: str) -> tuple[Samples, dict[str, Any]]:
    """Return sound (frames, or frames × channels, float32) at the chosen loudness, and what was done, for its facts.

    The facts are `loudness_lufs` (of what is returned), `gain_db`, and `limited_db`: how far peaks were held down, left
    out where none was. Empty for silence, and for what is shorter than 0.02 s. Equal arguments give equal samples.
    """
    before = measure(samples, rate)
    if before is None:
        return samples, {}
    if loudness != EVEN:
        return samples, {"loudness_lufs": round(before, 1), "gain_db": 0.0}
    gain_db = min(TARGET_LUFS - before, GAIN_MAX_DB)
    out = _gained(samples, gain_db)
    limited_db = max(0.0, true_peak_db(out, rate) - PEAK_DB)
    after = before + gain_db
    if limited_db > 0:
        for _ in range(_ROUNDS):  # what the limiter takes away is given again
            out = _under_peak(_gained(samples, gain_db), rate)
            after = measure(out, rate) or before
            if TARGET_LUFS - after < NEAR_LU or gain_db >= GAIN_MAX_DB:
                break
            gain_db = min(gain_db + TARGET_LUFS - after, GAIN_MAX_DB)
        limited_db = max(0.0, true_peak_db(_gained(samples, gain_db), rate) - PEAK_DB)
    facts = {"loudness_lufs": round(after, 1), "gain_db": round(gain_db, 1)}
    return out, facts | ({"limited_db": round(limited_db, 1)} if limited_db >= 0.05 else {})


def words(facts: dict[str, Any]) -> str:
    """Return what `level` did in a sentence, "" where it did nothing."""
    if "gain_db" not in facts:
        return ""
    said = f"Loudness {facts['loudness_lufs']:.1f} LUFS".replace("-", "−")
    if facts["gain_db"]:
        said += f", gain {facts['gain_db']:+.1f} dB".replace("-", "−")
    if facts.get("limited_db"):
        said += f", peaks held down by up to {facts['limited_db']:.1f} dB"
    return said + "."


def measure(samples: Samples, rate: int) -> float | None:
    """Return the integrated loudness in LUFS (ITU-R BS.1770-4), None of silence and of less than 0.02 s.

    A sound shorter than the meter's block of 0.4 s is measured as one block.
    """
    import pyloudnorm

    if len(samples) < _SHORTEST_S * rate:
        return None
    meter = pyloudnorm.Meter(rate, block_size=min(_BLOCK_S, len(samples) / rate))
    with np.errstate(divide="ignore"):
        value = float(meter.integrated_loudness(samples.astype(np.float64)))
    return value if np.isfinite(value) else None


def true_peak_db(samples: Samples, rate: int) -> float:
    """Return the highest value between samples in dB below full scale (BS.1770-4, annex 2)."""
    from scipy.signal import resample_poly

    if not samples.size:
        return float("-inf")
    peak = max(float(np.abs(samples).max()), 1e-9)
    for start in range(0, len(samples), _BLOCK):  # with its neighbours, a block has the values of the whole
        block = samples[max(0, start - _NEIGHBOURS) : start + _BLOCK + _NEIGHBOURS]
        fine = np.abs(resample_poly(block, _OVERSAMPLED, 1, axis=0))
        first = min(start, _NEIGHBOURS) * _OVERSAMPLED
        peak = max(peak, float(fine[first : first + _BLOCK * _OVERSAMPLED].max()))
    return 20 * float(np.log10(peak))


def _gained(samples: Samples, gain_db: float) -> Samples:
    return (samples * np.float32(10 ** (gain_db / 20))).astype(np.float32)


def _under_peak(samples: Samples, rate: int) -> Samples:
    """Return sound whose true peak is at most `PEAK_DB`: limited at four times the rate, then scaled down."""
    import av

    planes = np.ascontiguousarray(samples.T if samples.ndim == 2 else samples[None], dtype=np.float32)
    layout = "mono" if len(planes) == 1 else "stereo"
    graph = av.filter.Graph()
    source = graph.add_abuffer(format="fltp", sample_rate=rate, layout=layout)
    up = graph.add("aresample", f"{rate * _OVERSAMPLED}")
    limit = 10 ** ((PEAK_DB - 0.1) / 20)
    limiter = graph.add("alimiter", f"limit={limit:.6f}:attack=3:release=60:level=0:latency=1")
    down = graph.add("aresample", f"{rate}")
    as_floats = graph.add("aformat", f"sample_fmts=fltp:channel_layouts={layout}")
    graph.link_nodes(source, up, limiter, down, as_floats, graph.add("abuffersink")).configure()
    blocks: list[Samples] = []
    for start in range(0, planes.shape[1], _BLOCK):  # at four times the rate and in doubles the whole would be large
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(planes[:, start : start + _BLOCK]), format="fltp", layout=layout
        )
        frame.sample_rate, frame.pts = rate, start
        graph.push(frame)
        blocks.extend(_ready(graph))
    graph.push(None)
    blocks.extend(_ready(graph))
    out = np.concatenate(blocks, 1)[:, : planes.shape[1]]
    out = np.pad(out, ((0, 0), (0, planes.shape[1] - out.shape[1])))
    found: Samples = np.ascontiguousarray(out.T if samples.ndim == 2 else out[0])
    over = true_peak_db(found, rate) - PEAK_DB
    return _gained(found, -over - 1e-4) if over > 0 else found


def _ready(graph: Graph) -> Iterator[Samples]:
    """Yield what a chain of filters has worked through so far."""
    import av

    while True:
        try:
            yield graph.pull().to_ndarray().astype(np.float32, copy=False)
        except (av.error.EOFError, av.error.BlockingIOError):
            return
