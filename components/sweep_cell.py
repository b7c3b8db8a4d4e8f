"""A cell of a sweep's grid in the browser: what it shows, says and plays. Script and look are joined to the grid's."""

from __future__ import annotations

import base64


def url_of(media_type: str, data: bytes) -> str:
    """Return data as an address that holds it, "" for none."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}" if data else ""
