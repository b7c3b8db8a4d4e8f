"""Tiny models to look into: those of `tests.tiny`, a recurrent one, and one of another vocabulary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.blobs import Blobs
from models.runtime.engine import LocalEngine
from models.types import Request
from tests.tiny import CONTEXT, ask, final_of, make_model, make_tokenizer, tiny_engine, write_model


def make_lstm(tokenizer: Any) -> Any:
    """Return a random recurrent model."""
    import torch

    from models.tokens.lstm import LSTMConfig, LSTMForCausalLM

    torch.manual_seed(2)
    config = LSTMConfig(
        vocab_size=len(tokenizer), embedding_size=16, hidden_size=80, num_hidden_layers=2,
        max_position_embeddings=CONTEXT, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return LSTMForCausalLM(config)


def looks_engine(folder: Path) -> LocalEngine:
    """Return an engine with the models of `tests.tiny`, "lstm", and "foreign" with two pieces of it changed places."""
    engine = tiny_engine(folder)
    tokenizer = make_tokenizer()
    write_model(folder, "lstm", make_lstm(tokenizer), tokenizer)
    entry = folder / "lstm.toml"
    entry.write_text(entry.read_text().replace('["attention", "lens"]', '["state"]'))
    write_model(folder, "foreign", make_model("llama", tokenizer), tokenizer)
    file = folder / "foreign" / "tokenizer.json"
    body = json.loads(file.read_text("utf-8"))
    vocab = body["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
    file.write_text(json.dumps(body), "utf-8")
    engine.close()
    return LocalEngine(engine._settings)


def written(engine: LocalEngine, model: str, prompt: str = "Once upon a", index: int = 0, **params: Any) -> Any:
    """Let a model write; return what it kept of a text, stored so that a study can open it."""
    final = final_of(engine, ask(prompt, model, 3, **{"max_new_tokens": 20, "temperature": 1.0, **params}))
    kept = [output for output in final.outputs if output.meta.get("what") == "logits"][index]
    Blobs(engine._settings.data_dir).put_bytes(kept.data)
    return kept


def look(model: str, study: str, kept: Any) -> Request:
    """Return a request for a study of a kept text."""
    inputs = {"prompt": "x", "view": f"sha256:{kept.sha256}"}
    return Request(model=f"text/{model}", inputs=inputs, study=study)
