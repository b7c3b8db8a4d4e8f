"""Entry point on Streamlit Community Cloud, which reads the requirements beside it before those at the root."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from components import shell  # noqa: E402 - the root has to be on the path first

shell.run()
