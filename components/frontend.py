"""Register components of the browser from the files beside their module: HTML, CSS and JavaScript.

Streamlit takes files only from installed packages, so their text is handed over. The browser then loads a component's
JavaScript as one module without an address, in which no relative `import` can work: what components share is joined in
front of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.bidi_component.state import ComponentResult
    from streamlit.components.v2.types import ComponentRenderer


def component(name: str, module_file: str, *, html: str = "", shared: Sequence[ModuleType] = ()) -> ComponentRenderer:
    """Register the component `name` from the files beside `module_file`; return what mounts it.

    `module_file` is the caller's `__file__`: for `ab_slider.py` these are `ab_slider.css`, `ab_slider.js` and, unless
    `html` stands in for it, `ab_slider.html`. `shared` are modules with a CSS and a JS file of their own beside them;
    those come first, in that order. Every name that such a JS file exports is there for the component's own.
    Raises FileNotFoundError naming the file that is missing.
    """
    files = [*(str(module.__file__) for module in shared), module_file]
    mount = st.components.v2.component(
        name,
        html=html or read(module_file, ".html"),
        css="\n".join(read(file, ".css") for file in files),
        js="\n".join(read(file, ".js") for file in files),
    )

    def mount_unscanned(**given: Any) -> ComponentResult:
        if isinstance(given.get("data"), dict):
            given["data"] = unscanned(given["data"])
        return mount(**given)

    return mount_unscanned


def unscanned(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a component's data with tuples for the lists at its first level; JSON writes both alike.

    There Streamlit asks of every list and mapping whether it is a table, and loads pandas and pyarrow (63 MB) to do so.
    A mapping has no such twin: put it into a list.
    """
    return {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}


def read(module_file: str, suffix: str) -> str:
    """Return the text of the file beside a module, such as `theme.css` for `theme.py`.

    Raises FileNotFoundError naming the file that is missing.
    """
    path = Path(module_file).with_suffix(suffix)
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: {Path(module_file).name} needs it beside it.") from None
