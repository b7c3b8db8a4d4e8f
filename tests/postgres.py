"""A PostgreSQL server for tests: Debian's package, started by the first test of a process that asks, ended with it."""

import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from models.store import Store

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: float(one.parent.name), reverse=True)
# a test's database need not survive a crash of the machine
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
         "shared_buffers": "32MB", "max_connections": "60", "min_wal_size": "2MB", "max_wal_size": "200MB"}  # fmt: skip
EMPTY = "empty"


def binaries():
    """Return the folder of the server's programs; the test is skipped where there is none."""
    for folder in FOLDERS:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    pytest.skip("PostgreSQL's server is not installed (on Debian: apt install postgresql)")


def _dies_with_its_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG; SIGQUIT: at once


class Server:
    """Run a server on a unix socket in a folder of its own; `url` is that of a database."""

    def __init__(self, **settings):
        self._settings = {**QUICK, **settings}
        self.programs = binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="playground-pg-"))  # a socket's name is short
        self._as = {"cwd": self.folder, "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}}
        if os.getuid() == 0:  # it refuses to run as root
            somebody = pwd.getpwnam("nobody")
            os.chown(self.folder, somebody.pw_uid, somebody.pw_gid)
            self._as |= {"user": somebody.pw_uid, "group": somebody.pw_gid, "extra_groups": []}
        subprocess.run(
            [self.programs / "initdb", "-D", self.folder / "data", "-U", "ann", "-A", "trust", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync", "--wal-segsize=1", "--no-instructions"],
            check=True, stdout=subprocess.DEVNULL, **self._as,
        )  # fmt: skip
        self._count, self._made = itertools.count(), False
        self.start()

    def start(self):
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        self.log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [self.programs / "postgres", "-D", self.folder / "data", "-k", self.folder, "-h", "", *options],
            stdout=self.log, stderr=self.log, preexec_fn=_dies_with_its_parent,  # noqa: PLW1509 (calls one function of C)
            **self._as,
        )  # fmt: skip
        end = time.monotonic() + 60
        while True:
            try:
                self.admin = psycopg.connect(host=str(self.folder), user="ann", dbname="postgres", autocommit=True)
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None and time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.02)

    def stop(self, how=signal.SIGINT):
        """End it: by SIGINT connections are cut in order, by SIGQUIT as in a crash."""
        self.admin.close()
        self._process.send_signal(how)
        self._process.wait(30)
        self.log.close()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name):
        return f"postgresql://ann@/{name}?host={self.folder}"

    def database(self):
        """Return the name of a new database with an empty index, a copy of the first one."""
        if not self._made:
            self.admin.execute(f"CREATE DATABASE {EMPTY}")
            with tempfile.TemporaryDirectory() as folder:
                Store(self.url(EMPTY), folder).close()
            self._made = True
        name = f"test_{next(self._count)}"
        self.admin.execute(f"CREATE DATABASE {name} TEMPLATE {EMPTY}")
        return name

    def bare(self):
        """Return the name of a new database without anything."""
        name = f"test_{next(self._count)}"
        self.admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def drop(self, name):
        self.admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
