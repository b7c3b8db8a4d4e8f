"""Plain values that name a request and what came of it."""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, with_config
from typing_extensions import TypedDict  # pydantic reads the standard library's from Python 3.12 on

# an open word, told by the families and drawn by the rooms that know it
OutputKind = str
ASIDE: frozenset[str] = frozenset({"steps", "view"})  # kinds for looking into a result: they are none themselves
RunStatus = Literal["done", "stopped", "failed"]

SEED_MAX = 2**32 - 1
STUDY = "study"  # the purpose of a job that looks into the result of another
WRITING = "writing"  # the purpose of a job whose words go into a text that somebody writes: none of it is kept
PARTS_MAX = 200  # inputs of a request, and settings
NEW_SEED = -1  # where a person writes a seed: draw a new one


def drawn_seed() -> int:
    """Return a new seed by chance. Small, so that it is easily told and typed."""
    return secrets.randbelow(100_000)


def is_number(value: Any) -> bool:
    """Say whether this is a finite number: true and false are none, and a whole number may be beyond any float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)


def is_text(value: Any) -> bool:
    """Say whether this is a text that can be stored and shown: no half of a character (lone surrogate) in it."""
    return isinstance(value, str) and not any("\ud800" <= one <= "\udfff" for one in value)


@with_config(ConfigDict(extra="allow"))
class Facts(TypedDict, total=False):
    """Hold what depends on a model's weights: the facts that code reads, each where the family has it; others pass.

    Lengths in tokens, sizes in px, `sample_rate` in Hz, `max_s` in seconds. `settings` are those that the model's call
    honours, `insides` the studies that it has, `words` and `speakers` those that it can say and be,
    `labels` counts a recogniser's names, `word_times` says that it can tell when each word was said.
    `outliers` the word for what it knows, where it can tell what it does not. `task` is what a model of texts was made
    for (`models.text.tasks`), `threshold` the probability below which it does better not to answer, `label_names` what
    it can answer, `several` that more than one of them may hold, `pooling` how an encoder's tokens become one vector.
    """

    kind: str
    settings: list[str]
    context_length: int
    vocabulary_size: int
    chat: bool
    insides: list[str]
    learnt: str
    marks: dict[str, int | float]
    tasks: list[str]
    schedulers: list[str]
    max_steps: int
    size_step: int
    clip_layers: int
    word_maps: bool
    sample_rate: int
    max_s: float
    speakers: list[str]
    words: list[str]
    languages: list[str]
    outliers: str
    labels: int
    word_times: bool
    styles: list[str]
    task: str
    threshold: float
    label_names: list[str]
    several: bool
    pooling: str


class RunStats(TypedDict, total=False):
    """Hold what there is to be told of a run, as plain JSON.

    A family's `Final` gives `stopped`, `notes` (sentences), what was counted (`tokens` or `steps`, `counted` names the
    latter) and `unused`: settings that could not act, for `run_request` alone, which adds `in_effect`, times in seconds
    and `peak_bytes` of the process, `load_s` of a model that was loaded first, `aside_s` of a run that was set aside,
    and `bare`: the indices of outputs whose file does not hold the stamp, where there are any. `not_stored` says why a
    run is not kept, `made_before` that another run's result was taken for it, `together` how many runs were made at
    once (`made_again` where this one was then made alone, as its numbers might have led elsewhere), `cause` is the hash
    of all that a generation follows from (see `models.causes`), `made_with` all of that beside the request: revision,
    versions, device, dtype, threads, cpu.
    """

    stopped: bool
    notes: list[str]
    in_effect: dict[str, Any]
    unused: list[str]
    tokens: int
    tokens_per_s: float
    prompt_tokens: int
    prompt_tokens_reused: int
    steps: int
    steps_per_s: float
    counted: str
    preview_s: float
    listen_s: float
    seconds: float
    first_output_s: float
    load_s: float
    aside_s: float
    peak_bytes: int
    not_stored: str
    cause: str
    made_with: dict[str, Any]
    made_before: bool
    together: int
    made_again: bool
    bare: list[int]


class Request(BaseModel):
    """Name the whole cause of a result, as plain JSON.

    `inputs` maps an input's name to text, or to `sha256:<64 hex digits>` for an upload whose bytes lie in the store;
    `params` holds only what differs from the model's defaults or everything: both mean the same run. Each has at most
    `PARTS_MAX` entries. `seed` is 0 … 2**32 - 1. `study` names one of the family's short jobs that look into a run
    (the kept steps, a word's part in a picture); empty for a generation, and then left out of the JSON.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    inputs: dict[str, str] = Field(default_factory=dict, max_length=PARTS_MAX)
    params: dict[str, JsonValue] = Field(default_factory=dict, max_length=PARTS_MAX)
    seed: int = Field(default=0, ge=0, le=SEED_MAX)
    study: str = Field(default="", pattern=r"^[a-z_]{0,40}$", exclude_if=lambda value: not value)

    def canonical(self) -> str:
        """Return the one JSON text of this request: sorted keys, no spaces, non-ASCII kept."""
        return json.dumps(self.model_dump(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Output:
    """Hold one result, or a snapshot of one on its way.

    `text` is what a text output shows. `data` is the finished artefact's file bytes (empty in previews of text),
    `sha256` their hash in hex. `meta` is plain JSON (finish reason, width, sample_rate, …; `aloud`: what a voice is to
    read of a text that holds numbers and labels).
    """

    kind: OutputKind
    index: int = 0
    text: str = ""
    data: bytes = b""
    media_type: str = "text/plain"
    sha256: str = ""
    meta: dict[str, Any] = field(default_factory=dict)

    def to_header(self) -> dict[str, Any]:
        """Return every field but `data` as plain JSON."""
        return {"kind": self.kind, "index": self.index, "text": self.text, "media_type": self.media_type,
                "sha256": self.sha256, "meta": self.meta}  # fmt: skip


@dataclass
class Run:
    """Record one finished, stopped or failed request.

    `created_at` is UTC seconds since the epoch. `outputs` keep their text; artefact bytes are fetched from the
    store by `sha256`. `error` is `PlaygroundError.to_dict()` of a failed run. `purpose` is what its job was for.
    """

    id: str
    owner: str
    job: str
    request: Request
    status: RunStatus
    created_at: float
    outputs: list[Output] = field(default_factory=list)
    stats: RunStats = field(default_factory=RunStats)
    error: dict[str, Any] | None = None
    purpose: str = ""

    @property
    def output_sha256(self) -> str:
        """Return the SHA-256, in hex, over the artefacts' bytes in order (see `combined_sha256`)."""
        return combined_sha256(self.outputs)


def combined_sha256(outputs: list[Output] | tuple[Output, ...]) -> str:
    """Return the one hash of a run's artefacts: the artefact's own if there is one, else a hash of the hashes.

    Kept steps and views are no result: they do not count.
    """
    hashes = [output.sha256 for output in outputs if output.kind not in ASIDE]
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()
