"""What a tokenizer's entries are: which ids mean which bytes, and a text cut into them. No torch.

`tokenizer` is one of the library `tokenizers`. Byte-level BPE: Radford et al. 2019. SentencePiece's marks: Kudo &
Richardson 2018.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from models import plain_text
from models.errors import BadInput, WeightsError, restore

TEXT_MAX_CHARS = 200_000
TOKENS_SHOWN = 2_000
_PLAIN = (*range(33, 127), *range(161, 173), *range(174, 256))  # bytes that byte-level BPE writes as themselves


def fingerprint(folder: Path) -> str:
    """Return a SHA-256 (hex) over which id stands for which piece; models of one fingerprint read each other's ids.

    "" where there is no tokenizer.json. Raises `WeightsError` for a damaged one.
    """
    file = folder / "tokenizer.json"
    return _fingerprint(file, file.stat().st_mtime_ns) if file.exists() else ""


@lru_cache(maxsize=8)
def _fingerprint(file: Path, changed_ns: int) -> str:
    try:
        body = json.loads(file.read_text("utf-8"))
        vocab = body["model"]["vocab"]
        # Unigram lists its pieces with their scores; the others map piece to id
        pieces = (
            dict(enumerate(one[0] for one in vocab)) if isinstance(vocab, list) else {v: k for k, v in vocab.items()}
        )
        pieces.update({one["id"]: one["content"] for one in body.get("added_tokens", ())})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{file.parent.name}: {file.name} is missing or damaged. {restore()}") from error
    return hashlib.sha256(json.dumps(sorted(pieces.items()), ensure_ascii=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def _byte_of() -> Mapping[str, int]:
    """Return which byte each character of a byte-level piece stands for."""
    moved = (byte for byte in range(256) if byte not in _PLAIN)
    return {**{chr(byte): byte for byte in _PLAIN}, **{chr(256 + place): byte for place, byte in enumerate(moved)}}


def piece_bytes(piece: str, kinds: str) -> bytes:
    """Return the bytes of text that a piece of the vocabulary stands for.

    `kinds` is the tokenizer's decoder as JSON text, which says how its pieces are written.
    """
    if "ByteLevel" in kinds:
        table = _byte_of()
        return b"".join(bytes([table[one]]) if one in table else one.encode() for one in piece)
    if "ByteFallback" in kinds and len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    if "WordPiece" in kinds:
        return piece.removeprefix("##").encode()
    return piece.replace("▁", " ").encode()


def cut(tokenizer: Any, text: str) -> dict[str, Any]:
    """Cut a text into tokens as a run does: see `listed`. Raises `BadInput` for text that is too long or none."""
    plain_text.check_text(text, "text")
    if len(text) > TEXT_MAX_CHARS:
        raise BadInput(
            f"The text has {len(text):,} characters; at most {TEXT_MAX_CHARS:,} can be tokenised here. Shorten it."
        )
    encoding = tokenizer.encode(text)
    # what the text's own words gave is never special: a special token's name in it is text
    return {**listed(tokenizer, encoding.ids, encoding.special_tokens_mask), "chars": len(text)}


def listed(tokenizer: Any, ids: Sequence[int], special: Sequence[int] | None = None) -> dict[str, Any]:
    """Return the tokens of `ids`, the first `TOKENS_SHOWN` of them.

    `{"pieces": [{"id", "text", "bytes", "special"}], "tokens", "special", "bytes", "chars", "left_out", "distinct"}`;
    `text` is None where a piece is no whole character, `bytes` are hex; the counts are of all tokens, `bytes` and
    `chars` without special ones.
    """
    if special is None:
        added = tokenizer.get_added_tokens_decoder()
        special = [int(token in added and added[token].special) for token in ids]
    data = _bytes_of(tokenizer, ids)
    own = b"".join(data[token] for token, is_special in zip(ids, special, strict=True) if not is_special)
    pieces = [
        {"id": token, "text": _text(data[token]), "bytes": data[token].hex(" "), "special": bool(is_special)}
        for token, is_special in list(zip(ids, special, strict=True))[:TOKENS_SHOWN]
    ]  # fmt: skip
    return {
        "pieces": pieces, "tokens": len(ids), "special": sum(map(bool, special)), "bytes": len(own),
        "chars": len(own.decode("utf-8", "replace")), "left_out": max(0, len(ids) - TOKENS_SHOWN),
        "distinct": len(set(ids)),
    }  # fmt: skip


def texts(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """Return the text of each token; of one that is no whole character its bytes in hex, as in “‹F0 9F›”."""
    data = _bytes_of(tokenizer, ids)
    found = {token: _text(one) for token, one in data.items()}
    named = {token: f"‹{data[token].hex(' ').upper()}›" if text is None else text for token, text in found.items()}
    return [named[token] for token in ids]


def _bytes_of(tokenizer: Any, ids: Sequence[int]) -> dict[int, bytes]:
    kinds = tokenizer.decoder.__getstate__().decode() if tokenizer.decoder is not None else ""
    added = tokenizer.get_added_tokens_decoder()
    return {
        token: added[token].content.encode() if token in added
        else piece_bytes(tokenizer.id_to_token(token) or "", kinds) for token in set(ids)
    }  # fmt: skip


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
