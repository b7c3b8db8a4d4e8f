"""Where things lie and how much may be used: one object, handed to the engine, the worker and the store."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

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
    """

    model_config = SettingsConfigDict(env_prefix="PLAYGROUND_", frozen=True)

    catalog_dirs: tuple[Path, ...] = (PACKAGE_DIR / "catalog",)
    family_dirs: tuple[Path, ...] = (PACKAGE_DIR / "*" / "families",)
    room_dirs: tuple[Path, ...] = (PACKAGE_DIR.parent / "components",)
    data_dir: Path = PACKAGE_DIR.parent / ".data"
    database_url: str = ""
    owners: Literal["auto", "machine", "cookie", "session"] = "auto"
    memory_bytes: int = Field(default=0, ge=0)
    threads: int = Field(default=0, ge=0)
    queue_per_owner: int = Field(default=3, ge=1)
    queue_total: int = Field(default=20, ge=1)
    tool_max_s: float = Field(default=60.0, gt=0)
    study_max_s: float = Field(default=300.0, gt=0)
    gone_after_s: float = Field(default=3.0, gt=0)
    keep_alone_s: float = Field(default=600.0, gt=0)
    stop_grace_s: float = Field(default=5.0, gt=0)

    def family_folders(self) -> tuple[Path, ...]:
        """Return the folders that `family_dirs` names: a pattern stands for every folder it fits, by name."""
        found: list[Path] = []
        for pattern in self.family_dirs:
            fits = [pattern] if pattern.is_dir() else [Path(name) for name in sorted(glob.glob(str(pattern)))]
            found += [folder for folder in fits if folder not in found]
        return tuple(found)
