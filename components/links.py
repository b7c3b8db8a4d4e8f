"""Addresses: bounded settings in the page's own, and a link that carries a whole request.

The bound settings travel as `?story-gpt.temperature=1.2`, kept up to date by the widgets. A copied link carries
`?r=…`: model, prompt, every acting setting and seed as JSON in URL-safe base64, with a version. `?job=…` is the token
by which a reload finds its job again.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from pydantic import ValidationError

from components import inputs, params_form, state
from components.model_picker import MODEL
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.params import ParamField, check
from models.plain_text import check_text
from models.spec import ModelSpec
from models.types import SEED_MAX, Request

VERSION = 1
LINK_MAX_CHARS = 2000
REQUEST, JOB = "r", "job"
_READ = "links-read"


def link_to(base_url: str, request: Request) -> str | None:
    """Return the address that opens the page with this request, or None where it would be too long to share."""
    texts = {name: value for name, value in request.inputs.items() if not value.startswith("sha256:")}
    content = {"v": VERSION, **request.model_dump(), "inputs": texts}
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    packed = base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")
    link = f"{base_url.split('?', maxsplit=1)[0]}?{urlencode({REQUEST: packed})}"
    return link if len(link) <= LINK_MAX_CHARS else None


def read_request(packed: str) -> Request:
    """Return the request of a link. Raises `PlaygroundError` with what is wrong."""
    broken = PlaygroundError("This link is damaged: its request cannot be read. Ask for it again, or start anew here.")
    if len(packed) > LINK_MAX_CHARS:
        raise broken
    try:
        body = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
        version = body.pop("v")
        request = Request(**body)
    except (ValueError, TypeError, KeyError, AttributeError, ValidationError, binascii.Error, RecursionError) as error:
        raise broken from error
    if version != VERSION:
        raise PlaygroundError(
            f"This link was made by another version of the playground (link version {str(version)[:20]}; this one "
            f"reads {VERSION}). Ask for a new one."
        )
    for name, text in request.inputs.items():
        check_text(text, name)
    return request


def read(catalog: Catalog, modality: str) -> None:
    """Take the page's address in, once per session and page, before the first widget: apply a whole request, and
    name every setting that Streamlit is about to drop.
    """
    done = st.session_state.setdefault(_READ, set())
    packed = st.query_params.get(REQUEST)
    if packed is not None:
        del st.query_params[REQUEST]
        try:
            request = read_request(packed)
            apply(catalog, modality, request)
            act = "Press Enter in the box below." if request.inputs.get("messages") else "Press Run."
            state.notify(f"This page was opened from a link: its prompt and settings are below. {act}", "info")
            _tell_missing(catalog, catalog[request.model])
        except PlaygroundError as error:
            state.notify(error.message, "warning")
    if modality in done:
        return
    done.add(modality)
    for sentence in _problems(catalog, modality, st.query_params.to_dict()):
        state.notify(sentence, "warning")


def apply(catalog: Catalog, modality: str, request: Request) -> None:
    """Set the page to a request. Settings that are out of range are named and left at the default.

    Raises `UnknownModel`, and `PlaygroundError` for a model of another page.
    """
    spec = catalog[request.model]
    if spec.modality != modality:
        raise PlaygroundError(f"This is for {spec.name} on the {spec.modality.capitalize()} page; open it there.")
    family = catalog.family(spec.id)
    fields = family.fields(spec)
    good: dict[str, Any] = {"seed": request.seed}
    for name, value in request.params.items():
        try:
            check(family.Params, fields, {name: value}, spec.id)
            good[name] = value
        except PlaygroundError as error:
            state.notify(f"Left at its default: {error.message}", "warning")
    st.session_state[state.model_key(modality)] = spec.id
    inputs.restore(modality, family, {"prompt": "", "messages": "", **request.inputs})
    params_form.set_values(spec, fields, good)


def _tell_missing(catalog: Catalog, spec: ModelSpec) -> None:
    family = catalog.family(spec.id)
    if said := inputs.missing(family, spec, family.fields(spec)):
        state.notify(said, "warning")


def _problems(catalog: Catalog, modality: str, given: dict[str, str]) -> list[str]:
    """Return a sentence for each part of the address that cannot be used."""
    models = {spec.id: spec for spec in catalog.values() if spec.modality == modality}
    prefixes = {spec.id.split("/", 1)[-1]: spec for spec in catalog.values()}
    problems = []
    for key, text in given.items():
        if key == JOB:
            continue
        if key == MODEL:
            if text not in models:
                try:
                    _ = catalog[text]
                    problems.append(f"The address asks for {text}, which is not a model of this page.")
                except PlaygroundError as error:
                    problems.append(error.message)
            continue
        prefix, _, name = key.removesuffix(".on").rpartition(".")
        spec = prefixes.get(prefix)
        if spec is None:
            problems.append(f"The address names {_short(key)!r}, which this page does not know. It was left out.")
            continue
        problem = _setting_problem(catalog, spec, name, text, switch=key.endswith(".on"))
        if problem:
            problems.append(f"From the address: {problem} Left at its default.")
    return problems


def _setting_problem(catalog: Catalog, spec: ModelSpec, name: str, text: str, *, switch: bool) -> str:
    family = catalog.family(spec.id)
    fields = family.fields(spec)
    item = next((item for item in fields if item.name == name), None)
    if switch:
        return "" if text in ("true", "false") else f"{name}.on is {_short(text)!r}; allowed is true or false."
    value = _parsed(item, text)
    if item is not None and item.type == "seed":
        fine = isinstance(value, int) and 0 <= value <= SEED_MAX
        return "" if fine else f"seed is {_short(text)!r}; allowed is a whole number from 0 to {SEED_MAX}."
    try:
        check(family.Params, fields, {name: value}, spec.id)
    except PlaygroundError as error:
        return error.message
    return ""


def _parsed(item: ParamField | None, text: str) -> Any:
    if item is None or item.type in ("choice", "text", "tags"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:39]}…"
