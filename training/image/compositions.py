"""Put emoji together in code: two things, a thing in a colour, on a ground, big, small, left, right, with its prompt.

All things of a composition are learnt pairs of one style, so that nothing of a held-out name or pair is in it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.nn import functional as F

from training.image.emoji import COLOURS, recolour
from training.image.styles import STYLES, StyleSet, prompt

SHEET = 72  # px, as the files are
HALF, SMALL, BIG, GROUNDED = 36, 32, 96, 60  # px, the sides of a thing
AT_ONCE = 512  # pictures of a kind that are made together
TINTED = 0.35  # share of things in a colour that the prompt names
KINDS = ("two", "and", "ground", "small", "big", "left", "right")
GROUNDS = {
    "red": (0.90, 0.20, 0.20), "orange": (0.97, 0.60, 0.20), "yellow": (0.98, 0.88, 0.30), "green": (0.35, 0.75, 0.35),
    "blue": (0.25, 0.50, 0.90), "purple": (0.60, 0.35, 0.80), "pink": (0.97, 0.65, 0.78), "black": (0.05, 0.05, 0.05),
}  # fmt: skip
RECIPE = [KINDS, TINTED, HALF, SMALL, BIG, GROUNDED]  # what is drawn changes with these


@dataclass(frozen=True)
class Asked:
    """Say what a composition shows: `things` are (group, colour or ""), two of them for "and", else one."""

    kind: str  # one of KINDS
    style: int
    things: tuple[tuple[int, str], ...]
    ground: str = ""  # one of GROUNDS for "ground"


def ask(styles: StyleSet, choice: random.Random, kind: str = "", tinted: float = TINTED) -> Asked:
    """Return a composition at random, of the `kind` or of any, in a style in which its things were learnt.

    A share `tinted` of the things is in a colour. Raises `ValueError` for a kind that does not exist.
    """
    kind = kind or choice.choice(KINDS)
    if kind not in KINDS:
        raise ValueError(f"“{kind}” is not a kind of composition. Choose one of {', '.join(KINDS)}.")
    group, style = choice.choice(styles.seen)
    groups = [group, _another(styles, group, style, choice)] if kind == "and" else [group]
    colours = [choice.choice(list(COLOURS)) if choice.random() < tinted else "" for _ in groups]
    ground = choice.choice(list(GROUNDS)) if kind == "ground" else ""
    return Asked(kind, style, tuple(zip(groups, colours, strict=True)), ground)


def words_of(styles: StyleSet, asked: Asked) -> str:
    """Return the prompt without its style: "two red apples", "apple and blue car", "apple on the left"."""
    names = [f"{colour} {styles.group(group).name}".strip() for group, colour in asked.things]
    return {
        "two": f"two {plural(names[0])}", "and": " and ".join(names), "ground": f"{names[0]} on {asked.ground}",
        "small": f"small {names[0]}", "big": f"big {names[0]}",
        "left": f"{names[0]} on the left", "right": f"{names[0]} on the right",
    }[asked.kind]  # fmt: skip


def render(styles: StyleSet, asked: Asked) -> torch.Tensor:
    """Return what is asked for as uint8, 4 × 72 × 72: of two things the first stands on the left."""
    return render_all(styles, [asked])[0]


def render_all(styles: StyleSet, asked: list[Asked]) -> torch.Tensor:
    """Return a picture for each, uint8, n × 4 × 72 × 72, on the device of `styles.pixels`."""
    sheets = torch.empty(len(asked), 4, SHEET, SHEET, dtype=torch.uint8, device=styles.pixels.device)
    for kind in KINDS:
        of_kind = [number for number, one in enumerate(asked) if one.kind == kind]
        for at in range(0, len(of_kind), AT_ONCE):
            places = of_kind[at : at + AT_ONCE]
            sheet = _sheets(styles, kind, [asked[place] for place in places])
            sheets[places] = (sheet.clamp(0, 1) * 255).round().to(torch.uint8)
    return sheets


def _sheets(styles: StyleSet, kind: str, asked: list[Asked]) -> torch.Tensor:
    """Return pictures of one kind, n × 4 × 72 × 72, premultiplied, 0 … 1."""
    one, other = _things(styles, asked, 0), _things(styles, asked, -1)
    middle = (SHEET - HALF) // 2
    if kind in ("two", "and"):
        return over(placed(one, HALF, 0, middle), placed(other, HALF, HALF, middle))
    if kind == "ground":
        ground = torch.ones(len(asked), 4, SHEET, SHEET, device=one.device)
        colours = torch.tensor([GROUNDS[each.ground] for each in asked], device=one.device)
        ground[:, :3] = colours[:, :, None, None]
        edge = (SHEET - GROUNDED) // 2
        return over(placed(one, GROUNDED, edge, edge), ground)
    side = {"small": SMALL, "big": BIG}.get(kind, HALF)
    left = {"left": 0, "right": HALF}.get(kind, (SHEET - side) // 2)
    return placed(one, side, left, (SHEET - side) // 2)


def composition(styles: StyleSet, choice: random.Random, kind: str = "") -> tuple[torch.Tensor, str]:
    """Return a composition as uint8, 4 × 72 × 72, and its prompt with the style; of the `kind` or of any."""
    asked = ask(styles, choice, kind)
    return render(styles, asked), prompt(words_of(styles, asked), asked.style, choice)


def placed(rgba: torch.Tensor, side: int, left: int, top: int) -> torch.Tensor:
    """Return pictures (n × 4 × 72 × 72, premultiplied, 0 … 1) at `side` px on empty sheets of 72 × 72.

    `left` and `top` may be below 0, and what lies beyond the sheet is cut off.
    """
    small = F.interpolate(rgba, (side, side), mode="bilinear", antialias=True)
    width, height = rgba.shape[-1], rgba.shape[-2]
    return F.pad(small, (left, width - side - left, top, height - side - top))


def over(upper: torch.Tensor, lower: torch.Tensor) -> torch.Tensor:
    """Lay premultiplied pictures (n × 4 × height × width, 0 … 1) over others."""
    return upper + lower * (1 - upper[:, 3:])


def plural(name: str) -> str:
    """Return the plural of an English name: "red apple" becomes "red apples"; what is plural stays."""
    engine = _engine()
    single = engine.singular_noun(name)  # False for most that are no plural, the name itself for some
    return name if single and single != name else str(engine.plural_noun(name))


@cache
def _engine() -> Any:
    import inflect

    return inflect.engine()


def _things(styles: StyleSet, asked: list[Asked], which: int) -> torch.Tensor:
    """Return each one's thing of number `which`, in its colour: n × 4 × 72 × 72, premultiplied, 0 … 1."""
    things = [one.things[which] for one in asked]
    pixels = styles.pixels[[styles.files[one.style][group][0] for one, (group, _) in zip(asked, things, strict=True)]]
    for name in COLOURS:
        tinted = [number for number, (_, colour) in enumerate(things) if colour == name]
        if tinted:
            pixels[tinted] = recolour(pixels[tinted], name)
    return pixels.float() / 255


def _another(styles: StyleSet, group: int, style: int, choice: random.Random) -> int:
    """Return another name that was learnt in the style. Raises `RuntimeError` where `STYLES[style]` has none."""
    for _ in range(200):
        other = choice.choice(styles.base.train)
        if other != group and style in styles.styles_of(other):
            return other
    raise RuntimeError(f"Too few names were learnt in the style {STYLES[style]} to draw two of them.")
