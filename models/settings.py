"""Where things lie and how much may be used: one object, handed to the engine, the worker and the store."""

from __future__ import annotations

import glob
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
    `owners` says whose results are whose: "auto" (the signed-in user; else the machine's user where the server listens
    on loopback alone; else the browser, by a cookie), or always "machine", "cookie", or "session" (nothing is found
    again after a reload: for a browser that many share).
    `tool_max_s` is the most seconds that a tool, such as an after-effect, may take, `study_max_s` a look
    into a result, such as its attention.
    `memory_bytes` is the budget of the worker process; 0 takes it from the cgroup's limit. `threads` is the most
    threads that torch may use; 0 means one per usable core. Small models use one (`models.device.set_threads`).
    `preload` imports transformers and diffusers with the worker's start; else the first model that needs them does,
    and its first run waits seconds longer.
    Raises `BadSetting` for a value that cannot be used.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, allow_inf_nan=False)

    catalog_dirs: tuple[Path, ...] = (PACKAGE_DIR / "catalog",)
    family_dirs: tuple[Path, ...] = (PACKAGE_DIR / "*" / "families",)
    room_dirs: tuple[Path, ...] = (PACKAGE_DIR.parent / "components",)
    data_dir: Path = PACKAGE_DIR.parent / ".data"
    database_url: str = ""
    owners: Literal["auto", "machine", "cookie", "session"] = "auto"
    memory_bytes: int = Field(default=0, ge=0)
    threads: int = Field(default=0, ge=0)
    preload: bool = True
    queue_per_owner: int = Field(default=3, ge=1)
    queue_total: int = Field(default=20, ge=1)
    tool_max_s: float = Field(default=60.0, gt=0)
    study_max_s: float = Field(default=300.0, gt=0)
    gone_after_s: float = Field(default=3.0, gt=0)
    keep_alone_s: float = Field(default=600.0, gt=0)
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

    def family_folders(self) -> tuple[Path, ...]:
        """Return the folders that `family_dirs` names: a pattern stands for every folder it fits, by name."""
        found: list[Path] = []
        for pattern in self.family_dirs:
            fits = [pattern] if pattern.is_dir() else [Path(name) for name in sorted(glob.glob(str(pattern)))]
            found += [folder for folder in fits if folder not in found]
        return tuple(found)


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
