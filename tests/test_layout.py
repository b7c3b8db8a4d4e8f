"""The shape of the repository that the documents promise."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    path for path in ROOT.rglob("*.py") if not {".venv", ".train", ".data"} & set(path.relative_to(ROOT).parts)
]  # fmt: skip


def test_no_file_is_over_400_lines():
    assert {path.name: count for path in SOURCES if (count := len(path.read_text().splitlines())) > 400} == {}


def test_pages_are_short():
    assert {path.name for path in (ROOT / "pages").glob("*.py") if len(path.read_text().splitlines()) > 15} == set()


def test_every_direct_dependency_is_pinned():
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-train.txt"):
        lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
        for line in filter(None, lines):
            assert line.startswith("-r ") or re.fullmatch(r"[A-Za-z0-9_.\[\]-]+==[\w.]+", line), (name, line)


def test_the_fixed_packages_are_required():
    text = (ROOT / "requirements.txt").read_text()
    for name in ("streamlit", "transformers", "diffusers", "torch", "torchaudio", "pydantic"):
        assert re.search(rf"^{name}==", text, re.MULTILINE), name


def test_no_model_is_named_in_code_outside_the_catalogue():
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] in ("models", "components", "pages"):
            assert not re.search(r"if .*==\s*[\"'](text|image|audio|video)/", path.read_text()), path


def test_only_what_draws_imports_streamlit():
    for path in SOURCES:
        if path.relative_to(ROOT).parts[0] in ("models", "training"):
            assert not re.search(r"^\s*(import|from) streamlit", path.read_text(), re.MULTILINE), path


def test_streamlit_is_set_up_as_the_design_demands():
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
    assert config["runner"]["postScriptGC"] is False
    assert config["client"]["showErrorDetails"] == "none"
    assert config["browser"]["gatherUsageStats"] is False
    assert {"light", "dark"} <= set(config["theme"])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_theme_colours_are_readable(theme):
    colours = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())["theme"][theme]
    for ground in ("backgroundColor", "secondaryBackgroundColor"):
        for ink, least in (("textColor", 7), ("linkColor", 4.5), ("primaryColor", 4.5)):
            assert contrast(colours[ink], colours[ground]) >= least, (ink, ground)


def contrast(one, two):
    """Return the contrast ratio of WCAG 2.2 of two #rrggbb colours."""

    def luminance(colour):
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_nothing_large_or_private_is_committed():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert [file for file in files if file.exists() and file.stat().st_size > 25_000_000] == []
    assert [file for file in files if file.suffix in (".bin", ".pt", ".pth", ".pkl", ".gz", ".sqlite")] == []


def test_no_two_components_of_the_browser_share_a_name():
    names = [name for file in (ROOT / "components").rglob("*.py")
             for name in re.findall(r'frontend\.component\(\s*"([^"]+)"', file.read_text("utf-8"))]  # fmt: skip
    assert len(names) > 10
    assert sorted(set(names)) == sorted(names)


def session_state_faults(modules):
    """Return what breaks the rules of `components.state` in modules other than it, given as source texts by name."""
    faults, declared, texts = [], [], []
    for name, source in modules.items():
        tree = ast.parse(source)
        at_top = {node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)}
        for node in ast.walk(tree):
            where = f"{name}:{getattr(node, 'lineno', 0)}"
            named = {getattr(node, field, None) for field in ("attr", "id", "name")}
            if "session_state" in named or (isinstance(node, ast.Constant) and node.value == "session_state"):
                faults.append(f"{where} touches the session state")
            if isinstance(node, ast.Constant):
                texts.append((where, node))
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if ast.unparse(node.func) == "state.at" and isinstance(node.args[0], ast.Constant | ast.JoinedStr):
                faults.append(f"{where} writes a key instead of having it made")
            if ast.unparse(node.func) == "state.slot":
                declared.append(node.args[0])
                if node not in at_top or not isinstance(node.args[0], ast.Constant):
                    faults.append(f"{where} declares a slot elsewhere than at the top, or not by a plain name")
    names = [node.value for node in declared if isinstance(node, ast.Constant)]
    faults += [f"the slot {name} is declared twice" for name in set(names) if names.count(name) > 1]
    faults += [f"{where} writes the name of a slot" for where, node in texts
               if node.value in names and node not in declared]  # fmt: skip
    return faults


def test_session_keys_are_made_in_one_module():
    own = ROOT / "components" / "state.py"
    modules = {
        str(path.relative_to(ROOT)): path.read_text("utf-8")
        for folder in ("components", "pages") for path in (ROOT / folder).rglob("*.py") if path != own
    }  # fmt: skip
    assert sum("state.slot(" in source for source in modules.values()) > 5
    assert session_state_faults(modules) == []


@pytest.mark.parametrize(
    "source",
    [
        'st.session_state["a"] = 1',
        'x = st.session_state.get(f"{key}-a")',
        "from streamlit import session_state as kept",
        'x = getattr(st, "session_state")',
        'state.at("a").set(1)',
        'state.at(f"{key}-a", 0).get()',
        'def f():\n    return state.slot("a", 0)',
        "A = state.slot(NAME, 0)",
        'A = state.slot("a", 0)\nB = state.slot("a", 1)',
        'A = state.slot("a", 0)\nst.button("A", key="a")',
    ],
)
def test_a_key_made_elsewhere_is_found(source):
    assert session_state_faults({"module.py": source}) != []
