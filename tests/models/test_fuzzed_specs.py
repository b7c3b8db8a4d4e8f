"""Files of sweeps with one part replaced by anything: each is taken, or refused in words that name that part."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from models.errors import PlaygroundError
from models.sweeps import cells, spec
from tests.models.test_fuzz import CATALOG, NAMES, SOME, text, values

keys = st.sampled_from(NAMES.split()) | text

WHOLE = {
    "v": 1,
    "request": {
        "model": "text/story-gpt", "inputs": {"prompt": "Once"}, "params": {"top_p": 0.9}, "seed": 3, "study": "",
    },
    "axes": [
        {"name": "temperature", "values": [0.3, 0.8]}, {"name": "seed", "values": [0, 1]},
        {"name": "inputs.prompt", "values": ["Once", "Twice"]},
    ],
}  # fmt: skip


def places(part, at=()):
    """Yield the path of every part of a file."""
    yield at
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, inner in items:
        yield from places(inner, (*at, name))


def tried(content):
    """Return the sentence that refuses a file, "" where it becomes cells."""
    try:
        sweep = spec.read(content if isinstance(content, str) else json.dumps(content))
        plan = cells.plan(CATALOG, sweep)
    except PlaygroundError as error:
        return error.message
    assert 0 < len(plan.cells) <= spec.CELLS_MOST
    assert spec.read(sweep.to_json()) == sweep
    return ""


def named(said, at):
    """Say whether a sentence names a part of the file: a name on the way to it, or what it is a value of."""
    axis = WHOLE["axes"][at[1]]["name"].removeprefix("inputs.") if at[0] == "axes" and len(at) > 1 else ""
    words = [*map(str, at), "version", *(["prompt", "text"] if "inputs" in at or axis == "prompt" else [])]
    return any(word.lower().replace("_", " ") in said.lower().replace("_", " ").replace("-", " ")
               for word in (*words, axis.replace("_", "-")) if word)  # fmt: skip


@SOME
@given(st.sampled_from([at for at in places(WHOLE) if at]), values)
def test_a_part_that_is_anything_is_taken_or_named(at, value):
    content = copy.deepcopy(WHOLE)
    inner = content
    for name in at[:-1]:
        inner = inner[name]
    inner[at[-1]] = value
    said = tried(content)
    # a setting or an input of another name is told by that name
    own = [str(name)[:20] for name in value] if isinstance(value, dict) else []
    own += [word for word in ("Infinity", "NaN") if word in json.dumps(value)]  # Python's, and no JSON
    assert not said or named(said, at) or any(name and name in said for name in own), (at, value, said)
    assert len(said) < 2000


@SOME
@given(st.sampled_from([at for at in places(WHOLE) if at and isinstance(at[-1], str)]), keys)
def test_a_part_that_is_missing_or_called_otherwise_is_named(at, other):
    content = copy.deepcopy(WHOLE)
    inner = content
    for name in at[:-1]:
        inner = inner[name]
    inner[other] = inner.pop(at[-1])
    said = tried(content)
    assert not said or named(said, at) or other[:20] in said or repr(other)[1:20] in said, (at, other, said)


@SOME
@given(text | values.map(json.dumps))
def test_any_text_as_a_file_gets_a_sentence(content):
    said = tried(content)
    assert said and said[0].isupper() and said.endswith(".")
