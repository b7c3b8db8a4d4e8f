"""What a script carries of architectures that transformers does not have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.spec import ModelSpec

LSTM = "models.tokens.lstm:LSTMForCausalLM"  # registers itself with the Auto classes, as all of these do
_OWN_TYPES = {
    "playground_lstm": LSTM,
    "playground_lstm_seq2seq": "models.text.nets.lstm_seq2seq:LSTMForSeq2SeqLM",
}  # by `model_type` of config.json


def own_nets(spec: ModelSpec) -> tuple[str, ...]:
    """Return what has to be carried so that the Auto classes know a model's architecture."""
    if not spec.embedded:
        return ()
    file = (spec.base_folder() or spec.folder()) / "config.json"
    kind = json.loads(file.read_text("utf-8")).get("model_type", "")
    return (_OWN_TYPES[kind],) if kind in _OWN_TYPES else ()
