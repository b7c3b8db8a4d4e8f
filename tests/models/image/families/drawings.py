"""Plain drawings that stand for emoji: what a recogniser and a captioner are to name."""

import io

from PIL import Image, ImageDraw

SIDE, EDGE = 90, 8  # px


def drawn(kind, colour):
    """Return a plain drawing (a method of `ImageDraw`) on white as a PNG."""
    shown, file = Image.new("RGB", (SIDE, SIDE), "white"), io.BytesIO()
    getattr(ImageDraw.Draw(shown), kind)((EDGE, EDGE, SIDE - EDGE - 1, SIDE - EDGE - 1), fill=colour)
    shown.save(file, "PNG")
    return file.getvalue()


RED, BLUE = drawn("ellipse", "#dd2e44"), drawn("rectangle", "#3b88c3")
