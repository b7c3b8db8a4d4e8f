"""Text from people and models, made safe for widgets that read markdown: the one way into every label."""

from __future__ import annotations

import re

_MEANING = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~:$&^=])")
# what Streamlit replaces in a text after markdown has read it, where no backslash helps: icons, its logo, arrows, and
# addresses, which become links
_REPLACED = re.compile(
    r":(?=material[/_]\w+:|streamlit:|//)|(?<=[<~>\-])(?=[=\-])|(?<=-)(?=>)|(?<=[wW]{3})(?=\.)|(?<=@)"
)
_JOINER = "\u2060"  # a word joiner: nothing is to be seen of it, and no line breaks there


def plain(text: str) -> str:
    """Return `text` so that markdown shows it as it is: every character that could mean something is escaped.

    Icons (`:material/home:`), arrows (`->`) and links (`http://`, `www.`, `a@b.org`), which are made of plain text too,
    get a word joiner inside.
    """
    parted = _REPLACED.sub(lambda found: found[0] + _JOINER, text)
    return _MEANING.sub(r"\\\1", parted)
