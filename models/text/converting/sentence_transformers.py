"""A BERT of sentence embeddings in the layout of sentence-transformers, in fp16: the same numbers, half as large.

Its files are Hugging Face layout already; they are read as data, and written again without what is not needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.text.similar import LENGTH_FILE as LENGTH
from models.text.similar import POOLING_FILE as POOLING
from models.text.similar import POOLINGS, pooling

_NO_WEIGHTS = "embeddings.position_ids"  # 0, 1, 2, …: written by older versions


def convert(files: Mapping[str, Path], made: Path) -> None:
    """Write the model of `model.safetensors`, `config.json`, `tokenizer.json` and how it pools into `made`.

    Raises `ValueError` for another net than BERT, for weights that are missing or left over, and for a pooling that
    is none of `POOLINGS`.
    """
    import torch
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    by_name = {name.rsplit("/", 1)[-1]: file for name, file in files.items() if not name.endswith(f"/{POOLING}")}
    told = _read(by_name["config.json"])
    if told.get("model_type") != "bert":
        raise ValueError(f"the file holds {str(told.get('model_type'))[:40]!r}, no BERT")
    pools = _read(next(file for name, file in files.items() if name.endswith(f"/{POOLING}")))
    if (used := pooling(pools)) is None:
        raise ValueError(f"the vectors of tokens are not pooled by one of {', '.join(POOLINGS)}")
    length = min(int(_read(by_name[LENGTH])["max_seq_length"]), int(told["max_position_embeddings"]))
    known = BertConfig().to_dict()
    model = BertModel(
        BertConfig(**{name: value for name, value in told.items() if name in known and value is not None})
    )
    weights = {name: value for name, value in load_file(by_name["model.safetensors"]).items() if name != _NO_WEIGHTS}
    model.load_state_dict(weights)
    model.to(torch.float16).save_pretrained(made)
    tokenizer(by_name["tokenizer.json"], length).save_pretrained(made)
    (made / POOLING).parent.mkdir()
    (made / POOLING).write_text(json.dumps({key: name == used for name, key in POOLINGS.items()}), "utf-8")
    (made / LENGTH).write_text(json.dumps({"max_seq_length": length}), "utf-8")


def tokenizer(file: Path, length: int) -> Any:
    """Return the tokenizer of a `tokenizer.json` without the cut and the padding that its file asks for."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer.from_file(str(file))
    core.no_truncation()
    core.no_padding()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",  # noqa: S106
        sep_token="[SEP]", mask_token="[MASK]", model_max_length=length,  # noqa: S106
    )  # fmt: skip


def _read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found
