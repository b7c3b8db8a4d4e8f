"""What a captioner says of an image: its decoders side by side, and where each word of a caption attended to."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from components.escape import plain
from components.image import image_view
from models.image import files, sheets
from models.image.caption_settings import WRITERS
from models.types import Output, Run

if TYPE_CHECKING:
    from components.modality import Showing
    from components.session import Session
    from models.catalog import Catalog

WORDS_MOST = 8  # maps of a caption below a result; the look draws all
ENLARGED = 3  # times: large enough that no choice of smooth pixels stands below each row
MAP = {"width": 192, "height": 192}  # px
SHOWN = 96  # px: the image beside which captions stand


def is_one(output: Output) -> bool:
    """Say whether an output is what a captioner said."""
    return output.kind == "text" and bool(output.meta.get("captioned"))


def draw(output: Output, showing: Showing) -> None:
    """Draw each decoder's captions as bars, the first one large with the maps of its words."""
    found = output.meta["captioned"]
    st.image(picture(output), width=SHOWN, alt="The image as the model got it")
    for column, one in zip(st.columns(len(found)), found, strict=True):
        with column:
            first, *_ = one["captions"]
            st.caption(plain(_called(one["decoder"])))
            st.markdown(f"#### {plain(first['text'] or 'no words')}")
            for caption in one["captions"]:
                st.progress(min(1.0, max(0.0, caption["probability"])), text=plain(said(caption)))
            _draw_maps(output, first, f"{showing.key}-{output.index}-{one['decoder']}", showing.key, WORDS_MOST)
    more = max(len(one["captions"][0]["words"]) for one in found) > WORDS_MOST
    only = f" The first {WORDS_MOST} words; “Attention” has all." if more else ""
    st.caption(f"Where each word of the first caption attended to. Pale: little; strong: much.{only}")


def said(caption: dict[str, Any]) -> str:
    """Return a caption with its probability, and how many times it was drawn: "red heart, 3d 93.0% · 2 times"."""
    times = f" · {caption['count']} times" if caption.get("count", 1) > 1 else ""
    return f"{caption['text']} {caption['probability']:.1%}{times}"


def picture(output: Output) -> bytes:
    """Return the image that captions are about, as the model got it, as a PNG; b"" for another output."""
    return base64.b64decode(output.meta.get("picture", "")) if is_one(output) else b""


def words(output: Output) -> str:
    """Return the likeliest caption of an output in a few words; "" for what is no such output."""
    if not is_one(output):
        return ""
    first = [one["captions"][0] for one in output.meta["captioned"]]
    return str(max(first, key=lambda one: float(one["probability"]))["text"])


def fits_attention(catalog: Catalog, run: Run) -> bool:
    """Say whether a run has captions whose attention can be looked at."""
    return any(map(is_one, run.outputs))


def draw_attention(session: Session, run: Run, key: str) -> None:
    """Draw a choice of all captions of a run, and the maps of the chosen one's words."""
    output = next(filter(is_one, run.outputs))
    every = [(one["decoder"], caption) for one in output.meta["captioned"] for caption in one["captions"]]
    st.caption(
        "Before each word a decoder attends to the image: a map tells how much of its attention went to each of "
        f"{output.meta['grid']} × {output.meta['grid']} places (of the Transformer the mean of all layers and heads). "
        "Pale: little; strong: the most of this caption (shades follow the square root). It is where the decoder read, "
        "not why it chose the word; the comma decides that the name is over."
    )
    chosen = st.pills(
        "Caption", range(len(every)), default=0, required=True, key=f"{key}-caption", wrap=True,
        format_func=lambda at: plain(f"{_called(every[at][0])}: {every[at][1]['text']}"),
    )  # fmt: skip
    _draw_maps(output, every[chosen or 0][1], f"{key}-maps", key)
    st.image(sheets.heat_legend(), width=160, alt="Scale of the maps, from no attention to the most")


def _draw_maps(output: Output, caption: dict[str, Any], key: str, run: str, most: int | None = None) -> None:
    """Draw the image once for each word (at `most`) of a caption, under where it attended to, with its probability."""
    side, shown_under = int(output.meta["grid"]), picture(output)
    maps = np.array(caption["attention"][:most], np.float32).reshape(-1, side, side)
    if not len(maps):
        return
    heats = [files.heat_output(np.sqrt(one / maps.max())).data for one in maps]
    shown = [
        Output("image", at, "", sheets.heat_over(shown_under, heat, ENLARGED), "image/png", meta=MAP)
        for at, heat in enumerate(heats)
    ]
    titles = [f"{word} {p:.0%}" for word, p in caption["words"][:most]]
    image_view.draw(shown, key, run=run, titles=titles, alt="Where the decoder attended to")


def _called(writer: str) -> str:
    return WRITERS.get(writer, writer)
