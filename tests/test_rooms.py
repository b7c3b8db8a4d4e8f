"""The core knows no modality: what its files may not say, read from their syntax trees."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from components import rooms
from tests.test_layout import session_state_faults

ROOT = Path(__file__).parents[1]
GENERIC = sorted(
    path for folder in ("components", "models", "models/runtime", "pages") for path in (ROOT / folder).glob("*.py")
)
PAGES = {page.script for room in rooms.every().values() for page in room.pages}  # short files, each names its room
# words for what rooms make; "text" is a plain type of settings and inputs, too, and Streamlit's own word
MADE = ("image", "picture", "audio", "sound", "speech", "voice", "video", "story", "stories", "tune", "chat", "emoji")
WORD = re.compile(rf"(?<![a-z])({'|'.join(MADE)})s?(?![a-z])")
FACTS = ("chat",)  # a fact of a catalogue entry; all facts that code reads are typed in one place
MEDIA_TYPE = re.compile(r"(text|image|audio|video|application)/[a-z0-9.+-]+")
ICON = re.compile(r":material/\w+:")


def docstrings(tree):
    """Return the ids of the nodes that are docstrings."""
    homes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        id(node.body[0].value) for node in ast.walk(tree)
        if isinstance(node, homes) and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip


def names(node):
    """Return what a node calls things of our own: definitions, arguments, variables, modules."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(one.name for one in node.names)]
    return [one.name for one in node.names] if isinstance(node, ast.Import) else []


def said(tree):
    """Yield every word for a modality in a tree, with its line."""
    docs = docstrings(tree)
    for node in ast.walk(tree):
        texts = [re.sub(r"[_.]", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)).lower() for name in names(node)]
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            text = ICON.sub("", node.value)
            texts.append("" if MEDIA_TYPE.fullmatch(text) else text.lower())
            if any(text == name != "text" or text.startswith(f"{name}/") for name in rooms.every()):
                texts.append("image" if not MEDIA_TYPE.fullmatch(text) else "")
        for text in texts:
            if found := WORD.search(text):
                yield node.lineno, found[0]


@pytest.mark.parametrize("path", GENERIC, ids=lambda path: str(path.relative_to(ROOT)))
def test_generic_code_names_no_modality(path):
    if path in PAGES:
        assert len(path.read_text("utf-8").splitlines()) <= 15
        return
    found = [word for _, word in said(ast.parse(path.read_text("utf-8")))]
    assert found == list(FACTS if path.name == "types.py" else ())


def test_the_check_sees_what_it_should():
    for line in ('x = "audio/"', 'if m == "image": pass', "def draw_picture(): pass", "from components import chat",
                 "class SoundView: pass", 'y = m.startswith("text/")'):  # fmt: skip
        assert list(said(ast.parse(line))), line
    for line in ('"""Pictures and sounds."""', 'x = "image/png"', 'x = ":material/tune:"', 'kind = "text"'):
        assert not list(said(ast.parse(line))), line


def test_every_room_of_the_app_is_found_and_stands_in_its_own_folder():
    own = {file.parent.name for file in (ROOT / "components").glob("*/page.py")}
    assert own == set(rooms.every())
    assert rooms.problems() == ()
    for name in own:
        assert (ROOT / "models" / name / "families").is_dir()
        assert all(page.script.is_file() for page in rooms.room(name).pages)


def layers(container):
    """Return the names in the layers of the contract on a package, each layer as a set."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    found = next(one for one in contracts if one.get("containers") == [container])
    return [set(re.findall(r"\w+", layer)) for layer in found["layers"]]


@pytest.mark.parametrize("package", ["models", "components"])
def test_the_import_contracts_name_every_room_of_the_repository(package):
    """A room in a folder outside of the repository needs nothing; one inside is named in pyproject.toml, to be held."""
    named = next((one for one in layers(package) if one & set(rooms.every())), set())
    missing = sorted(set(rooms.every()) - named)
    assert not missing, (
        f"pyproject.toml: add {' | '.join(missing)} to the layer {' | '.join(sorted(named))} of the contract whose "
        f"container is {package!r}: a room of the repository has one word in each contract that names the rooms."
    )
    gone = sorted(named - set(rooms.every()))
    assert not gone, f"pyproject.toml: the contract on {package!r} names {gone}, which are no rooms any more."


def test_rooms_are_independent_in_models():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    found = next(one["modules"] for one in contracts if one["name"] == "no room of models imports another")
    wanted = sorted(f"models.{name}" for name in rooms.every())
    assert sorted(found) == wanted, f"pyproject.toml: the contract “no room of models imports another” needs {wanted}"


def test_the_room_that_shows_how_keeps_the_rules():
    files = list((ROOT / "tests" / "toy").rglob("*.py"))
    sources = {str(file.relative_to(ROOT)): file.read_text("utf-8") for file in files}
    assert len(sources) > 3
    assert session_state_faults(sources) == []
    others = "|".join(rooms.every())
    for name, source in sources.items():
        assert not re.search(rf"(models|components)\.({others})\b", source), f"{name} imports another room"
