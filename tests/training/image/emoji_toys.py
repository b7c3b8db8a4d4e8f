"""A toy emoji set made in code: plain squares, two files a name, some names held out."""

import torch

from training.image.emoji import EmojiSet, Group
from training.image.styles import STYLES, StyleSet

COLOURS = ["red", "green", "blue", "pink"]
THINGS = ["cat", "hat", "sun", "cup"]


def toy_set(held_out=(3, 9)):
    """Return 16 names; file 2k is name k's plain one, file 2k + 1 its darker one."""
    generator = torch.Generator().manual_seed(5)
    pixels, captions, groups = [], [], []
    for colour in COLOURS:
        for thing in THINGS:
            name = f"{colour} {thing}"
            groups.append(Group(name, [len(pixels), len(pixels) + 1], [f"the {name}"], [colour, thing]))
            picture = torch.zeros(4, 72, 72)
            shade = torch.rand(3, generator=generator) * 200 + 55
            left, top = torch.randint(4, 30, (2,), generator=generator).tolist()
            picture[:3, top : top + 36, left : left + 36] = shade[:, None, None]
            picture[3, top : top + 36, left : left + 36] = 255
            dark = picture.clone()
            dark[:3] *= 0.6
            pixels += [picture.to(torch.uint8), dark.to(torch.uint8)]
            captions += [name, f"dark {name}"]
    train = [index for index in range(len(groups)) if index not in held_out]
    return EmojiSet(torch.stack(pixels), captions, groups, list(held_out), train)


def toy_styles(held_out=((0, 1), (5, 2))):
    """Return the toy set in four styles: style s paints each square with 40 s more of grey; `held_out` pairs of it.

    Name 1 has no picture in the last style. Files of style s follow those of the style before.
    """
    base = toy_set()
    pixels, captions, files = [], [], []
    for style in range(len(STYLES)):
        drawn = base.pixels.clone()
        grey = torch.tensor(40 * style, dtype=torch.uint8)
        drawn[:, :3] = torch.where(drawn[:, 3:] > 0, torch.maximum(drawn[:, :3], grey), drawn[:, :3])
        offset = len(captions)
        files.append([[offset + file for file in group.files] for group in base.groups])
        pixels.append(drawn)
        captions += base.captions
    files[-1][1] = []
    pairs = [(group, style) for group in base.train for style in range(len(STYLES)) if files[style][group]]
    seen = [pair for pair in pairs if pair not in held_out]
    return StyleSet(base, torch.cat(pixels), captions, files, seen, list(held_out))
