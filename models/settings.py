"""Where things lie and how much may be used: one object, handed to the engine, the worker and the store."""

from __future__ import annotations

import glob
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from models.errors import BadSetting

_PREFIX = "PLAYGROUND_"
PACKAGE_DIR = Path(__file__).resolve().parent


class Settings(BaseSettings):
    """Read settings from `PLAYGROUND_*` environment variables; defaults fit a laptop and a small host.

    `catalog_dirs`, `family_dirs` and `room_dirs` (folders of rooms, each with its page.py) are searched in order.
    `data_dir` holds artefacts, uploads and, unless `database_url` names another SQL database, the run index.
    `weights_dir` keeps the weights of models that are got; by default a folder `weights` in `data_dir`.
    `owners` says whose results are whose: "auto" (the signed-in user; else the machine's user where the server listens
    on loopback alone; else the browser, by a cookie), or always "machine", "cookie", or "session" (nothing is found
    again after a reload: for a browser that many share).
    `tool_max_s` is the most seconds that a tool, such as an after-effect, may take, `study_max_s` a look
    into a result, such as its attention.
    At most `queue_per_owner` runs of an owner wait, `queue_per_address` of a network address (0: any number) and
    `queue_total` in all; a quarter of the places is kept for short runs. A run that is forecast to take more than
    `short_run_s` seconds is set aside for shorter ones of others. `run_budget_s` is the most seconds that a run should
    take while others wait: above it the page says so before Run, far above it the run is refused while they do.
    `decode_max_s` is the most seconds, and `decode_bytes` the most memory, in which an upload is decoded.
    `uploads_per_owner_bytes` is the most that one owner's uploads may take together, with what is kept beside them.
    `memory_bytes` is the budget of the worker process; 0 takes it from the cgroup's limit. `threads` is the most
    threads that torch may use; 0 means one per usable core. Small models use one (`models.device.set_threads`).
    `keep_bytes` is the most that stored results may take together, `keep_owner_bytes` those of one owner, `keep_runs`
    how many there may be, `keep_days` how long they are kept; 0: no limit. The oldest go first; those that are kept
    beside the next, or open now, last; those with a star stay.
    `keep_logits` is how many of an owner's newest texts keep their logits; older ones are computed again when they are
    looked into. `prune_every_s` is how often that is looked at.
    `preload` imports transformers and diffusers with the worker's start; else the first model that needs them does,
    and its first run waits seconds longer.
    Raises `BadSetting` for a value that cannot be used.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, allow_inf_nan=False)

    catalog_dirs: tuple[Path, ...] = (PACKAGE_DIR / "catalog",)
    family_dirs: tuple[Path, ...] = (PACKAGE_DIR / "*" / "families",)
    room_dirs: tuple[Path, ...] = (PACKAGE_DIR.parent / "components",)
    data_dir: Path = PACKAGE_DIR.parent / ".data"
    database_url: str = Field(default="", repr=False)  # it may hold a password
    weights_dir: Path | None = None
    owners: Literal["auto", "machine", "cookie", "session"] = "auto"
    memory_bytes: int = Field(default=0, ge=0)
    threads: int = Field(default=0, ge=0)
    preload: bool = True
    queue_per_owner: int = Field(default=3, ge=1)
    queue_per_address: int = Field(default=20, ge=0)
    queue_total: int = Field(default=40, ge=1)
    short_run_s: float = Field(default=10.0, gt=0)
    run_budget_s: float = Field(default=60.0, gt=0)
    tool_max_s: float = Field(default=60.0, gt=0)
    study_max_s: float = Field(default=300.0, gt=0)
    decode_max_s: float = Field(default=30.0, gt=0)
    decode_bytes: int = Field(default=600_000_000, ge=1_000_000)
    uploads_per_owner_bytes: int = Field(default=500_000_000, ge=1)
    gone_after_s: float = Field(default=3.0, gt=0)
    keep_alone_s: float = Field(default=600.0, gt=0)
    keep_bytes: int = Field(default=2_000_000_000, ge=0)
    keep_owner_bytes: int = Field(default=0, ge=0)
    keep_runs: int = Field(default=0, ge=0)
    keep_days: float = Field(default=0.0, ge=0)
    keep_logits: int = Field(default=20, ge=0)
    prune_every_s: float = Field(default=60.0, gt=0)
    stop_grace_s: float = Field(default=5.0, gt=0)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            told = "; ".join(_sentence(one) for one in error.errors())
            raise BadSetting(f"{told}. Correct it, or unset it.") from error
        except SettingsError as error:  # a list that is not JSON
            name = str(error).split('"')[1] if '"' in str(error) else ""
            raise BadSetting(
                f"{_PREFIX}{name.upper()} cannot be read; it must be a JSON list of folders, such as "
                '["/data/catalog"]. Correct it, or unset it.'
            ) from error

    def weights_folder(self) -> Path:
        """Return the folder where weights that are got are kept; it may not be there yet."""
        return self.weights_dir or self.data_dir / "weights"

    def family_folders(self) -> tuple[Path, ...]:
        """Return the folders that `family_dirs` names: a pattern stands for every folder it fits, by name."""
        found: list[Path] = []
        for pattern in self.family_dirs:
            fits = [pattern] if pattern.is_dir() else [Path(name) for name in sorted(glob.glob(str(pattern)))]
            found += [folder for folder in fits if folder not in found]
        return tuple(found)


def current() -> Settings:
    """Return the settings of the environment as it is now: the same object until a `PLAYGROUND_*` variable changes.

    Raises `BadSetting`.
    """
    return _of_environment(tuple(sorted(item for item in os.environ.items() if item[0].upper().startswith(_PREFIX))))


@lru_cache(maxsize=4)
def _of_environment(variables: tuple[tuple[str, str], ...]) -> Settings:
    return Settings()


def _sentence(problem: Any) -> str:
    name = _PREFIX + str(problem["loc"][0]).upper() if problem["loc"] else "A setting of the playground"
    must = {
        "int_parsing": "a whole number",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_parsing": "a number",
        "float_type": "a number",
        "greater_than_equal": f"at least {problem.get('ctx', {}).get('ge')}",
        "greater_than": f"more than {problem.get('ctx', {}).get('gt')}",
        "literal_error": f"one of {problem.get('ctx', {}).get('expected')}",
        "tuple_type": "a JSON list of folders",
    }.get(problem["type"])
    given = f"{name} is {str(problem['input'])[:80]!r}"
    return f"{given}; it must be {must}" if must else f"{given}, which cannot be used ({problem['msg']})"
