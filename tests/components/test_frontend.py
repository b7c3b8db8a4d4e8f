"""What runs in the browser stands in files beside its module: none is missing, none is forgotten, none writes HTML."""

import ast
import re
from pathlib import Path
from types import ModuleType

import pytest
import streamlit as st

from components import frontend

COMPONENTS = Path(frontend.__file__).parent
FILES = sorted(path for suffix in ("html", "css", "js") for path in COMPONENTS.rglob(f"*.{suffix}"))
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


def calls(path, name):
    """Return the calls of `frontend.<name>` that stand in a module."""
    return [
        node for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"frontend.{name}"
    ]  # fmt: skip


def registered():
    """Return for each module that registers a component its path, and the names given by keyword."""
    found = [(path, call) for path in sorted(COMPONENTS.rglob("*.py")) for call in calls(path, "component")]
    return [(path, {one.arg: one.value for one in call.keywords}) for path, call in found]


def shared_stems(more):
    return [ast.unparse(one) for one in more["shared"].elts] if "shared" in more else []


def exported(path):
    return re.findall(r"^export (?:const|function) (\w+)", path.read_text("utf-8"), re.MULTILINE)


def write(folder, stem, **texts):
    folder.mkdir(exist_ok=True)
    for suffix, text in texts.items():
        (folder / f"{stem}.{suffix}").write_text(text, "utf-8")
    return str(folder / f"{stem}.py")


@pytest.fixture
def handed(monkeypatch):
    """Return what Streamlit is given, by name of component."""
    found = {}
    monkeypatch.setattr(st.components.v2, "component", lambda name, **texts: found.setdefault(name, texts))
    return found


def test_shared_parts_of_another_folder_come_first(tmp_path, handed):
    parts = ModuleType("parts")
    parts.__file__ = write(tmp_path / "widgets", "parts", css="a {}\n", js="export const one = 1;\n")
    own = write(tmp_path / "text", "view", html="<p>é</p>\n", css="b {}\n", js="export default () => one;\n")
    frontend.component("some_view", own, shared=(parts,))
    assert handed["some_view"] == {
        "html": "<p>é</p>\n", "css": "a {}\n\nb {}\n", "js": "export const one = 1;\n\nexport default () => one;\n",
    }  # fmt: skip


def test_a_short_skeleton_stands_in_for_the_html_file(tmp_path, handed):
    own = write(tmp_path, "view", css="b {}\n", js="export default () => {};\n")
    frontend.component("some_view", own, html="<p></p>")
    assert handed["some_view"]["html"] == "<p></p>"


@pytest.mark.parametrize("missing", ["html", "css", "js"])
def test_a_missing_file_is_named(tmp_path, handed, missing):
    own = write(tmp_path, "view", html="<p></p>", css="b {}", js="export default () => {};")
    (tmp_path / f"view.{missing}").unlink()
    with pytest.raises(FileNotFoundError, match=rf"view\.{missing} is missing: view\.py needs it"):
        frontend.component("some_view", own)
    assert handed == {}


def test_every_file_belongs_to_a_module_and_every_module_has_its_files():
    modules, needed = {path.stem: path for path in COMPONENTS.rglob("*.py")}, set()
    for path, more in registered():
        needed |= {path.with_suffix(suffix) for suffix in (".css", ".js", *(() if "html" in more else (".html",)))}
        needed |= {modules[stem].with_suffix(suffix) for stem in shared_stems(more) for suffix in (".css", ".js")}
    for path in COMPONENTS.rglob("*.py"):
        if path.name != "frontend.py" and "frontend.read(" in path.read_text("utf-8"):
            suffixes = re.findall(r"[\"'](\.(?:[a-z]+\.)?(?:html|css|js))[\"']", path.read_text("utf-8"))
            needed |= {path.with_suffix(suffix) for suffix in suffixes}
    assert len(registered()) > 10
    assert sorted(needed) == FILES


def test_nothing_for_the_browser_stands_in_a_string():
    for path in COMPONENTS.rglob("*.py"):
        text = path.read_text("utf-8")
        assert not re.search(r"export default|document\.createElement", text), path
        assert path.name == "frontend.py" or "components.v2.component" not in text, path
    for path, more in registered():
        assert "html" not in more or len(ast.literal_eval(more["html"])) < 100, path


def test_scripts_export_one_function_and_shared_ones_export_names_only():
    shared = {stem for _, more in registered() for stem in shared_stems(more)}
    assert shared
    for path in SCRIPTS:
        defaults = re.findall(r"^export default\b.*", path.read_text("utf-8"), re.MULTILINE)
        if path.stem in shared:
            assert defaults == [], path
            assert exported(path), path
        else:
            assert len(defaults) == 1, path
            assert re.match(r"export default function \(\{.*\}\) \{$", defaults[0]), path
            assert exported(path) == [], path


def test_scripts_say_which_shared_names_they_use_and_declare_none_of_them_again():
    scripts = {path.stem: path for path in SCRIPTS}
    for path, more in registered():
        text = path.with_suffix(".js").read_text("utf-8")
        said = re.findall(r"^/\* global (.+) \*/", text, re.MULTILINE)
        given = {name for stem in shared_stems(more) for name in exported(scripts[stem])}
        code = re.sub(r'//.*|"(?:[^"\\\n]|\\.)*"', "", text.split("*/", 1)[-1])
        used = {name for name in given if re.search(rf"(?<![.\w]){name}(?!\w|\s*:)", code)}
        assert set(said[0].split(", ") if said else []) == used, path
        top = set(re.findall(r"^(?:const|let|function|class) (\w+)", text, re.MULTILINE))
        hidden = {name for stem in shared_stems(more)
                  for name in re.findall(r"^(?:export )?(?:const|let|function|class) (\w+)",
                                         scripts[stem].read_text("utf-8"), re.MULTILINE)}  # fmt: skip
        assert not top & hidden, path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_short_and_write_text_only_as_text(path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|srcdoc|createContextualFragment|DOMParser|document\.write"
    assert not re.search(rf"{ways}|\beval\b|new Function|\bimport\b|<script", text)
