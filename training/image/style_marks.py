"""Measure the second edition of image/emoji-diffusion, and an older one beside it, by the judge of four styles.

    python -m training.image.style_marks --data ../shared/data --folder models/embedded/emoji-diffusion

Every number is for guidance 5 and 20 steps, one picture a prompt with fixed seeds, nothing picked: the share of
pictures whose name the judge ranks among its first five, for seen names (no style in the prompt: Noto), seen pairs,
held-out pairs and held-out names; how often the style is the one asked for; how often a colour is; and for
compositions how often each part shows what it should. Beside them stands what the judge says of the real pictures.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from training.image.compositions import GROUNDS, KINDS, Asked, ask, render_all, words_of
from training.image.emoji import SIZE, on_white
from training.image.emoji_judge import FOLDER, Judge, agree, load_judge, share
from training.image.emoji_marks import NAMES, colour_followed, draw, hue_of, load_pipeline, training_names
from training.image.styles import StyleSet, load_styles, prompt, some

GUIDANCE = 5.0
COMPOSED = 40  # prompts of each kind
PAINTED = 0.08  # how far from white, of 2, a pixel counts as painted


def main() -> None:
    """Measure the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds emoji/ and emoji-styles/")
    parser.add_argument("--folder", type=Path, default=Path("models/embedded/emoji-diffusion"), help="what is measured")
    parser.add_argument("--judge", type=Path, default=FOLDER, help="folder of the judge (default: %(default)s)")
    parser.add_argument("--names", type=int, default=NAMES, help="prompts of each measure (default: %(default)s)")
    parser.add_argument("--first-edition", action="store_true", help="leave out styles and compositions")
    parser.add_argument("--out", type=Path, help="file for the numbers, JSON")
    options = parser.parse_args()
    from models.torchaudio_guard import guard

    guard()
    styles, judge = load_styles(options.data), load_judge(options.judge)
    marks = measure(load_pipeline(options.folder), judge, styles, options.names, not options.first_edition)
    print(json.dumps(marks, indent=1))
    if options.out:
        options.out.write_text(json.dumps(marks, indent=1))


def measure(pipeline: Any, judge: Judge, styles: StyleSet, names: int, styled: bool = True) -> dict[str, Any]:
    """Return the marks; without `styled` those alone that a model of one style can have."""
    return {"guidance": GUIDANCE, **dict(each(pipeline, judge, styles, names, styled))}


def each(pipeline: Any, judge: Judge, styles: StyleSet, names: int, styled: bool = True) -> Iterator[tuple[str, Any]]:
    """Yield the marks one after another, by name."""
    seen = [(group, 0) for group in training_names(styles.base)[:names]]
    held_out = [(group, 0) for group in styles.base.held_out]
    yield "seen_names", pairs_marks(pipeline, judge, styles, seen)
    yield "held_out_names", pairs_marks(pipeline, judge, styles, held_out)
    if styled:
        yield "held_out_pairs", pairs_marks(pipeline, judge, styles, some(styles.held_out, names))
    yield "colour_followed", colour_followed(pipeline, styles.base, GUIDANCE)
    if styled:
        learnt = [pair for pair in styles.seen if pair[1]]
        yield "seen_pairs", pairs_marks(pipeline, judge, styles, some(learnt, names))
        everywhere = [(group, style) for group in styles.base.held_out for style in styles.drawn_in(group) if style]
        yield "held_out_names_in_styles", pairs_marks(pipeline, judge, styles, some(everywhere, names))
        yield "compositions", composed_marks(pipeline, judge, styles)


def for_choosing(styles: StyleSet) -> list[tuple[int, int]]:
    """Return the held-out pairs by which a moment of the training may be chosen: those that no mark is measured on."""
    measured = set(some(styles.held_out, NAMES))
    return [pair for pair in styles.held_out if pair not in measured]


def pairs_marks(pipeline: Any, judge: Judge, styles: StyleSet, pairs: list[tuple[int, int]]) -> dict[str, float]:
    """Return top-5 and style rates of drawn (group, style) pairs, and of the real pictures: 0 … 1."""
    groups, wanted = [group for group, _ in pairs], [style for _, style in pairs]
    drawn = draw(pipeline, [prompt(styles.group(group).name, style) for group, style in pairs], GUIDANCE)
    real = on_white(styles.pixels[[styles.files[style][group][0] for group, style in pairs]])
    return {
        "count": len(pairs), "top5": share(judge.ranks(drawn, groups)), "style": agree(judge.styles_of(drawn), wanted),
        "top5_real": share(judge.ranks(real, groups)), "style_real": agree(judge.styles_of(real), wanted),
    }  # fmt: skip


# -- compositions ------------------------------------------------------------------------------------------------------


def composed_marks(pipeline: Any, judge: Judge, styles: StyleSet, count: int = COMPOSED) -> dict[str, dict[str, float]]:
    """Return for each kind, and for "two" in a colour, how often all of it is as asked: drawn, and made in code."""
    marks = {}
    for name, kind, tinted in [*((kind, kind, 0.0) for kind in KINDS), ("two in a colour", "two", 1.0)]:
        choice = random.Random(name)
        asked = [ask(styles, choice, kind, tinted) for _ in range(count)]
        drawn = draw(pipeline, [prompt(words_of(styles, one), one.style) for one in asked], GUIDANCE)
        made = on_white(render_all(styles, asked)).cpu()
        marks[name] = {
            "count": count,
            "right": right(judge, styles, drawn, asked),
            "right_real": right(judge, styles, made, asked),
        }
    return marks


def right(judge: Judge, styles: StyleSet, pictures: torch.Tensor, asked: list[Asked]) -> float:
    """Return the share of pictures (n × 3 × 64 × 64, −1 … 1) in which every part shows what is asked for."""
    good = [shows(judge, styles, picture, one) for picture, one in zip(pictures, asked, strict=True)]
    return round(sum(good) / len(good), 4)


def shows(judge: Judge, styles: StyleSet, picture: torch.Tensor, asked: Asked) -> bool:
    """Say whether each thing is recognised (top five) where it should be, in its colour, at its size, on its ground."""
    parts = parts_of(picture, asked)
    groups = [group for group, _ in asked.things] * (2 if asked.kind == "two" else 1)
    if max(judge.ranks(torch.stack(parts), groups)) >= 5:
        return False
    colours = [colour for _, colour in asked.things] * (2 if asked.kind == "two" else 1)
    if any(colour and hue_of(part) != colour for part, colour in zip(parts, colours, strict=True)):
        return False
    group = asked.things[0][0]
    plain = on_white(styles.pixels[[styles.files[asked.style][group][0]]])[0]
    return placed_right(picture, asked, longest(painted_in(plain)))


def parts_of(picture: torch.Tensor, asked: Asked) -> list[torch.Tensor]:
    """Return what stands where each thing should, enlarged to 3 × 64 × 64."""
    half, quarter = SIZE // 2, SIZE // 4
    left, right_ = picture[:, quarter:-quarter, :half], picture[:, quarter:-quarter, half:]
    cut = {"two": [left, right_], "and": [left, right_], "left": [left], "right": [right_],
           "small": [picture[:, quarter:-quarter, quarter:-quarter]]}.get(asked.kind, [picture])  # fmt: skip
    return [F.interpolate(part[None], (SIZE, SIZE), mode="bilinear", antialias=True)[0] for part in cut]


def painted_in(picture: torch.Tensor) -> torch.Tensor:
    """Return which pixels (height × width) of a picture (3 × height × width, −1 … 1) are not white."""
    return (picture - 1).abs().amax(0) > PAINTED


def longest(painted: torch.Tensor) -> int:
    """Return the longer side of the box around what is painted, px."""
    rows, columns = painted.any(1).nonzero(), painted.any(0).nonzero()
    return max((int(line.max() - line.min()) + 1 for line in (rows, columns) if len(line)), default=0)


def placed_right(picture: torch.Tensor, asked: Asked, plain: int) -> bool:
    """Say whether size, side and ground are as asked; `plain` is the longer side of the thing as its file has it, px.

    Small is at most 0.65 of that, big at least 1.15 of it or from edge to edge.
    """
    painted = painted_in(picture)  # 64 × 64
    if asked.kind == "ground":
        edge = torch.cat([picture[:, :2].flatten(1), picture[:, -2:].flatten(1)], 1).median(1).values
        known = {**GROUNDS, "white": (1.0, 1.0, 1.0)}
        return asked.ground == min(known, key=lambda name: float((edge - torch.tensor(known[name]) * 2 + 1).norm()))
    if asked.kind == "small":
        return longest(painted) <= 0.65 * plain
    if asked.kind == "big":
        return longest(painted) >= min(1.15 * plain, SIZE - 1)
    if asked.kind in ("left", "right"):
        side = painted[:, : SIZE // 2] if asked.kind == "left" else painted[:, SIZE // 2 :]
        return float(side.sum() / painted.sum().clamp(min=1)) > 0.8
    return True


if __name__ == "__main__":
    main()
