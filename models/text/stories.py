"""A saved story read back: the request that made it."""

from __future__ import annotations

from pydantic import ValidationError

from models.errors import BadInput
from models.text.saved import stamp_of
from models.types import NEW_SEED, Request, drawn_seed


def read_story(text: str) -> Request | None:
    """Return the request that a saved story tells of, at its end or, in older files, at its beginning.

    None for a text that tells of none. Line ends and blank lines at the end that an editor or a mail program changed do
    no harm. Seed −1 is a new one, drawn here. Raises `BadInput` for settings that are damaged.
    """
    try:
        stamp = stamp_of(text.encode())
    except (BadInput, UnicodeEncodeError):
        return None
    if stamp is None:
        return None
    request = stamp.get("request")
    if request is None:
        return None
    try:
        seed = drawn_seed() if request["seed"] == NEW_SEED else request["seed"]
        return Request.model_validate({**request, "seed": seed})
    except (ValidationError, TypeError, KeyError) as error:
        raise BadInput("The settings in this text are damaged: it was changed after it was saved.") from error
