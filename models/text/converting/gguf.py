"""A GGUF file of a language model, quantised, to dense fp16 safetensors with its tokenizer and chat template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def convert(files: Mapping[str, Path], made: Path) -> None:
    """Write the model of the one GGUF file in `files` into `made`.

    transformers unpacks the quantised blocks to dense tensors, which a fresh model takes: that one knows nothing of
    the quantisation, and is saved as any other.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    [file] = files.values()
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    quantised = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    config = quantised.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = type(quantised)(config)
    plain.load_state_dict(quantised.state_dict())
    plain.generation_config = quantised.generation_config
    plain.half().save_pretrained(made)
    tokenizer.save_pretrained(made)
