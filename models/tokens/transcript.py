"""The text of one row, token by token: never half a character, never part of a stop string."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_BROKEN = "\ufffd"  # what a decoder writes for bytes that are not, or not yet, a character
_WINDOW_MAX = 24  # tokens decoded again for each new token


class Transcript:
    """Turn one row's tokens into text as they come.

    `text` only ever grows, by whole characters; a tail that could become a stop string is held back, so that each
    state of `text` is a prefix of the last. Null bytes, which a prompt may not hold, become U+FFFD, so that every
    text can be continued.

    `decode` turns token ids into text and leaves special tokens out. `context` holds the ids before the first one
    (the prompt's): decoders that drop a leading space need to know that the text goes on. `finish` is "" while the
    row grows, then "eos", "length", "stop string" or "stopped". `tokens` counts what was drawn, an end token too.
    Raises `ValueError` for an empty stop string, which would end every text at once.
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], context: Sequence[int] = (), stops: Sequence[str] = ()
    ) -> None:
        if "" in stops:
            raise ValueError("a stop string must not be empty")
        self._decode = decode
        self._stops = tuple(stops)
        self._longest = max((len(stop) for stop in stops), default=0)
        # The window: tokens whose text is known (`_known`), then `_fresh` ones that are still half a character.
        # `_mark` is where the last of the known ones that brought text begins; a character begins there too.
        self._window = list(context)
        self._known = decode(self._window)
        self._fresh = 0
        self._mark = 0
        self._decoded = ""
        self.text = ""
        self.tokens = 0
        self.finish = ""

    def add(self, token: int) -> None:
        """Take the next token id. Ends the row where a stop string is complete; the text goes up to it."""
        self.tokens += 1
        self._window.append(token)
        self._fresh += 1
        seen = self._decode(self._window)
        if not seen.endswith(_BROKEN) or seen == self._known:
            self._take(seen)

    def end(self, reason: str, tokens: int = 0) -> None:
        """End the row: what was held back is text after all. `tokens` drawn without text (an end token) count too."""
        self.tokens += tokens
        if self._fresh:
            self._take(self._decode(self._window))
        if not self.finish:
            self.text = self._decoded
            self.finish = reason

    def _take(self, seen: str) -> None:
        if not seen.startswith(self._known):  # this decoder's text of a token depends on later tokens
            self._window = self._window[-self._fresh :]
            self._known, seen = "", self._decode(self._window)
        new = seen[len(self._known) :].replace("\0", _BROKEN)
        if new:
            self._mark = len(self._window) - self._fresh
        self._known, self._fresh = seen, 0
        if len(self._window) > _WINDOW_MAX:
            self._window = self._window[self._mark :]
            self._mark, self._known = 0, self._decode(self._window)
        self._publish(new)

    def _publish(self, new: str) -> None:
        start = max(0, len(self._decoded) - self._longest + 1)
        self._decoded += new
        found = [place for stop in self._stops if (place := self._decoded.find(stop, start)) >= 0]
        if found:
            self.text = self._decoded[: min(found)]
            self.finish = "stop string"
            return
        # hold back a tail that may become a stop string
        held = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self._decoded)), held, -1):
                if self._decoded.endswith(stop[:length]):
                    held = length
                    break
        self.text = self._decoded[: len(self._decoded) - held]
