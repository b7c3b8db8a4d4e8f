"""A tokenizer's tokens as bytes: which of them would complete a word, however it is split."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from models.text.vocabulary import piece_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.integer[Any]]

_LOOK_BACK = 8  # bytes: two characters at least
_OPENING, _QUOTES = "([{“‘«„¿¡—–-/_*#", "\"'"


class Spelling:
    """Hold every token's bytes. `core` is one of the library tokenizers; special tokens have no text.

    `models.text.vocabulary` turns pieces into bytes.
    """

    def __init__(self, core: Any) -> None:
        self.core = core
        names = core.get_vocab(with_added_tokens=True)
        self.texts: list[bytes] = [b""] * (max(names.values(), default=-1) + 1)
        kinds = core.decoder.__getstate__().decode() if core.decoder is not None else ""
        for name, token in names.items():
            self.texts[token] = piece_bytes(name, kinds)
        for token, added in core.get_added_tokens_decoder().items():
            self.texts[token] = b"" if added.special else added.content.encode()
        self._breakers: dict[str, NDArray[np.bool_]] = {}
        self._found: dict[tuple[bytes, int], NDArray[np.int64]] = {}
        self._led: dict[str, list[tuple[list[int], bool | None]]] = {}

    def tail(self, ids: Sequence[int] | Ids, count: int) -> bytes:
        """Return the last `count` bytes, or a few more, of the text that `ids` spell."""
        parts: list[bytes] = []
        have = 0
        for token in reversed(ids):
            if have >= count:
                break
            part = self.texts[token] if token < len(self.texts) else b""
            parts.append(part)
            have += len(part)
        return b"".join(reversed(parts))

    def completing(self, text: bytes, tail: bytes) -> NDArray[np.int64]:
        """Return the ids of the tokens that would complete `text`, where `tail` ends the bytes so far."""
        found = [self._with(text, 0)]
        found += [self._with(text, said) for said in range(1, len(text)) if tail.endswith(text[:said])]
        return np.unique(np.concatenate(found)) if len(found) > 1 else found[0]

    def _with(self, text: bytes, said: int) -> NDArray[np.int64]:
        """Return the tokens that contain `text` or, if its first `said` bytes are there, begin with the rest."""
        if (text, said) not in self._found:
            rest = text[said:]
            matches = (rest in one if not said else one.startswith(rest) for one in self.texts)
            self._found[text, said] = np.flatnonzero(np.fromiter(matches, dtype=bool, count=len(self.texts)))
        return self._found[text, said]

    def spellings(self, text: str) -> list[list[int]]:
        """Return how the tokenizer itself splits a word: at a text's beginning, and after a space."""
        written = [self.core.encode(one, add_special_tokens=False).ids for one in (text, f" {text}")]
        return [one for at, one in enumerate(written) if one and one not in written[:at]]

    def leading(self, text: str, said: Sequence[int] | Ids) -> NDArray[np.int64]:
        """Return the ids that lead to a word after the tokens `said`: the next one of a word that is begun, else those
        that begin it here.

        A word begins after a blank, a line's end or an opening mark as it is, and with a blank of its own elsewhere:
        never as the rest of another word.
        """
        begun: set[int] = set()
        fresh: set[int] = set()
        for ids, blank in self._beginnings(text):
            for at in range(min(len(ids), len(said) + 1)):
                if [int(one) for one in said[len(said) - at :]] == ids[:at] and (
                    blank is None or blank != self._opens(said[: len(said) - at])
                ):
                    (begun if at else fresh).add(ids[at])
        return np.array(sorted(begun or fresh), dtype=np.int64)

    def _beginnings(self, text: str) -> list[tuple[list[int], bool | None]]:
        """Return a word's spellings, each with whether it brings a blank; None where it may begin anywhere.

        That is so for what is no word, for scripts without blanks and where the tokenizer knows one spelling alone.
        """
        if text not in self._led:
            found = [(ids, b"".join(self.texts[one] for one in ids)) for ids in self.spellings(text)]
            usual = [(ids, spelt.startswith(b" ")) for ids, spelt in found if not spelt.startswith(b"  ")]
            free = not text[0].isalnum() or unicodedata.east_asian_width(text[0]) in "WF"
            both = len({blank for _, blank in usual}) == 2
            self._led[text] = [(ids, blank if both and not free else None) for ids, blank in usual]
        return self._led[text]

    def _opens(self, said: Sequence[int] | Ids) -> bool:
        """Say whether a word would begin without a blank behind these tokens."""
        tail = self.tail(said, _LOOK_BACK).decode("utf-8", "ignore")
        if not tail or tail[-1].isspace() or tail[-1] in _OPENING:
            return True
        return tail[-1] in _QUOTES and (len(tail) == 1 or tail[-2].isspace())

    def line_end(self) -> list[int]:
        """Return the id that ends a line, [] where the tokenizer has none of its own."""
        ids = self.core.encode("\n", add_special_tokens=False).ids[-1:]
        return [one for one in ids if b"\n" in self.texts[one]]

    def breakers(self, characters: str) -> NDArray[np.bool_]:
        """Return, for each token, whether it contains one of these characters."""
        if characters not in self._breakers:
            wanted = [one.encode() for one in characters]
            found = [any(one in text for one in wanted) for text in self.texts]
            self._breakers[characters] = np.array(found, dtype=bool)
        return self._breakers[characters]
