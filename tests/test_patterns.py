"""Every pattern that reads text from outside is on a list, with the reason why it is linear: a new one is looked at.

Python's `re` goes back and tries again: two runs of the same letters side by side, or a search that begins with a run,
take the square of the length, and hold the interpreter's lock all the while. Where each pattern is used, and what else
reads foreign text, is measured in `tests/models/test_growth.py`.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [path for folder in ("models", "components", "pages") for path in sorted((ROOT / folder).rglob("*.py"))]

ALWAYS = "whatever follows its first letter, it fits: nothing is tried again"
SIGN = "one letter, or a class of them, at each place: nothing to go back to"
RUNS = "one run: what follows it cannot be part of it, and the next search begins behind it"
FIXED = "of a length that is written in it"
WHOLE = "matched from one place on, not searched for; no two runs of the same letters side by side"
BRACKETED = "begins with a mark that its run leaves out, so that no two searches read the same letters"
OURS = "reads names of our own, never text from outside"
RUST = "checked by pydantic, whose engine never goes back"

REASONS = {
    r"\d|[^\W\d_]+(?:['’][^\W\d_]+)*": RUNS,
    r"[^\W_]+(?:['’\-][^\W_]+)*": RUNS,
    r"[.!?…]+([\"”’')\]]*)": ALWAYS,
    r"[a-z][a-z0-9_]{0,39}": OURS,
    r"[ \t]*(?:(?:[-*+•–—>#]|#{2,6}|\d{1,3}[.)]|[A-Za-z]\)|[a-z]\.)[ \t]+)?": WHOLE,
    r"[.!?…。！？]+([\"”’»')\]]*)": ALWAYS,
    r"([\\`*_{}\[\]()<>#+\-.!|~:$&^=])": SIGN,
    r":(?=material[/_]\w+:|streamlit:|//)|(?<=[<~>\-])(?=[=\-])|(?<=-)(?=>)|(?<=[wW]{3})(?=\.)|(?<=@)": BRACKETED,
    r"utm_.*|gclid|gclsrc|dclid|gbraid|wbraid|fbclid|msclkid|yclid|twclid|ttclid|igshid|li_fat_id"
    r"|mc_cid|mc_eid|_hs.*|_g[al]|srsltid|ref": WHOLE,
    r"[A-Za-z0-9_-]{43}": FIXED,
    r"[^a-z0-9.]+": RUNS,
    r"[^A-Za-z0-9.+-]+": RUNS,
    r"[,;\n]": SIGN,
    r"([,;:.!?…])": SIGN,
    r"\S+\s*|\s+": RUNS,
    r"\S+": RUNS,
    r"\d+": RUNS,
    r"</?(?:[ibusIBUS]|font|FONT)(?:\s[^<>]*)?>|\{\\[^{}]*\}": BRACKETED,
    r"[0-9a-f]{32}": FIXED,
    r"[^A-Za-z0-9_-]": OURS,
    r"[a-z]+|\d|[^\s,.;:!?-]": RUNS,
    r"[a-z]+|\d": RUNS,
    r"[^.!?…\n]+(?:[.!?…]+[\"”’')\]]*|\n|$)\s*": ALWAYS,
    r"\|:|:\||\|\||\[[12]|\||\(3|(?:[\^_=]?[A-Ga-g](?:,+|'+)?|z)(?:\d+)?(?:/\d*)?-?|\S": ALWAYS,
    r"(?<=\D)1(?=/|-|$)": SIGN,
    r"/(?=-|$)": SIGN,
    r"[^\x00-\x7f]": SIGN,
    r"(\^|_|=)?([A-Ga-g])(,{0,3}|'{0,3})(\d+)?(?:/(\d+))?(-)?$": WHOLE,
    r"z(\d+)?(?:/(\d+))?$": WHOLE,
    r"(?:sha256:)?([0-9a-f]{64})": FIXED,
    r"sha256:([0-9a-f]{64})": FIXED,
    r"\s+": RUNS,
    r"[^a-z0-9]": SIGN,
    r"[\s_]+": RUNS,
    r"[a-z][a-z0-9_]*": OURS,
    r"\(?\s*(\d{1,5})\s*[x×,]\s*(\d{1,5})\s*\)?": WHOLE,
    r"[+-]?\d{1,40}(\.0+)?": WHOLE,
    r"\[([^\[\]]*)\]": BRACKETED,
    r"[^\W_]+": RUNS,
    r"<(lora|lyco|hypernet):([^<>]*)>": BRACKETED,
    r"[()\[\]\\]": SIGN,
    r"[()\[\]\\:]": SIGN,
    r"[()\[\]:]": SIGN,
    r"\\[()\[\]\\]": SIGN,
    r"\(": SIGN,
    r"\)": SIGN,
    r"\[": SIGN,
    r"\]": SIGN,
    r"[^()\[\]\\:]+|:(?!\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)\s*\))|\\": BRACKETED,
    r":\s*[-+]?(?:\d+(?:\.\d*)?|\.\d+)\s*\)": BRACKETED,
    r"[ \t]*([^\W\d_][\w \-/()+.]{0,60}?):[ \t]*": "matched from one place on; the name is at most 61 letters long",
    r"[ \t]*Steps:[ \t]*\d+[ \t]*(,|$)": WHOLE,
    r"(?:^|[\s.,;])(?=Steps:[ \t]*\d+[ \t]*,)": BRACKETED,
    r"[,\n]|\Z": SIGN,
    r"^[ \t]*Negative prompt:": "begins at a line's beginning alone, and its run ends with the line",
    r":\s*\d+(\.\d+)?\s*(?=\))": BRACKETED,
    r"[{}]|__\w": SIGN,
    r"[^\W_]+(?:['’-][^\W_]+)*": RUNS,
    r"__([A-Za-z0-9][A-Za-z0-9-]*(?:_[A-Za-z0-9-]+)*)__": "two lines end it where they could begin it again",
    r"[{}|]|\$\$": SIGN,
    r"(?<!\d)(\d+)(?:-(\d+))?\$\$": "begins where no digit stands before, so that a run of digits is read once",
    "[\ud800-\udfff]": SIGN,
    "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]": SIGN,
    r"[^a-z0-9._-]+": RUNS,
    r"\\([nt\\])": SIGN,
    # made of a tokenizer's own special tokens, each by its letters
    "'|'.join(map(re.escape, sorted(tokenizer.all_special_tokens, key=len, reverse=True)))": FIXED,
    r"^[\w.-]+/[\w.-]+$": RUST,
    r"^[0-9a-f]{40}$": RUST,
    r".": SIGN,
    r"^[0-9a-f]{64}$": RUST,
    r"^[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*$": RUST,
    r"^[a-z0-9_]*$": RUST,
    r"^[\w.-]+$": RUST,
    r"^[a-z][a-z0-9_]*/[a-z0-9][a-z0-9.-]*$": RUST,
    r"^[a-z_]{0,40}$": RUST,
}
NO_PATTERN = ("escape", "Match", "Pattern")  # of the module `re`: makes none, or is a type
GRAMMARS = ("Regex", "leaf")  # of pyparsing, and what hands a pattern on to it


def patterns(source):
    """Yield every pattern in a source, a text of its letters or, where it is made, the expression that makes it; with
    its line.
    """
    for node in ast.walk(ast.parse(source)):
        found = None
        if isinstance(node, ast.ImportFrom) and node.module in ("re", "regex"):
            yield f"names of {node.module} imported", node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            of = node.func.value if isinstance(node.func, ast.Attribute) else None
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            ours = isinstance(of, ast.Name) and of.id in ("re", "regex") and name not in NO_PATTERN
            if ours or name in GRAMMARS:
                found = node.args[0]
        elif isinstance(node, ast.keyword) and node.arg == "pattern":
            found = node.value
        if isinstance(found, ast.Constant):
            yield found.value, found.lineno
        elif found is not None and not (isinstance(found, ast.Name) and found.id == "pattern"):  # handed on by `leaf`
            yield ast.unparse(found), found.lineno


def test_every_pattern_is_on_the_list_with_its_reason():
    seen = set()
    for path in SOURCES:
        for pattern, line in patterns(path.read_text("utf-8")):
            where = f"{path.relative_to(ROOT)}:{line}"
            assert pattern in REASONS, (
                f"{where}: {pattern!r} is new. Is it linear? If so, add it here with the reason, and what uses it to "
                "tests/models/test_growth.py; if not, write it otherwise (str.partition, a bound, a library)."
            )
            seen.add(pattern)
    assert set(REASONS) - seen == set(), "these patterns are gone: take them from the list"


@pytest.mark.parametrize(
    "source",
    ['re.search(r"a*a*b", x)', 'A = re.compile("a")', "re.sub(f'{x}*', '', y)", "from re import compile",
     'pp.Regex("a")', 'leaf("a+")', 'Field(pattern="^a$")', "re.compile(x)", "regex.compile('a')"],
)  # fmt: skip
def test_a_pattern_in_any_way_of_writing_is_found(source):
    assert list(patterns(source)) != []


@pytest.mark.parametrize("source", ["re.escape(x)", "x: re.Match[str] = y", "text.split(',')", "found.match(x)"])
def test_what_makes_no_pattern_is_passed_over(source):
    assert list(patterns(source)) == []
