"""Addresses: bounded settings in the page's own, and a link that carries a whole request.

The bound settings travel as `?story-gpt.temperature=1.2`, kept up to date by the widgets. A copied link carries
`?r=…`: model, prompt, every acting setting and seed as JSON in URL-safe base64, with a version; compressed where it
would be too long. `?s=…` on the page of what is shared names what lies in the store (`models.sharing`). Nothing in an
address tells whose results to show: whoever has it has what it says, and no more.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import ValidationError

from components import rooms
from components.modality import RoomPage
from components.model_picker import MODEL
from models import outside
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.params import ParamField, check, taken
from models.params import problem as wrong
from models.plain_text import check_text
from models.spec import ModelSpec
from models.types import NEW_SEED, SEED_MAX, Request, drawn_seed

VERSION = 1
LINK_MAX_CHARS = outside.LINK_MAX_CHARS
VALUE_MAX_CHARS = 2000  # of one setting in an address
# what other sites add to an address to follow who came by it
_TRACKING = re.compile(
    r"utm_.*|gclid|gclsrc|dclid|gbraid|wbraid|fbclid|msclkid|yclid|twclid|ttclid|igshid|li_fat_id"
    r"|mc_cid|mc_eid|_hs.*|_g[al]|srsltid|ref",
    re.IGNORECASE,
)
REQUEST = "r"
SHARED = "s"  # a token: see `models.sharing`
FORMER_JOB = "job"  # by which a reload once found its run again; in old addresses


def link_to(base_url: str, request: Request) -> str | None:
    """Return the address that opens the page with this request, or None where it would be too long to share."""
    texts = {name: value for name, value in request.inputs.items() if not value.startswith("sha256:")}
    content = {"v": VERSION, **request.model_dump(), "inputs": texts}
    for squeezed in (False, True):  # a plain one is read by versions of before, too
        link = (
            f"{base_url.split('?', maxsplit=1)[0]}?{urlencode({REQUEST: outside.packed(content, squeezed=squeezed)})}"
        )
        if len(link) <= LINK_MAX_CHARS:
            return link
    return None


def to_shared(url: str, token: str, base: str = "") -> str:
    """Return the address of what is shared, from that of any page; `base` is the path under which the app is served."""
    here = urlsplit(url)
    path = "/".join(part for part in (base.strip("/"), "shared") if part)
    host = f"{here.scheme}://{here.netloc}" if here.netloc else ""
    return f"{host}/{path}?{urlencode({SHARED: token})}"


def read_request(packed: str) -> Request:
    """Return the request of a link; seed −1 in it is a new one. Raises `PlaygroundError` with what is wrong."""
    broken = PlaygroundError("This link is damaged and cannot be opened. Ask for a new link, or start fresh here.")
    if len(packed) > LINK_MAX_CHARS:
        raise broken
    try:
        body = outside.unpacked(packed)
        version = body.pop("v")
        if body.get("seed") == NEW_SEED:
            body["seed"] = drawn_seed()
        request = Request(**body)
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError) as error:
        raise broken from error
    if version != VERSION:
        raise PlaygroundError(
            f"This link was made by another version of the playground (link version {str(version)[:20]}; this one "
            f"reads {VERSION}). Ask for a new one."
        )
    for name, text in request.inputs.items():
        check_text(text, name)
    return request


def asks_for_a_new_seed(packed: str) -> bool:
    """Say whether the seed of a link that can be read is −1."""
    return bool(outside.unpacked(packed).get("seed") == NEW_SEED)


def problems(catalog: Catalog, page: RoomPage, given: dict[str, str]) -> list[str]:
    """Return a sentence for each part of a page's address that cannot be used."""
    models = {spec.id for spec in rooms.models_on(catalog, page)}
    prefixes = _by_prefix(catalog)
    told = []
    for key, text in given.items():
        if key == FORMER_JOB or _TRACKING.fullmatch(key):
            continue
        if key == MODEL:
            if text not in models:
                try:
                    _ = catalog[text]
                    told.append(f"The address asks for {text}, which is not a model of this page.")
                except PlaygroundError as error:
                    told.append(error.message)
            continue
        prefix, _, name = key.removesuffix(".on").rpartition(".")
        spec = prefixes.get(prefix)
        if spec is None:
            told.append(f"The link contains an unknown setting {_short(key)!r}; it was ignored.")
            continue
        problem = _setting_problem(catalog, spec, name, text, switch=key.endswith(".on"))
        if problem:
            told.append(f"From the address: {problem} The default was kept.")
    return told


def current(catalog: Catalog, given: dict[str, str]) -> dict[str, str]:
    """Return what of a page's address is written otherwise today: seed −1, which is drawn here, and values from a range
    that was wider once.
    """
    found = {}
    prefixes = _by_prefix(catalog)
    for key, text in given.items():
        prefix, _, name = key.rpartition(".")
        spec = prefixes.get(prefix)
        fields = catalog.family(spec.id).fields(spec) if spec is not None else ()
        for item in (item for item in fields if item.name == name):
            value = _parsed(item, text)
            new = drawn_seed() if item.type == "seed" and value == NEW_SEED else taken(item, value)
            if new != value:
                found[key] = json.dumps(new)
    return found


def unusable(catalog: Catalog, given: dict[str, str]) -> list[str]:
    """Return the names in a page's address that no setting takes as they are; see `problems`."""
    prefixes = _by_prefix(catalog)
    found = []
    for key, text in given.items():
        prefix, _, name = key.removesuffix(".on").rpartition(".")
        spec = prefixes.get(prefix)
        if spec is not None and _setting_problem(catalog, spec, name, text, switch=key.endswith(".on")):
            found.append(key)
    return found


def settings(catalog: Catalog, given: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return what a page's address sets and can be used, by model: setting or `name.on`, its switch, to value."""
    found: dict[str, dict[str, Any]] = {}
    prefixes = _by_prefix(catalog)
    for key, text in given.items():
        prefix, _, name = key.removesuffix(".on").rpartition(".")
        spec = prefixes.get(prefix)
        switch = key.endswith(".on")
        if spec is None or _setting_problem(catalog, spec, name, text, switch=switch):
            continue
        item = next((item for item in catalog.family(spec.id).fields(spec) if item.name == name), None)
        if item is not None:
            found.setdefault(spec.id, {})[name + ".on" * switch] = text == "true" if switch else _parsed(item, text)
    return found


def _by_prefix(catalog: Catalog) -> dict[str, ModelSpec]:
    """Return the models by what the names of their settings begin with in an address."""
    return {spec.id.split("/", 1)[-1]: spec for spec in catalog.values()}


def _setting_problem(catalog: Catalog, spec: ModelSpec, name: str, text: str, *, switch: bool) -> str:
    family = catalog.family(spec.id)
    fields = family.fields(spec)
    item = next((item for item in fields if item.name == name), None)
    if switch:
        return "" if text in ("true", "false") else f"{name}.on is {_short(text)!r}; it must be true or false."
    value = _parsed(item, text)
    if item is not None and item.type == "seed":
        fine = not wrong(item, value)
        return "" if fine else f"seed is {_short(text)!r}; it must be a whole number from 0 to {SEED_MAX}."
    try:
        check(family.Params, fields, {name: value}, spec.id)
    except PlaygroundError as error:
        return error.message
    return ""


def _parsed(item: ParamField | None, text: str) -> Any:
    if item is None or item.type in ("choice", "text", "tags"):
        return text
    try:
        return outside.read_json(text, most=VALUE_MAX_CHARS)
    except outside.Unreadable:
        return text


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
