"""Tiny language models with random weights, made in code: they write nonsense, by the same path as real ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from models.device import import_libraries
from models.events import Final
from models.runtime.engine import LocalEngine, StopSignal
from models.settings import Settings
from models.text.families.causal_lm import CausalLM
from models.types import ASIDE, Request

BOS, EOS, PAD = "<|story|>", "<|end|>", "<|pad|>"
CONTEXT = 64
TEXT = ["Once upon a time there was a small dragon who liked the rain. ", "the cat and the hat ran to the sea. "]
ENTRY = """
id = "text/{name}"
name = "{name}"
family = "causal_lm"
summary = "Writes nonsense."
architecture = "random"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
[weights]
path = "{name}"
[facts]
context_length = {context}
vocabulary_size = {vocabulary}
insides = ["attention", "lens"]
"""


class PressedAtStep(StopSignal):
    """Be pressed while step `step` is drawn: the run asks once per step, so that no speed decides when it is heard."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    @property
    def asked(self) -> bool:
        """Say whether Stop was pressed."""
        self.left -= 1
        return self.left <= 0


def make_tokenizer() -> Any:
    """Return a byte-level BPE tokenizer of 300 tokens, made as `training/text/story_gpt.py` makes its own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=[BOS, EOS, PAD], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    core.train_from_iterator(TEXT * 4, trainer)
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, core.token_to_id(BOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=CONTEXT,
        padding_side="left", clean_up_tokenization_spaces=False,
    )  # fmt: skip


def make_model(kind: str, tokenizer: Any) -> Any:
    """Return a random model. "dice" is a GPT-2 without a memory: it draws every token from one fixed distribution.

    `initializer_range` is far above the usual so that the odds are uneven and every sampling setting acts.
    """
    import torch
    from transformers import (
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
    )  # fmt: skip

    torch.manual_seed(1)
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
           "pad_token_id": tokenizer.pad_token_id}  # fmt: skip
    shape = {"vocab_size": len(tokenizer), "hidden_size": 32, "num_hidden_layers": 2, "initializer_range": 0.4, **ids,
             "num_attention_heads": 2}  # fmt: skip
    if kind in ("gpt2", "dice"):
        model = GPT2LMHeadModel(GPT2Config(**shape, n_positions=CONTEXT, tie_word_embeddings=kind == "gpt2"))
        if kind == "dice":
            torch.nn.init.zeros_(model.transformer.ln_f.weight)
            torch.nn.init.ones_(model.transformer.ln_f.bias)
            torch.nn.init.zeros_(model.lm_head.weight)
        return model
    shape |= {"intermediate_size": 64, "num_key_value_heads": 2, "max_position_embeddings": CONTEXT}
    if kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=True))
    return Qwen2ForCausalLM(Qwen2Config(**shape, tie_word_embeddings=False))


def load_dice(model: Any, odds: dict[int, float]) -> Any:
    """Set the distribution that a "dice" model draws from: token id to odds; all others are never drawn."""
    import torch

    with torch.no_grad():
        rows = torch.full((model.config.vocab_size,), -1e4)
        for token, share in odds.items():
            rows[token] = torch.tensor(share).log()
        model.lm_head.weight[:] = rows[:, None] / model.config.hidden_size
    return model


def write_model(folder: Path, name: str, model: Any, tokenizer: Any) -> None:
    """Write a model (fp16, as shipped) and its catalogue entry into `folder`."""
    model.half().save_pretrained(folder / name)
    tokenizer.save_pretrained(folder / name)
    (folder / f"{name}.toml").write_text(ENTRY.format(name=name, context=CONTEXT, vocabulary=len(tokenizer)), "utf-8")


def tiny_settings(folder: Path) -> Settings:
    """Return settings that use the catalogue in `folder` alone, on one thread: nets this small gain nothing by two."""
    return Settings(catalog_dirs=(folder,), data_dir=folder / "data", threads=1)


def tiny_engine(folder: Path) -> LocalEngine:
    """Write the models into `folder` and return an engine that has them alone.

    Three random ones, and two dice: "letters" says a, b and c for ever, "ends" says a and ends soon.
    """
    settings = tiny_settings(folder)
    import_libraries(settings)
    tokenizer = make_tokenizer()
    for name in ("llama", "gpt2", "qwen2"):
        write_model(folder, name, make_model(name, tokenizer), tokenizer)
    a, b, c = tokenizer.convert_tokens_to_ids(["a", "b", "c"])
    for name, odds in (("letters", {a: 0.4, b: 0.3, c: 0.3}), ("ends", {a: 0.8, tokenizer.eos_token_id: 0.2})):
        write_model(folder, name, load_dice(make_model("dice", tokenizer), odds), tokenizer)
    engine = LocalEngine(settings)
    for spec in engine.catalog.values():
        assert spec.facts == CausalLM().describe(spec)
    return engine


def ask(prompt: str, model: str = "llama", seed: int = 0, **params: Any) -> Request:
    """Return a request for the tiny model `model`."""
    return Request(model=f"text/{model}", inputs={"prompt": prompt}, params=params, seed=seed)


def final_of(engine: LocalEngine, request: Request, stop: Any = None) -> Final:
    """Run the request; return its one `Final`, the last event."""
    events = list(engine.generate(request, stop))
    assert [event.kind for event in events].count("final") == 1
    assert events[-1].kind == "final"
    return events[-1]


def results(event: Any) -> list[Any]:
    """Return an event's outputs without those that are for looking into them."""
    return [output for output in event.outputs if output.kind not in ASIDE]


def added(engine: LocalEngine, request: Request) -> str:
    """Return what the model put behind the prompt."""
    prompt, text = request.inputs["prompt"], final_of(engine, request).outputs[0].text
    assert text.startswith(prompt)
    return text[len(prompt) :]


def direct(folder: Path, prompt: str | list[int], seed: int | None = None, **config: Any) -> str:
    """Return what transformers' own `generate()` adds to a prompt (or its ids), greedy without a seed."""
    import torch
    from transformers import GenerationConfig

    model, tokenizer = plain(folder)
    ids = torch.tensor([tokenizer(prompt)["input_ids"] if isinstance(prompt, str) else prompt])  # 1 × tokens
    if seed is not None:
        torch.manual_seed(seed)
        config = {"do_sample": True, "top_k": 0, **config}
    config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, **{"do_sample": False, **config}
    )
    rows = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
    text: str = tokenizer.decode(rows[0, ids.shape[1] :], skip_special_tokens=True)
    return text.replace("\0", "\ufffd")


@cache
def plain(folder: Path) -> tuple[Any, Any]:
    """Return a model (fp32) and its tokenizer as transformers reads them, without the family."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model.generation_config = GenerationConfig()
    return model, AutoTokenizer.from_pretrained(folder)
