"""Whatever comes from outside is taken or answered by a sentence: texts, files, links, entries, frames.

`make fuzz` tries many thousand and keeps what it found in `.hypothesis/`; without it there are a hundred of each, the
same each time. What is found gets a plain test of its own, beside what it breaks.
"""

import base64
import io
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from PIL import Image

from components import links, rooms
from components.image import mask_painter
from components.text import head_grid, text_box
from models import given as arguments
from models import lists, outside, params, readers, stamps
from models.catalog import load_catalog
from models.errors import PlaygroundError
from models.image import files, texts
from models.runtime import wire
from models.settings import Settings
from models.text import conversations, prompts
from models.text import saved as saved_texts
from models.torchaudio_guard import guard

guard()

from models.audio import arrangement, scores, sounds, tunes  # noqa: E402
from models.audio.families import text_to_speech, tune_lm  # noqa: E402
from models.image.sampling import weights  # noqa: E402
from tests.odd import odd_settings  # noqa: E402

SETTINGS = Settings()
CATALOG = load_catalog(SETTINGS, strict=False)
PAGE = rooms.room("text").page
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))  # of `make fuzz`
KEPT = DirectoryBasedExampleDatabase(Path(__file__).parents[2] / ".hypothesis") if EXAMPLES else None
SOME = settings(
    max_examples=EXAMPLES or 100,
    derandomize=not EXAMPLES,
    database=KEPT,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=bool(EXAMPLES),
)

letters = st.characters(codec=None) | st.sampled_from("{}[]()|:,_$\\\"'<>-./\n\t \0\ud800\u2028é😀0123456789")
text = st.text(letters, max_size=60)
numbers = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 2**32, 1e308, True])
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda one: st.lists(one, max_size=4) | st.dictionaries(text, one, max_size=4),
    max_leaves=12,
)
NAMES = """
model inputs params seed v stamp request prompt messages role content chat history mapping parent internal branches
after made_by class_type nodes links widgets_values type sui_image_params uc scale base_model resolution image steps
sampler author parts current_node
"""
names = st.sampled_from(NAMES.split()) | text
documents = st.recursive(
    values, lambda one: st.dictionaries(names, one, max_size=5) | st.lists(one, max_size=4), max_leaves=20
)


def written(value):
    """Return a value as JSON, half characters and all."""
    return json.dumps(value, default=str)


def answered(call, *also):
    """Return what a call returns, None where it answers by a sentence that can be shown."""
    try:
        return call()
    except (PlaygroundError, outside.Unreadable, *also) as error:
        said = getattr(error, "message", str(error))
        assert said.strip()
        assert len(said) < 3000
        assert "Traceback" not in said
        return None


@SOME
@given(text, documents)
def test_prompts_and_what_stands_in_them(told, document):
    answered(lambda: lists.draw(told, 1, lists.folders(SETTINGS)))
    answered(lambda: weights.read(told))
    answered(lambda: tune_lm.opening(told))
    answered(lambda: text_to_speech.read_rows(written(document)))
    for one in (told, written(document)):
        answered(lambda one=one: prompts.read_messages(one))
        answered(lambda one=one: prompts.read_forced(one, 100))
        answered(lambda one=one: conversations.read_input(one))


words = st.sampled_from(
    ["|", "|:", ":|", "||", "[1", "[2", "(3", "z2", "c", "^c/2", "_B,3/2-", "d'", "M:6/8", "K:Dmaj"]
)


@SOME
@given(st.lists(words | text, max_size=30).map(" ".join))
def test_tunes(told):
    tune = tunes.read(told)
    arrangement.melody(tune, 120)
    arrangement.chords(tune, 120)
    scores.midi(told, 120, chords=True)
    tunes.to_abc(told, "a tune")


@SOME
@given(
    documents,
    st.dictionaries(
        st.sampled_from(
            ["story-gpt.seed", "story-gpt.top_k.on", "story-gpt.temperature", "job", "model", "story-gpt.stop"]
        )
        | text,
        text | numbers.map(str),
        max_size=5,
    ),
)
@example({}, {"story-gpt.seed": "9" * 5000})
def test_links(document, address):
    packed = base64.urlsafe_b64encode(written(document).encode()).decode().rstrip("=")
    if answered(lambda: links.read_request(packed)) is not None:
        links.asks_for_a_new_seed(packed)
    for read in (
        links.problems,
        lambda *given: links.current(CATALOG, address),
        lambda *given: links.settings(CATALOG, address),
        lambda *given: links.unusable(CATALOG, address),
    ):
        read(CATALOG, PAGE, address)


@SOME
@given(
    st.sampled_from(sorted(CATALOG)),
    st.dictionaries(st.sampled_from(["seed", "stop", "steps"]) | text, values, max_size=3),
    st.data(),
)
def test_settings_of_any_kind(model, found, data):
    fields = CATALOG.family(model).fields(CATALOG[model])
    found |= {data.draw(st.sampled_from(fields)).name: data.draw(values)}
    answered(lambda: params.check(CATALOG.family(model).Params, fields, found, model))
    pairs = [f"{name}={value if isinstance(value, str) else written(value)}" for name, value in found.items()]
    answered(
        lambda: params.check(
            CATALOG.family(model).Params, fields, arguments.params(pairs, {item.name: item for item in fields}), model
        )
    )


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(found):
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "PNG")
    plain = buffer.getvalue()
    told = b"".join(chunk(kind, body) for kind, body in found)
    return plain[:33] + told + plain[33:]


keys = st.sampled_from(
    [
        b"parameters",
        b"playground",
        b"Dream",
        b"sd-metadata",
        b"Comment",
        b"prompt",
        b"workflow",
        b"invokeai_metadata",
        b"Software",
        b"Raw profile type exif",
    ]
)
bodies = (
    st.binary(max_size=80)
    | documents.map(lambda one: written(one).encode())
    | text.map(lambda one: f"a kite\nSteps: 20, Size: {one}, Seed: 1, Sampler: {one}".encode("utf-8", "replace"))
)
chunks = st.tuples(keys, bodies).map(lambda one: (b"tEXt", one[0] + b"\0" + one[1])) | st.tuples(
    st.sampled_from([b"zTXt", b"iTXt", b"eXIf", b"tEXt", b"acTL", b"iCCP"]), st.binary(max_size=120)
)


@SOME
@given(st.lists(chunks, max_size=4))
def test_settings_in_a_picture(found):
    data = png(found)
    answered(lambda: readers.read_settings(data, SETTINGS))
    answered(lambda: files.file_text(data))


starts = st.sampled_from(
    [
        b"",
        texts.PNG_START,
        b"\xff\xd8\xff\xe1\0\x20Exif\0\0II*\0",
        b"RIFF\x20\0\0\0WEBPVP8X",
        b"RIFF\x20\0\0\0WAVEfmt \x10\0\0\0",
        b"RIFF\x20\0\0\0WAVELIST",
        b"fLaC",
        b"OggS\0\2",
        b"ID3\4\0\0\0\0\0\x20COMM",
        b"\xff\xfb\x90\0",
        b"\0\0\0\x20ftypavif",
        b"\0\0\0\x20ftypM4A ",
        b"FORM\0\0\0\x20AIFF",
        b"---\n{",
        b'{"',
        b"\xef\xbb\xbf[",
        b"a\n\n---\n{",
    ]
)


@SOME
@given(starts, st.binary(max_size=200) | bodies, st.sampled_from([b"", b"\n---\n", b"}\n---\n", b'"}', b"\0" * 9]))
def test_any_file_as_settings_and_as_upload(start, middle, end):
    data = start + middle + end
    answered(lambda: readers.read_settings(data, SETTINGS))
    answered(lambda: files.decode_upload(data))
    answered(lambda: files.decode_mask(data, (8, 8)))
    answered(lambda: sounds.decode_upload(data))
    answered(lambda: conversations.read_conversations(data))
    answered(lambda: saved_texts.stamp_of(data))


@SOME
@given(
    st.lists(st.floats(width=32) | st.sampled_from([np.nan, np.inf, 1e30, 0.5]), min_size=1, max_size=40),
    st.sampled_from(["FLOAT", "DOUBLE"]),
    st.sampled_from([1000, 8000, 384_000]),
)
def test_samples_of_any_value(samples, subtype, rate):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.resize(np.array(samples, np.float64), rate // 4), rate, format="WAV", subtype=subtype)
    found = answered(lambda: sounds.decode_upload(buffer.getvalue()))
    assert found is None or np.isfinite(found[0]).all()


@SOME
@given(documents, documents)
def test_stamps_and_conversations(one, other):
    answered(lambda: stamps.own_settings(written(one), "file"))
    answered(
        lambda: stamps.own_settings(
            written({"stamp": {"request": {"model": "m", "inputs": {}, "params": other, "seed": 1}}}), "file"
        )
    )
    for document in (
        one,
        {"messages": one},
        {"mapping": one, "current_node": other},
        {"chat": {"history": {"messages": one}}},
        {"internal": one},
        [one, {"messages": other}],
    ):
        answered(lambda document=document: conversations.read_conversations(written(document).encode()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return odd_settings(tmp_path_factory.mktemp("catalog"))


toml_values = st.sampled_from(
    [
        "1",
        "-1",
        "1e400",
        "nan",
        '"x"',
        "''",
        "[]",
        "[[1]]",
        "{a = 1}",
        "1979-05-27",
        "true",
        "9" * 400,
        "'text/odd'",
        '"../../etc"',
        "[1, 'a']",
    ]
)
toml_keys = (
    st.sampled_from(
        [
            "id",
            "name",
            "family",
            "parameters",
            "order",
            "weights.path",
            "weights",
            "params.steps.le",
            "facts",
            "examples",
            "limits",
            "names.file",
            "file",
            "facts.words",
        ]
    )
    | text
)


@SOME
@given(st.lists(st.tuples(toml_keys, toml_values | text), max_size=6), st.booleans())
def test_entries_of_a_catalogue(folder, lines, whole):
    own = folder.catalog_dirs[0]
    base = (own / "odd.toml").read_text("utf-8").replace("text/odd", "text/aaa") if whole else ""
    told = "".join(f"{key} = {value}\n" for key, value in lines)
    (own / "aaa.toml").write_bytes((told + base).encode("utf-8", "surrogatepass"))
    catalog = load_catalog(folder, strict=False)
    assert "text/odd" in catalog
    for problem in catalog.problems:
        assert len(problem.message) < 3000


@SOME
@given(st.binary(max_size=60), documents, st.lists(values, max_size=3))
def test_frames_between_app_and_worker(raw, document, sizes):
    heads = [
        json.dumps({**document, "blobs": sizes}).encode() if isinstance(document, dict) else written(document).encode()
    ]
    for frame in (raw, *(struct.pack(">I", len(head)) + head + raw for head in heads)):
        try:
            header, blobs = wire.unpack(frame)
        except ValueError:
            continue
        assert isinstance(header, dict)
        assert all(isinstance(blob, bytes) for blob in blobs)


@SOME
@given(documents, text)
def test_messages_of_a_browser(message, tail):
    head_grid.read_pick(message, 4, 4)
    text_box.read_text(message).encode()
    text_box.read_text(tail).encode()
    mask_painter.read_mask(message, "p", (8, 8))
    mask_painter.read_mask({"picture": "p", "png": f"data:image/png;base64,{tail}"}, "p", (8, 8))
