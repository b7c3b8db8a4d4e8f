"""A tokenizer's tokens as bytes: which of them would complete a word, however it is split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from models.text.vocabulary import piece_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ids = NDArray[np.integer[Any]]


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

    def breakers(self, characters: str) -> NDArray[np.bool_]:
        """Return, for each token, whether it contains one of these characters."""
        if characters not in self._breakers:
            wanted = [one.encode() for one in characters]
            found = [any(one in text for one in wanted) for text in self.texts]
            self._breakers[characters] = np.array(found, dtype=bool)
        return self._breakers[characters]
