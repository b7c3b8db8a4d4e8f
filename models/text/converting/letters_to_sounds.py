"""Letters to sounds: an array file of a BART whose input and output letters share one table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")


def convert(files: Mapping[str, Path], made: Path) -> None:
    """Write the model of the one `.npz` in `files`, with its `meta_json`, into `made`."""
    import numpy as np
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    [file] = files.values()
    with np.load(file, allow_pickle=False) as arrays:
        facts = json.loads(str(arrays["meta_json"]))
        weights = {name: torch.from_numpy(arrays[name]) for name in arrays.files if name != "meta_json"}
    config = BartConfig(
        vocab_size=weights["final_logits_bias"].shape[1], d_model=facts["d_model"], encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=facts["num_heads"], decoder_attention_heads=facts["num_heads"],
        encoder_ffn_dim=facts["ffn_dim"], decoder_ffn_dim=facts["ffn_dim"],
        max_position_embeddings=facts["max_position_embeddings"], pad_token_id=facts["pad_token_id"],
        bos_token_id=facts["bos_token_id"], eos_token_id=facts["eos_token_id"],
        decoder_start_token_id=facts["decoder_start_token_id"], forced_eos_token_id=None,
    )  # fmt: skip
    model = BartForConditionalGeneration(config)
    found = model.load_state_dict(weights, strict=False)
    if found.unexpected_keys:
        raise ValueError(f"the file holds {found.unexpected_keys[0]}, which the net has no place for")
    model.tie_weights()
    model.half().save_pretrained(made)
    tokenizer(facts["grapheme_chars"], facts["phoneme_chars"], facts["max_position_embeddings"]).save_pretrained(made)


def tokenizer(letters: Sequence[str], sounds: Sequence[str], context: int) -> Any:
    """Return a tokenizer of single letters whose ids are read as sounds where the net writes them."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    first = len(SPECIAL)
    count = max(len(letters), len(sounds))
    names = [*SPECIAL, *(letters[at] if at < len(letters) else f"<{at}>" for at in range(first, count))]
    core = Tokenizer(models.WordLevel({name: at for at, name in enumerate(names)}, unk_token=SPECIAL[3]))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    # by way of signs that stand for nothing else: what became a sound is no letter any more
    apart = [(names[at], chr(0xE000 + at), sounds[at]) for at in range(first, len(sounds))]
    core.decoder = decoders.Sequence([
        *(decoders.Replace(name, between) for name, between, _ in apart),
        *(decoders.Replace(between, sound) for _, between, sound in apart),
        decoders.Fuse(),
    ])  # fmt: skip
    core.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL[1]} $A {SPECIAL[2]}", special_tokens=[(SPECIAL[1], 1), (SPECIAL[2], 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=SPECIAL[0], bos_token=SPECIAL[1], eos_token=SPECIAL[2], unk_token=SPECIAL[3],
        model_max_length=context,
    )  # fmt: skip
