"""A tiny Llama with random weights as a GGUF file, written with the format's own library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.tiny import CONTEXT, make_tokenizer

WIDTH, LAYERS, HEADS, INNER = 32, 2, 4, 64
TEMPLATE = "{% for message in messages %}<|story|>{{ message['content'] }}{% endfor %}"


def make_net(tokenizer: Any) -> Any:
    """Return a random Llama, the same each time."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )).eval()  # fmt: skip


def write(file: Path, *, template: str = TEMPLATE, architecture: str = "llama", context: int = CONTEXT) -> Path:
    """Write the file, its tensors in fp16, and return its path."""
    import json

    import numpy as np
    from gguf import GGUFWriter

    tokenizer = make_tokenizer()
    net = make_net(tokenizer)
    writer = GGUFWriter(file, architecture)
    writer.add_name("Tiny")
    writer.add_license("MIT")
    writer.add_context_length(context)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(tokenizer))
    core = json.loads(tokenizer.backend_tokenizer.to_str())
    ids = tokenizer.get_vocab()
    special = {one["content"] for one in core["added_tokens"]}
    words = sorted(ids, key=ids.get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(words)
    writer.add_token_types([3 if word in special else 1 for word in words])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in core["model"]["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    if template:
        writer.add_chat_template(template)
    for name, value in net.state_dict().items():
        array = value.numpy()
        if "q_proj" in name or "k_proj" in name:  # llama.cpp turns halves of each head by pairs
            rows, columns = array.shape
            array = array.reshape(HEADS, 2, rows // HEADS // 2, columns).swapaxes(1, 2).reshape(rows, columns)
        kind = np.float32 if array.ndim == 1 else np.float16
        writer.add_tensor(_named(name), np.ascontiguousarray(array.astype(kind)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _named(name: str) -> str:
    for theirs, ours in (
        ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"),
        ("model.layers", "blk"), ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"), ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"), ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
    ):  # fmt: skip
        name = name.replace(theirs, ours)
    return name
