"""Start the app as `streamlit run` does; at SIGUSR1 it writes the names of its imported modules to a file.

usage: python -m tests.browser.serve MODULES_FILE PORT
"""

import signal
import sys
from pathlib import Path

from streamlit.web import cli


def main() -> None:
    file, port = Path(sys.argv[1]), sys.argv[2]
    signal.signal(signal.SIGUSR1, lambda *_: file.write_text("\n".join(sorted(sys.modules))))
    sys.argv = [
        "streamlit", "run", "Home.py", "--server.port", port, "--server.address", "127.0.0.1",
        "--server.headless", "true",
    ]  # fmt: skip
    cli.main()


if __name__ == "__main__":
    main()
