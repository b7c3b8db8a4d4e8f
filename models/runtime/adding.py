"""Add a model from the disk to an owner's catalogue: looked at, forecast, copied, tried in a child, then kept.

What is checked is what runs: files are copied first, hashed as they go, and everything after reads the copy. So results
keep their cause whatever becomes of the original, at the price of its room on the disk. What is read from a file of
somebody else's is read in a child process within memory and time. An entry appears with whole weights, or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models import added, amounts, choosing, outside, whose
from models.blobs import file_errors
from models.catalog import Catalog, load_catalog
from models.errors import BadInput, PlaygroundError, Stopped, WeightsError
from models.from_disk import Found
from models.runtime import getting
from models.runtime.getting import Stage, Tell
from models.settings import Settings
from models.spec import ModelSpec

LOOK_MAX_S, LOOK_BYTES = 60, 1_500_000_000
TRY_MAX_S, TRY_BYTES = 1200, 2_000_000_000
TRIED_PER_NUMBER = 12  # bytes of address space: as read, in full precision, as kept, and once loaded
KEPT_BYTES = 2  # of one number that was unpacked
BESIDE_BYTES = 20_000_000  # its tokenizer and texts
NAME_MAX = 60
_PIECE = 1 << 20
_NO = re.compile(r"[^a-z0-9.]+")


@dataclass(frozen=True)
class Plan:
    """Say what adding a found model means: its entry so far, and the forecast of its memory."""

    found: Found
    spec: ModelSpec
    load_bytes: int
    run_bytes: int

    @property
    def total_bytes(self) -> int:
        """Return what it takes of memory, loaded and in a run."""
        return self.load_bytes + self.run_bytes

    @property
    def while_added_bytes(self) -> int:
        """Return the most bytes of disk that adding takes: the copy, and what is made of it."""
        return self.found.bytes + (self.spec.weights.size_bytes or 0) * bool(self.found.gguf)


def look(path: str, stopped: Callable[[], bool] = lambda: False) -> Found:
    """Say what lies at a path. Raises `BadInput` with the reason where it cannot be added; `Stopped`."""
    with tempfile.TemporaryDirectory(prefix="playground-look-") as place:
        order = {"do": "look", "path": str(path), "seconds": LOOK_MAX_S, "bytes": LOOK_BYTES}
        return Found(**_asked(order, Path(place), stopped, LOOK_MAX_S * 2))


def plan(found: Found, catalog: Catalog, owner: str, name: str = "") -> Plan:
    """Return what adding a found model means. Raises `BadInput` where no family runs it, or where it is here already.

    `name` is what it is to be called; by default as its file or folder is.
    """
    families = [
        family for family in catalog.families.values()
        if (found.gguf in family.gguf if found.gguf else family.adopts(found.config))
    ]  # fmt: skip
    called = " ".join(name.split())[:NAME_MAX] or found.name or Path(found.path).stem[:NAME_MAX]
    if not families:
        known = sorted({one for family in catalog.families.values()
                        for one in (family.gguf if found.gguf else family.architectures)})  # fmt: skip
        said = ", ".join(found.architectures)[:120] or "none"
        raise BadInput(
            f"{called}: its architecture ({said}) is none that runs here. Known are {', '.join(known)}."
            + (_ELSEWHERE if found.gguf else "")
        )
    family = families[0]
    size = found.numbers * KEPT_BYTES + BESIDE_BYTES if found.gguf else found.bytes
    spec = ModelSpec(
        id=f"{family.modality}/{_short_id(called, owner)}", name=called, family=family.name,
        summary=f"Added from {Path(found.path).name[:100]}.", architecture=found.architecture,
        trained_on="not said", licence=found.licence or "not said", parameters=max(1, found.numbers), order=200,
        weights={"disk": found.path, "sha256": "0" * 64, "size_bytes": size},
        facts=_facts(found.config),
    )  # fmt: skip
    return _forecast(found, catalog, spec)


def words(plan: Plan) -> list[str]:
    """Say what a model is and what it takes, before it is added: sentences."""
    spec, found = plan.spec, plan.found
    unpacked = (
        f"unpacked from {amounts.size(found.bytes)} to {amounts.size(found.numbers * KEPT_BYTES)}"
        if found.gguf else f"{amounts.size(found.bytes)}, copied"
    )  # fmt: skip
    count = f"{found.numbers / 1e6:,.1f} million" if found.numbers >= 1e6 else f"{found.numbers:,}"
    said = [
        f"{spec.name}: {spec.architecture}, {count} parameters, {unpacked}.",
        f"It takes about {amounts.size(round(plan.total_bytes, -6))} of memory: {amounts.size(plan.load_bytes)} "
        "loaded, the rest for a run.",
    ]  # fmt: skip
    if found.left:
        more = f" and {len(found.left) - 3} more" if len(found.left) > 3 else ""
        said.append(f"Not taken: {', '.join(name[:60] for name in found.left[:3])}{more}.")
    return said


def refuse_too_large(plan: Plan, room_bytes: int, settings: Settings) -> None:
    """Raise `WeightsError` for a model that does not fit into memory or onto the disk."""
    if room_bytes and plan.total_bytes > room_bytes:
        raise WeightsError(
            f"{plan.spec.name} is too large: unpacked to {amounts.size(plan.spec.weights.size_bytes or 0)}, it would "
            f"take about {amounts.size(round(plan.total_bytes, -6))} of memory, and models may take "
            f"{amounts.size(room_bytes)} here." + (_ELSEWHERE if plan.found.gguf else " Take a smaller one.")
        )
    folder = settings.weights_folder()
    with file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    if free < plan.while_added_bytes:
        raise WeightsError(
            f"{plan.spec.name} needs {amounts.size(plan.while_added_bytes)} of disk while it is added, and "
            f"{amounts.size(free)} are free in {folder}. Free some, or let PLAYGROUND_WEIGHTS_DIR name another disk."
        )


def add(
    plan: Plan, owner: str, room_bytes: int, settings: Settings, tell: Tell,
    stopped: Callable[[], bool] = lambda: False,
) -> ModelSpec:  # fmt: skip
    """Copy, try and keep a model, and write its entry; return that.

    Raises `WeightsError` for one that is too large, does not load, or is here already; `Stopped`.
    """
    refuse_too_large(plan, room_bytes, settings)
    spec = plan.spec
    with getting.alone(spec, settings, tell, stopped), getting.workplace(spec, settings) as place:
        catalog = load_catalog(settings, strict=False, everyone=True)
        digest = _copy(plan.found, place / "source", tell, stopped)
        spec = _named(spec, catalog.of(owner), catalog, digest)
        tell(Stage("convert"))
        made, told = place / "made", _try(plan, spec, place, settings, stopped)
        size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
        spec = ModelSpec(**{
            **spec.model_dump(), "facts": told["facts"], "parameters": max(1, int(told["parameters"])),
            "architecture": str(told["architecture"])[:200],
            "weights": {"disk": plan.found.path, "sha256": digest, "size_bytes": size},
        })  # fmt: skip
        refuse_too_large(_forecast(plan.found, catalog, spec), room_bytes, settings)
        spec = spec.model_copy(update={"kept": spec.kept_in(settings.weights_folder()), "owned": added.place_of(owner)})
        assert spec.kept is not None
        getting.write_list(spec, made)
        entry = added.write(settings, owner, spec.short_id, spec.model_dump(mode="json", exclude_defaults=True))
        try:
            with file_errors(spec.kept):
                os.replace(made, spec.kept)
        except PlaygroundError:
            added.remove(settings, entry)
            raise
    return spec.model_copy(update={"file": entry})


def owner_of_shell() -> str:
    """Return whose catalogue a shell adds to."""
    return whose.machine_owner()


_ELSEWHERE = (
    " GGUF files are unpacked to dense numbers here; a llama.cpp server (`llama-server -m FILE`) runs them as they "
    "are, many more kinds of them, and in a fraction of the memory."
)


def _named(spec: ModelSpec, mine: Catalog, every: Catalog, digest: str) -> ModelSpec:
    """Return the entry under an id that is free. Raises `WeightsError` where the owner has the same weights already."""
    for one in mine.values():
        if one.weights.disk is not None and one.weights.sha256 == digest:
            raise WeightsError(f"These weights are here already, as {one.named}.")
    taken = {one.short_id for one in every.values()}
    number, wanted = 2, spec.short_id
    while wanted in taken:
        wanted, number = f"{spec.short_id}-{number}", number + 1
    return spec.model_copy(update={"id": f"{spec.modality}/{wanted}"})


def _short_id(called: str, owner: str) -> str:
    """Return the last part of an id from a name; that of another than the machine's user cannot be guessed."""
    plain = _NO.sub("-", called.lower()).strip("-.")[:40].strip("-.") or "model"
    return plain if owner == whose.machine_owner() else f"{plain}-{added.place_of(owner)[:8]}"


def _facts(config: Mapping[str, Any]) -> dict[str, int]:
    """Return what a forecast of a run asks for, as far as config.json says it."""
    told = {"context_length": config.get("max_position_embeddings") or config.get("n_positions"),
            "vocabulary_size": config.get("vocab_size")}  # fmt: skip
    return {name: value for name, value in told.items() if isinstance(value, int) and 0 < value < 10**8}


def _forecast(found: Found, catalog: Catalog, spec: ModelSpec) -> Plan:
    family = catalog.families[spec.family]
    load = family.needed_bytes(spec)
    one = Catalog([spec], catalog.families)
    try:
        run = choosing.needs(one, spec).run
    except Exception:  # its facts are not known yet: half of its bytes, as most families take
        run = load // 2
    return Plan(found, spec, load, run)


def _copy(found: Found, into: Path, tell: Tell, stopped: Callable[[], bool]) -> str:
    """Copy the files that make a model; return one hash over their names and contents."""
    whole, done = hashlib.sha256(), 0
    for name, path in sorted(found.files.items()):
        into.mkdir(exist_ok=True)
        digest = hashlib.sha256()
        with file_errors(Path(path)), Path(path).open("rb") as stream, (into / name).open("xb") as out:
            while piece := stream.read(_PIECE):
                if stopped():
                    raise Stopped("Adding was stopped.")
                if (done := done + len(piece)) > found.bytes + _PIECE:
                    raise WeightsError(f"{name} grew while it was read. Add it when nothing writes to it.")
                digest.update(piece)
                out.write(piece)
                tell(Stage("copy", min(done, found.bytes), found.bytes))
        whole.update(f"{name}\0{digest.hexdigest()}\n".encode())
    return whole.hexdigest()


def _try(
    plan: Plan, spec: ModelSpec, place: Path, settings: Settings, stopped: Callable[[], bool]
) -> Mapping[str, Any]:
    """Let a child look at the copy again, unpack it, describe it and load it once; return what it found."""
    found = plan.found
    order = {
        "do": "try", "source": str(place / "source"), "made": str(place / "made"), "numbers": found.numbers,
        "spec": spec.model_dump(mode="json"), "settings": settings.model_dump(mode="json", exclude={"database_url"}),
        "gguf": found.gguf, "seconds": TRY_MAX_S,
        "bytes": TRIED_PER_NUMBER * found.numbers + 2 * found.bytes + TRY_BYTES,
    }  # fmt: skip
    return _asked(order, place, stopped, TRY_MAX_S)


def _asked(order: Mapping[str, Any], place: Path, stopped: Callable[[], bool], limit_s: float) -> dict[str, Any]:
    """Give a child an order and return its answer. Raises what it refuses with."""
    asked, answer, scratch = place / "order.json", place / "answer.json", place / "scratch"
    scratch.mkdir(exist_ok=True)
    asked.write_text(json.dumps(order), "utf-8")
    command = [sys.executable, "-m", "models.runtime.adding_process", str(asked), str(answer)]
    said = getting.run_child(command, stopped, "Adding was stopped.", scratch, limit_s=limit_s)
    try:
        told = outside.read_json(answer.read_text("utf-8"))
    except (OSError, outside.Unreadable):
        last = ((said or "").strip().splitlines() or ["nothing was said"])[-1][:200]
        raise WeightsError(
            f"It could not be read within the memory and time that it has ({last}). Nothing of it was kept."
        ) from None
    if "refused" in told:
        raise BadInput(str(told["refused"]))
    return dict(told["found"])
