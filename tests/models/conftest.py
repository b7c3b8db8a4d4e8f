import signal
import subprocess

import pytest

from models.__main__ import main
from models.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store("", tmp_path)
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
