"""What the components that draw pictures share: addresses of pictures, their size on the page, the look of controls."""

from __future__ import annotations

import base64

PNG_URL = "data:image/png;base64,"


def png_url(png: bytes) -> str:
    """Return the address under which a browser shows a PNG without asking a server."""
    return PNG_URL + base64.b64encode(png).decode("ascii")
