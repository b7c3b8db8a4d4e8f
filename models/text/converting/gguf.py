"""A GGUF file of a language model, quantised, to dense fp16 safetensors with its tokenizer and chat template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def convert(files: Mapping[str, Path], made: Path) -> None:
    """Write the model of the one GGUF file in `files` into `made`.

    transformers unpacks the quantised blocks to dense tensors, which a plain model takes as they are: that one knows
    nothing of the quantisation, and is saved as any other.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    [file] = files.values()
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, trust_remote_code=False)
    quantised = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float16, trust_remote_code=False
    )
    config = quantised.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):  # no second copy of the weights
        plain = type(quantised)(config)
    plain.load_state_dict(quantised.state_dict(), assign=True)
    plain.tie_weights()
    plain.generation_config = quantised.generation_config
    plain.half().save_pretrained(made)
    tokenizer.save_pretrained(made)
