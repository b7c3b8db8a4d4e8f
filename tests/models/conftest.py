import signal
import subprocess

import psycopg
import pytest

from models.__main__ import main
from models.migrating import HEAD
from models.store import Store
from tests.postgres import Server

# modules whose tests of a store run over both kinds of database, but for those that are marked `sqlite`
BOTH = (
    "test_store",
    "test_finding",
    "test_finding_pages",
    "test_pruning",
    "test_held",
    "test_owners",
    "test_retention",
)


def pytest_generate_tests(metafunc):
    there = metafunc.module.__name__.rsplit(".", 1)[-1] in BOTH
    if there and metafunc.definition.get_closest_marker("sqlite") is None:
        for name in {"database", "bare"} & set(metafunc.fixturenames):
            metafunc.parametrize(name, ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="session")
def postgres():
    """Return the server of this process."""
    server = Server()
    yield server
    server.close()


class Databases:
    """Lend one database after the other: the same one, emptied, as long as a test left its tables as they were.

    To empty one takes 0.03 s, to copy the empty one a quarter of a second.
    """

    def __init__(self, server):
        self._server, self._name = server, None
        self._shape = None

    def lend(self):
        if self._name is None:
            self._name = self._server.database()
            self._shape = self._look(self._name)
        return self._server.url(self._name)

    def _look(self, name, *, empty=False):
        with psycopg.connect(self._server.url(name), autocommit=True) as connection:
            connection.execute("SET lock_timeout = '1s'")
            rows = connection.execute(
                "SELECT table_name, count(*) FROM information_schema.columns WHERE table_schema = 'public' GROUP BY 1"
            ).fetchall()
            rows += connection.execute("SELECT tgname, 0 FROM pg_trigger WHERE NOT tgisinternal").fetchall()
            if empty and sorted(rows) == self._shape:
                kept = {"alembic_version", "playground_schema"}
                names = ", ".join(table for table, _ in rows if table not in kept)
                connection.execute(f"TRUNCATE {names} RESTART IDENTITY")
                connection.execute("UPDATE alembic_version SET version_num = %s", (HEAD,))
            return sorted(rows)

    def take_back(self):
        try:
            if self._look(self._name, empty=True) == self._shape:
                return
        except psycopg.Error:  # a test left something that holds it
            pass
        self._server.drop(self._name)
        self._name = None


@pytest.fixture(scope="session")
def _databases(postgres):
    return Databases(postgres)


@pytest.fixture
def database(request, tmp_path):
    """Return the URL of an empty index: "" for SQLite in the data folder."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield ""
        return
    lent = request.getfixturevalue("_databases")
    yield lent.lend()
    lent.take_back()


@pytest.fixture
def bare(request):
    """Return the URL of a database without anything."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgres")
    name = server.bare()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def store(database, tmp_path):
    store = Store(database, tmp_path)
    yield store
    store.close()


@pytest.fixture
def command(capsys):
    """Return the command line without a process of its own, which would import everything anew: seconds each time."""

    def run(*arguments):
        capsys.readouterr()
        code = main(list(arguments))
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, printed.out, printed.err)

    before = signal.getsignal(signal.SIGINT)  # a run takes Ctrl+C for itself
    yield run
    signal.signal(signal.SIGINT, before)
