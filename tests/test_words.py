"""Help texts a learner can read: short, in the field's terms; see docs/glossary.md."""

import ast
import re
from pathlib import Path

import pytest

from models.catalog import load_catalog
from models.errors import restore
from models.settings import Settings

CATALOG = load_catalog(Settings(), strict=False)
MOST_WORDS = 25
RETIRED = ("odds", "anew", "daring", "doubt", "drowns", "critic", "near relative", "kept list", "found out")


def helps():
    for family in CATALOG.families.values():
        for name, info in family.Params.model_fields.items():
            yield f"{family.name}.{name}", info.description or ""
        for item in family.inputs:
            yield f"{family.name}.inputs.{item.name}", item.help


@pytest.mark.parametrize(("place", "text"), [(place, text) for place, text in helps() if text])
def test_a_help_text_is_short_and_in_the_field_s_terms(place, text):
    assert len(text.split()) <= MOST_WORDS, text
    text = text.replace("halves the odds", "")  # of the bias, where odds are what is meant
    for word in RETIRED:
        assert not re.search(rf"\b{word}\b", text.lower()), (word, text)


ROOT = Path(__file__).parents[1]
CODE = [*(ROOT / "models").rglob("*.py"), *(ROOT / "components").rglob("*.py"), ROOT / "Home.py"]
# what no sentence says, and what it says instead
NEVER = {
    r"Restore (it|them)\b(?!; if)": "how: `models.errors.restore`",
    r"\b[Gg]ive (a|another|a smaller|the) (one|file|recording|picture|image|conversation)\b(?! one of these)":
        "upload",
    r"(?<!There )\b(is|are) no (text|JSON|bias|picture)\b": "is not",
    r"(\d|\}) %": "57%",
    r"Warming up": "Starting: loading the libraries",
}  # fmt: skip


def sentences(file):
    """Return the texts of a module but its docstrings, what code fills in as {}."""
    tree = ast.parse(file.read_text("utf-8"))
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        apart |= {id(part) for part in node.values} if isinstance(node, ast.JoinedStr) else set()
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield node.value


@pytest.mark.parametrize("words", NEVER)
def test_no_sentence_of_the_app_has_words_that_were_given_up(words):
    told = restore().split(";")[0] + ";"  # the one place that says it whole
    found = [
        (str(file.relative_to(ROOT)), text)
        for file in CODE
        for text in sentences(file)
        if re.search(words, text) and not text.startswith(told)
    ]
    assert not found, NEVER[words]


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "training/LOG.md", "CHANGELOG.md"])
def test_a_percent_sign_stands_at_its_number(file):
    assert not re.findall(r".{0,20}\d[  ]%.{0,20}", (ROOT / file).read_text("utf-8"))


def test_what_the_image_room_labels_is_an_image():
    for spec in CATALOG.values():
        family = CATALOG.family(spec.id)
        labels = [item.label for item in (*family.inputs, *family.fields(spec))]
        assert not [label for label in labels if "picture" in label.lower()], spec.id
