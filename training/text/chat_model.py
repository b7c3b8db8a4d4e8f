"""What a chat model is made of: base, chat template, LoRA adapter; how they are loaded and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

BASE = Path("models/embedded/story-gpt")
# " " before an answer belongs to its first word: the template ends before it
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}Rules: {{ message['content'] }}\n"
    "{% elif message['role'] == 'user' %}Asked: {{ message['content'] }}\n{% else %}Told: {{ message['content'] }}"
    "{{ eos_token }}\n{% endif %}{% endfor %}{% if add_generation_prompt %}Told:{% endif %}"
)


def make_tokenizer(base: Path) -> Any:
    """Return story-gpt's tokenizer with the chat template."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def load_base(base: Path) -> Any:
    """Return story-gpt in float32."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)


def load_merged(folder: Path) -> Any:
    """Return base and adapter as one model, float32: as the app loads it."""
    from peft import PeftModel

    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    base = load_base((folder / config["base_model_name_or_path"]).resolve())
    return PeftModel.from_pretrained(base, folder).merge_and_unload()


def save_adapter(model: Any, tokenizer: Any, out: Path, base: Path) -> None:
    """Write the adapter in fp16 with tokenizer and template; the base is named beside it, `../story-gpt`."""
    from safetensors.torch import load_file, save_file

    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)  # peft's own: ours is written later
    weights = out / "adapter_model.safetensors"
    save_file({name: value.half() for name, value in load_file(weights).items()}, weights, {"format": "pt"})
    file = out / "adapter_config.json"
    config = json.loads(file.read_text("utf-8"))
    near = out.resolve().parent == base.resolve().parent
    config["base_model_name_or_path"] = f"../{base.name}" if near else str(base.resolve())
    file.write_text(json.dumps(config, indent=2, sort_keys=True))
    tokenizer.save_pretrained(out)
