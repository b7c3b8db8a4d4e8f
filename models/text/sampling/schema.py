"""Constrained decoding to a JSON schema: which tokens fit at each position, by llguidance.

Of the maintained libraries that do this (each tried in an empty environment): llguidance 1.9 is one wheel of 8 MB with
no dependencies, MIT, Microsoft's, and what vLLM, SGLang and llama.cpp can use; it reads byte-level BPE as it is (13 ms
for 4,096 tokens), compiles a schema in a millisecond and finds a mask in a tenth of one; it knows recursive schemas,
names what it does not support, and can roll back tokens. outlines-core 0.2 is as small (6 MB, Apache-2.0), but
makes a regular expression of the schema and an index over all its states (0.1 s for six texts of 60 characters), and
unrolls recursion to a fixed depth. xgrammar 0.x (Apache-2.0) is quick too, but requires torch and triton: 5.7 GB where
no torch is there yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from models import outside
from models.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.text.sampling.spelling import Spelling

_MAX_CHARS = 300
# JSON on one line: free white space could repeat endlessly
_FORM = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


@lru_cache(maxsize=8)
def grammar(schema: str) -> str:
    """Return llguidance's grammar of a JSON schema. Raises `BadInput` with what is wrong with it."""
    from llguidance import LLMatcher

    try:
        found = outside.read_json(schema)
    except outside.Unreadable as error:
        raise BadInput(f"The JSON schema {error}. Correct it, or clear the field.") from error
    if not isinstance(found, dict) or not found:
        raise BadInput('A JSON schema is an object such as {"type": "object"}. Correct it, or clear the field.')
    try:
        made = str(LLMatcher.grammar_from_json_schema(schema, overrides=_FORM))  # type: ignore[arg-type]
        wrong, said = LLMatcher.validate_grammar_with_warnings(made)
    except (ValueError, RecursionError) as error:
        wrong, said = True, [str(error)]
    if not wrong:
        return made
    problem = " ".join(" ".join(said).split())[:_MAX_CHARS].rstrip(".")
    raise BadInput(f"The JSON schema cannot be used: {problem}. Change that part, or clear the field.")


class Constraint:
    """Tell which tokens may follow an answer so far.

    Each lane follows one text: it continues from its last state, or starts again where the answer was changed.

    `vocabulary` gives the tokenizer, `size` the model's number of tokens, `end` its end token, which fits where the
    JSON is complete. Raises `BadInput` for a schema that cannot be used.
    """

    def __init__(self, schema: str, vocabulary: Spelling, size: int, end: int) -> None:
        from llguidance import LLMatcher

        self.size = size
        self.end = end
        tokenizer = _tokenizer(vocabulary, size, end)
        made = grammar(schema)
        self._begin = LLMatcher(tokenizer, made)
        self._lanes: dict[int, _Lane] = {}

    def allowed(self, answer: Sequence[int] | NDArray[Any], lane: int = 0) -> NDArray[np.bool_] | None:
        """Return whether each token fits next (bool, size); None where the answer itself does not, or has ended."""
        return self._at(answer, lane).allowed()

    def fits(self, answer: Sequence[int] | NDArray[Any]) -> bool:
        """Say whether an answer is the beginning of a fitting text."""
        return not self._at(answer, -1).lost

    def complete(self, answer: Sequence[int] | NDArray[Any]) -> bool:
        """Say whether an answer is a whole fitting text."""
        lane = self._at(answer, -1)
        return lane.ended or (not lane.lost and bool(lane.matcher.is_accepting()))

    def _at(self, answer: Sequence[int] | NDArray[Any], lane: int) -> _Lane:
        if lane not in self._lanes:
            self._lanes[lane] = _Lane(self._begin.deep_copy(), self.size, self.end)
        self._lanes[lane].move([int(one) for one in answer])
        return self._lanes[lane]


class _Lane:
    """Follow one text. `ended`: the end token came when the JSON was complete; `lost`: a token did not fit."""

    def __init__(self, matcher: Any, size: int, end: int) -> None:
        self.matcher = matcher
        self.lost = self.ended = False
        self._size = size
        self._end = end
        self._read: list[int] = []  # of these the matcher took all but the last if it ended or was lost
        self._mask: NDArray[np.bool_] | None = None

    def move(self, answer: list[int]) -> None:
        same = 0
        while same < min(len(answer), len(self._read)) and answer[same] == self._read[same]:
            same += 1
        if same < len(self._read):
            self.matcher.reset()
            self.lost = self.ended = False
            self._read, self._mask = [], None
        for token in answer[len(self._read) :]:
            self._read.append(token)
            self._mask = None
            if self.lost or self.ended:
                continue
            if token == self._end:
                self.ended = bool(self.matcher.is_accepting())
                self.lost = not self.ended
            elif not self.matcher.try_consume_tokens([token]):
                self.lost = True

    def allowed(self) -> NDArray[np.bool_] | None:
        if self.lost or self.ended:
            return None
        if self._mask is None:
            bits = np.frombuffer(self.matcher.compute_bitmask(), dtype=np.uint8)
            self._mask = np.unpackbits(bits, bitorder="little")[: self._size].astype(bool)
        return self._mask


@lru_cache(maxsize=2)
def _tokenizer(vocabulary: Spelling, size: int, end: int) -> Any:
    from llguidance import LLTokenizer

    return LLTokenizer(vocabulary.core.to_str(), n_vocab=max(size, len(vocabulary.texts)), eos_token=end)
