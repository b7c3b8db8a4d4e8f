"""Read the emoji set: pictures, captions, base names and the split by base name.

A *base name* stands for every skin tone and gender of one picture: "running" for man, woman and person running. The
split, the classifier and every number in the cards go by base name; captions keep what each file shows.
"""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

SIZE = 64
CLDR = Path("/usr/share/unicode/cldr/common/annotations/en.xml")  # Debian's unicode-cldr-core
HELD_OUT = 0.05
_SKIN = range(0x1F3FB, 0x1F400)
_SELECTOR, _JOINER, _WOMAN, _MAN, _PERSON, _CHILD, _FAMILY = 0xFE0F, 0x200D, 0x1F469, 0x1F468, 0x1F9D1, 0x1F9D2, 0x1F46A
_NEUTRAL = {_MAN: _PERSON, _WOMAN: _PERSON, 0x1F466: _CHILD, 0x1F467: _CHILD, 0x1F474: 0x1F9D3, 0x1F475: 0x1F9D3}
COLOURS = {  # the words that `recolour` teaches: hue in turns
    "red": 0.0, "orange": 0.08, "yellow": 0.15, "green": 0.35, "blue": 0.6, "purple": 0.77, "pink": 0.9,
}  # fmt: skip


@dataclass
class Group:
    """Hold the files of one base name: indices into `EmojiSet.pixels`, the plainest file first."""

    name: str
    files: list[int] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)


@dataclass
class EmojiSet:
    """Hold every picture once: `pixels` are uint8, files × 4 × 72 × 72, colour multiplied by alpha, and alpha."""

    pixels: torch.Tensor
    captions: list[str]
    groups: list[Group]
    held_out: list[int]  # indices into groups
    train: list[int]
    sources: list[str] = field(default_factory=list)  # each picture's file, below the data folder

    def files(self, groups: list[int]) -> list[int]:
        """Return every file of these groups."""
        return [file for group in groups for file in self.groups[group].files]

    def texts(self) -> list[str]:
        """Return every training caption: names, aliases, keywords and the files' own names."""
        found = []
        for index in self.train:
            group = self.groups[index]
            found += [group.name, *group.aliases, *group.keywords, *(self.captions[file] for file in group.files)]
        return found


def load_emoji(data: Path, cldr: Path = CLDR) -> EmojiSet:
    """Read `data`/emoji. Keywords are left out where the CLDR file does not exist.

    A base name is held out if its hash falls in the lowest `HELD_OUT` of all, so that the split stays when files are
    added.
    """
    names, aliases = package_names()
    keywords = _keywords(cldr)
    found: dict[tuple[int, ...], list[tuple[tuple[int, ...], Path]]] = {}
    for file in sorted((data / "emoji").glob("emoji_u*.png")):
        codes = tuple(int(code, 16) for code in file.stem.removeprefix("emoji_u").split("_"))
        codes = tuple(code for code in codes if code != _SELECTOR)
        if codes in names:
            found.setdefault(base_codes(codes), []).append((codes, file))
    pixels, captions, sources = [], [], []
    groups: dict[str, Group] = {}
    for base, members in found.items():
        members.sort(key=lambda member: (member[0] != base, len(member[0]), member[0]))
        plainest = members[0][0]
        name = names.get(base, _without_gender(names[plainest]))
        group = groups.setdefault(name, Group(name))  # a couple exists as one sign and as two joined people
        group.aliases += [alias for alias in aliases.get(base, []) if alias != name]
        group.keywords = group.keywords or keywords.get(plainest, [])
        for codes, file in members:
            group.files.append(len(pixels))
            captions.append(names[codes])
            pixels.append(read_picture(file))
            sources.append(file.relative_to(data).as_posix())
    listed = list(groups.values())
    held_out = [index for index, group in enumerate(listed) if _fraction(group.name) < HELD_OUT]
    train = [index for index in range(len(listed)) if index not in set(held_out)]
    return EmojiSet(torch.stack(pixels), captions, listed, held_out, train, sources)


def base_codes(codes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the code points without skin tone and gender; every kind of family becomes "family"."""
    kept: list[int] = []
    for code in codes:
        if code in _SKIN:
            continue
        if code in (0x2640, 0x2642) and kept and kept[-1] == _JOINER:
            kept.pop()
            continue
        kept.append(_NEUTRAL.get(code, code))
    if len(kept) > 1 and set(kept) <= {_PERSON, _CHILD, _JOINER}:
        return (_FAMILY,)
    return tuple(kept)


def read_picture(file: Path | BinaryIO) -> torch.Tensor:
    """Return one file as uint8, 4 × 72 × 72, colour multiplied by alpha."""
    rgba = np.asarray(Image.open(file).convert("RGBA").resize((72, 72)), dtype=np.float32)
    rgba = np.concatenate([rgba[..., :3] * rgba[..., 3:] / 255, rgba[..., 3:]], axis=2)
    return torch.from_numpy(rgba.round().astype(np.uint8)).permute(2, 0, 1).contiguous()


def on_white(pixels: torch.Tensor) -> torch.Tensor:
    """Return float32, batch × 3 × 64 × 64 in −1 … 1: each picture on white, as the models are to draw it."""
    return compose(pixels.float() / 255, torch.ones(len(pixels), 3, device=pixels.device), None)


def compose(rgba: torch.Tensor, background: torch.Tensor, grid: torch.Tensor | None) -> torch.Tensor:
    """Lay premultiplied pictures (batch × 4 × 72 × 72, 0 … 1) on plain `background` (batch × 3): batch × 3 × 64 × 64.

    `grid` (batch × 2 × 3 affine matrices) moves, turns and zooms them first. The result is float32 in −1 … 1.
    """
    if grid is None:
        rgba = F.interpolate(rgba, (SIZE, SIZE), mode="bilinear", antialias=True)
    else:
        where = F.affine_grid(grid, [len(rgba), 4, SIZE, SIZE], align_corners=False)
        rgba = F.grid_sample(rgba, where, align_corners=False)
    rgb = rgba[:, :3] + background[:, :, None, None] * (1 - rgba[:, 3:])
    return (rgb * 2 - 1).clamp(-1, 1)


def augment(
    pixels: torch.Tensor, generator: torch.Generator, strength: float = 1.0, mirror: bool = True
) -> torch.Tensor:
    """Return pictures (uint8, batch × 4 × 72 × 72) moved, turned, zoomed, mirrored, recoloured, on plain grounds.

    `strength` 1 suits an autoencoder that should meet much; the classifier uses less, for a name must stay readable.
    The generator is one of the pictures' device.
    """
    count, device = len(pixels), pixels.device
    rgba = pixels.float() / 255

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.rand(count, generator=generator, device=device) * (high - low) + low

    angle, zoom = uniform(-0.35, 0.35) * strength, 1 + uniform(-0.3, 0.25) * strength
    side = torch.where(uniform(0, 1) < 0.5 * mirror, -1.0, 1.0)
    shift = torch.stack([uniform(-0.15, 0.15), uniform(-0.15, 0.15)]) * strength
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    grid = torch.stack([torch.stack([cos * side, -sin, shift[0]], 1), torch.stack([sin * side, cos, shift[1]], 1)], 1)
    if strength >= 1:
        swapped = uniform(0, 1) < 0.3
        order = torch.randperm(3, generator=generator, device=device)
        rgba[:, :3] = torch.where(swapped[:, None, None, None], rgba[:, order], rgba[:, :3])
    background = torch.rand(count, 3, generator=generator, device=device)
    background[uniform(0, 1) < 0.5] = 1.0
    return compose(rgba, background, grid)


def recolour(pixels: torch.Tensor, colour: str) -> torch.Tensor:
    """Return pictures (uint8, batch × 4 × 72 × 72) tinted in the hue that `colour` names, light and shade kept."""
    alpha = pixels[:, 3:].float().clamp(min=1)
    rgb = (pixels[:, :3].float() / alpha).clamp(0, 1)
    weights = torch.tensor([0.3, 0.59, 0.11], device=pixels.device)
    light = (rgb * weights[None, :, None, None]).sum(1, keepdim=True)
    hue = COLOURS[colour]
    channels = [min(1.0, max(0.0, abs((hue * 6 + turn) % 6 - 3) - 1)) for turn in (0, 4, 2)]
    pure = torch.tensor(channels, device=pixels.device).view(1, 3, 1, 1)
    # dark stays dark, bright becomes a pastel of the hue
    tinted = torch.where(light < 0.6, pure * light / 0.6, pure + (1 - pure) * (light - 0.6) / 0.4)
    out = pixels.clone()
    out[:, :3] = (tinted * alpha).round().clamp(0, 255).to(torch.uint8)
    return out


def caption(group: Group, own: str, choice: random.Random) -> str:
    """Return a caption at random: mostly the file's own name, sometimes an alias or a few keywords."""
    draw = choice.random()
    if draw < 0.15 and group.aliases:
        return choice.choice(group.aliases)
    if draw < 0.3 and group.keywords:
        return " ".join(choice.sample(group.keywords, min(len(group.keywords), choice.randint(1, 3))))
    return own if draw < 0.8 else group.name


def plain(name: str) -> str:
    """Return `:woman_running_dark_skin_tone:` as "woman running dark skin tone"."""
    return re.sub(r"[^\w&#*’'.!-]+", " ", name.strip(":").replace("_", " ")).strip().lower()


def package_names() -> tuple[dict[tuple[int, ...], str], dict[tuple[int, ...], list[str]]]:
    """Return the English name and the aliases of every emoji, by its code points without the selector."""
    import emoji

    names: dict[tuple[int, ...], str] = {}
    aliases: dict[tuple[int, ...], list[str]] = {}
    for symbol, entry in emoji.EMOJI_DATA.items():
        codes = tuple(ord(character) for character in symbol if ord(character) != _SELECTOR)
        names.setdefault(codes, plain(entry["en"]))
        aliases.setdefault(codes, [plain(alias) for alias in entry.get("alias", [])])
    return names, aliases


def _keywords(cldr: Path) -> dict[tuple[int, ...], list[str]]:
    if not cldr.exists():
        return {}
    found = {}
    for entry in ElementTree.parse(cldr).iter("annotation"):
        if entry.get("type") != "tts" and entry.text:
            codes = tuple(ord(character) for character in entry.get("cp", "") if ord(character) != _SELECTOR)
            found[codes] = [plain(word) for word in entry.text.split("|")]
    return found


def _without_gender(name: str) -> str:
    return re.sub(r"^(man|woman) |(( for)? (man|woman|person))+$|\b\w+(-\w+)? skin tone\b", "", name).strip() or name


def _fraction(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def psnr(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """Return the mean over pictures (batch × 3 × height × width, −1 … 1) of the peak signal-to-noise ratio in dB."""
    error = ((got.clamp(-1, 1) - wanted) / 2).square().flatten(1).mean(1)  # batch
    return float((-10 * error.clamp(min=1e-10).log10()).mean())
