"""One call of transformers' `generate()` under the settings of a request."""

from __future__ import annotations

from typing import Any

from transformers import GenerationConfig, StoppingCriteriaList

from models.sampling.streaming import left_pad


def write(
    model: Any, tokenizer: Any, ids: list[int], rows: int, total: int, params: Any, watch: Any
) -> list[list[int]]:
    """Run `generate()` on `rows` copies of the prompt `ids`; return what each drew, int lists, end tokens included."""
    input_ids, mask = left_pad([ids] * rows, tokenizer.pad_token_id or 0)  # rows × tokens
    sampling = {}
    if params.do_sample:
        sampling = {
            "temperature": params.temperature, "top_k": params.top_k or 0, "top_p": params.top_p,
            "min_p": params.min_p, "typical_p": params.typical_p or 1.0,
        }  # fmt: skip
    config = GenerationConfig(
        max_new_tokens=total, do_sample=params.do_sample, repetition_penalty=params.repetition_penalty,
        no_repeat_ngram_size=params.no_repeat_ngram_size or 0, num_beams=1, use_cache=True,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
        **sampling,
    )  # fmt: skip
    out = model.generate(
        input_ids, attention_mask=mask, generation_config=config, stopping_criteria=StoppingCriteriaList([watch])
    )  # rows × (prompt + drawn)
    drawn: list[list[int]] = out[:, len(ids) :].tolist()
    return drawn
