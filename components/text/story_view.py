"""Draw text outputs: the reader's words apart from the model's, growing while they come. Never as HTML or markdown."""

from __future__ import annotations

from collections.abc import Sequence

from components import frontend
from models.types import Output

_component = frontend.component(
    "playground_story", __file__, html='<div class="stories" role="group" aria-label="Result"></div>'
)


def draw(outputs: Sequence[Output], key: str, *, run: str, live: bool = False, titles: Sequence[str] = ()) -> None:
    """Draw outputs side by side, under `titles` if given, else variants under their number.

    `run` names the job: the tab's title says so when it ends while nobody looks.
    """
    texts = []
    numbers = [f"Variant {output.index + 1}" if len(outputs) > 1 else "" for output in outputs]
    for output, title in zip(outputs, titles or numbers, strict=True):
        cut = int(output.meta.get("prompt_chars", 0))
        texts.append(
            {
                "given": output.text[:cut],
                "fresh": output.text[cut:],
                "live": live and not output.meta.get("finish"),
                "title": title,
            }
        )
    _component(key=key, data={"texts": texts, "done": not live, "run": run})
