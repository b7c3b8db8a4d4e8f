"""Read the emoji in four styles: Noto beside Fluent flat, Fluent 3D and Twemoji, with the splits by name and by pair.

The style is a word of the prompt ("pizza, 3d"), so that style and thing are learnt apart. Whole base names are held out
in every style, the same ones as in `training.image.emoji`; of the pairs of a seen name and a style other than Noto's,
one in ten is held out too: to draw such a pair is to compose what was learnt apart.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import random
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch

from training import loop
from training.image.emoji import CLDR, EmojiSet, Group, base_codes, caption, load_emoji, package_names, read_picture

STYLES = ("noto", "flat", "3d", "twemoji")  # the first is what a prompt without a style means
PAIRS_HELD_OUT = 0.1
SELECTOR = 0xFE0F
LISTED = "styles.json.xz"  # the files of a pack
PICTURES = "pictures.tar"
DECODED = "pixels.pt"  # kept by the first reader: the next ones start sooner
NAMED = 0.3  # share of Noto's captions that name it; the others' always do


@dataclass
class StyleSet:
    """Hold the emoji in every style. `pixels` and `captions` are of all files, Noto's first, as in `base`.

    `files[style][group]` lists the files of a base name in a style, the plainest first; empty where there is none.
    `seen` and `held_out` are (group, style) pairs: of the names that are learnt, those learnt and those not.
    """

    base: EmojiSet
    pixels: torch.Tensor
    captions: list[str]
    files: list[list[list[int]]]
    seen: list[tuple[int, int]]
    held_out: list[tuple[int, int]]
    sources: list[str] = field(
        default_factory=list
    )  # each picture's file, or "a tar:its member", below the data folder

    def group(self, index: int) -> Group:
        """Return a base name by its index."""
        return self.base.groups[index]

    def styles_of(self, group: int) -> list[int]:
        """Return the styles in which a name was learnt."""
        return [style for style in range(len(STYLES)) if (group, style) in self._seen]

    def drawn_in(self, group: int) -> list[int]:
        """Return the styles that draw a name, learnt or held out."""
        return [style for style in range(len(STYLES)) if self.files[style][group]]

    def texts(self) -> list[str]:
        """Return every training caption, as in `EmojiSet.texts`, and the styles' words."""
        found = [*STYLES, *self.base.texts()]
        return [*found, *(self.captions[file] for pair in self.seen for file in self.files[pair[1]][pair[0]])]

    def __post_init__(self) -> None:
        """Index the pairs, which are looked up for every batch."""
        self._seen = set(self.seen)


def load_styles(data: Path, cldr: Path = CLDR) -> StyleSet:
    """Read `data`/emoji and the three tars of `data`/emoji-styles. Names that Noto does not have are left out.

    A folder that `training.image.style_pack` wrote is read in their place.
    """
    if (data / LISTED).exists():
        return load_pack(data)
    base = load_emoji(data, cldr)
    names, _ = package_names()
    by_name = {group.name: index for index, group in enumerate(base.groups)}
    by_codes: dict[tuple[int, ...], int] = {}
    for codes, name in names.items():
        found = by_name.get(names.get(base_codes(codes), name))
        if found is not None:
            by_codes[codes] = found
    pixels, captions, sources = [base.pixels], list(base.captions), list(base.sources)
    files = [[list(group.files) for group in base.groups]]
    for tar in ("fluent-flat", "fluent-3d", "twemoji"):
        found_files: list[list[tuple[bool, int, tuple[int, ...], int]]] = [[] for _ in base.groups]
        some = []
        for codes, picture, member in _pictures(data / "emoji-styles" / f"{tar}.tar"):
            group = by_codes.get(codes)
            if group is None or codes not in names:
                continue
            place = len(captions)
            found_files[group].append((codes != base_codes(codes), len(codes), codes, place))
            captions.append(names[codes])
            some.append(picture)
            sources.append(f"emoji-styles/{tar}.tar:{member}")
        pixels.append(torch.stack(some))
        files.append([[member[-1] for member in sorted(members)] for members in found_files])
    seen, held_out = [], []
    for group in base.train:
        for style in range(len(STYLES)):
            if files[style][group]:
                (held_out if style and _fraction(base.groups[group].name, style) < PAIRS_HELD_OUT else seen).append(
                    (group, style)
                )
    return StyleSet(base, torch.cat(pixels), captions, files, seen, held_out, sources)


def load_pack(folder: Path) -> StyleSet:
    """Return what `training.image.style_pack` wrote."""
    found = json.loads(lzma.decompress((folder / LISTED).read_bytes()))
    kept = loop.resume(folder / DECODED)
    if kept is None:
        kept = {"pixels": decode(folder / PICTURES)}
        loop.save(folder / DECODED, kept)
    pixels = kept["pixels"]
    groups = [Group(**group) for group in found["groups"]]
    noto = found["noto"]
    base = EmojiSet(
        pixels[:noto], found["captions"][:noto], groups, found["names_held_out"], found["train"],
        found["sources"][:noto],
    )  # fmt: skip
    seen, held_out = ([(group, style) for group, style in found[key]] for key in ("seen", "held_out"))
    return StyleSet(base, pixels, found["captions"], found["files"], seen, held_out, found["sources"])


def decode(tar: Path) -> torch.Tensor:
    """Return the pictures of a pack, uint8, files × 4 × 72 × 72."""
    with tarfile.open(tar) as archive:
        contents = [archive.extractfile(member) for member in archive.getmembers()]
        streams = [io.BytesIO(content.read()) for content in contents if content is not None]
    with ThreadPoolExecutor(8) as pool:
        return torch.stack(list(pool.map(read_picture, streams)))


def _pictures(tar: Path) -> list[tuple[tuple[int, ...], torch.Tensor, str]]:
    found = []
    with tarfile.open(tar) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            content = archive.extractfile(member) if member.name.endswith(".webp") else None
            if content is not None:
                codes = tuple(int(code, 16) for code in Path(member.name).stem.split("-"))
                plain = tuple(code for code in codes if code != SELECTOR)
                found.append((plain, read_picture(io.BytesIO(content.read())), member.name))
    return found


def _fraction(name: str, style: int) -> float:
    digest = hashlib.sha256(f"{name}, {STYLES[style]}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def prompt(words: str, style: int, choice: random.Random | None = None) -> str:
    """Return a prompt for words in a style: "pizza, 3d"; a prompt for Noto's names it now and then, by `choice`."""
    if style == 0 and (choice is None or choice.random() >= NAMED):
        return words
    return f"{words}, {STYLES[style]}"


def words_for(styles: StyleSet, group: int, file: int, style: int, choice: random.Random) -> str:
    """Return a caption of a file at random, with its style."""
    return prompt(caption(styles.group(group), styles.captions[file], choice), style, choice)


def some(pairs: list[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """Return the fixed pairs by which every model is judged."""
    return random.Random(0).sample(pairs, min(count, len(pairs)))
