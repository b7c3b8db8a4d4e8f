"""Tiny encoder-decoders, classifiers and encoders with random weights, made in code: they write and label nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomlkit

from models.catalog import load_catalog
from models.device import import_libraries
from models.runtime.engine import LocalEngine
from models.settings import Settings
from tests.tiny import tiny_settings

CONTEXT = 32
PAD, END, UNK, MASK = "<pad>", "</s>", "<unk>", "<mask>"
TEXT = ["the cat sat on the mat. ", "a dog ran to the sea and the rain fell! ", "is this good or bad? "]
LABELS = ("bad", "good", "so_so")
ENTRY = """
id = "text/{name}"
name = "{name}"
family = "{family}"
summary = "Answers nonsense."
architecture = "random"
trained_on = "nothing"
licence = "Apache-2.0"
parameters = 1
examples = ["the cat"]
[weights]
path = "{name}"
"""


def tokenizer() -> Any:
    """Return a BPE tokenizer over words that begin with a space's mark, as the translators' own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE(unk_token=UNK))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.decoder = decoders.Metaspace()
    letters = [chr(code) for code in range(32, 127)]
    trainer = trainers.BpeTrainer(vocab_size=160, special_tokens=[PAD, END, UNK], show_progress=False,
                                  initial_alphabet=[*letters, "▁"])  # fmt: skip
    core.train_from_iterator(TEXT * 4, trainer)
    core.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token=PAD, eos_token=END, unk_token=UNK,
                                   model_max_length=CONTEXT, clean_up_tokenization_spaces=False)  # fmt: skip


def writers(size: int) -> dict[str, Any]:
    """Return a random Marian for each direction, T5, BART and LSTM; `size` is the vocabulary's."""
    import torch
    from transformers import (
        BartConfig,
        BartForConditionalGeneration,
        MarianConfig,
        MarianMTModel,
        T5Config,
        T5ForConditionalGeneration,
    )

    from models.text.nets.lstm_seq2seq import LSTMForSeq2SeqLM, LSTMSeq2SeqConfig

    torch.manual_seed(2)
    ends = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "vocab_size": size}
    layers = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
              "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
              "max_position_embeddings": CONTEXT, "init_std": 0.6, "forced_eos_token_id": None,
              "bos_token_id": None}  # fmt: skip
    marian = MarianMTModel(MarianConfig(**ends, **layers))
    t5 = T5Config(**ends, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, n_positions=CONTEXT,
                  initializer_factor=1.5)  # fmt: skip
    found = {"marian": marian, "t5": T5ForConditionalGeneration(t5),
             "bart": BartForConditionalGeneration(BartConfig(**ends, **layers))}  # fmt: skip
    found["nairam"] = back = MarianMTModel(MarianConfig(**ends, **layers))
    found["lstm"] = lstm = LSTMForSeq2SeqLM(LSTMSeq2SeqConfig(
        **ends, embedding_size=16, hidden_size=24, encoder_layers=2, max_position_embeddings=CONTEXT
    ))  # fmt: skip
    with torch.no_grad():  # fresh weights write one token again and again
        for weight in lstm.parameters():
            weight.mul_(4 if weight.ndim == 2 else 1)
    for one, languages in ((marian, ["en", "fr"]), (back, ["fr", "en"]), (lstm, ["en", "fr"])):
        one.config.task, one.config.languages = "translation", languages
    return found


def classifiers(size: int) -> dict[str, Any]:
    """Return a random ELECTRA and BERT of three labels, a BERT of two labels at once, and one of inference."""
    import torch
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        ElectraConfig,
        ElectraForSequenceClassification,
    )

    torch.manual_seed(3)
    shape = {"vocab_size": size, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 32, "max_position_embeddings": CONTEXT, "pad_token_id": 0,
             "initializer_range": 0.5}  # fmt: skip

    def named(*labels: str) -> dict[str, Any]:
        return {"id2label": dict(enumerate(labels)), "label2id": {name: at for at, name in enumerate(labels)}}

    electra = ElectraForSequenceClassification(ElectraConfig(**shape, embedding_size=8, **named(*LABELS)))
    electra.config.threshold = 0.2
    both = BertConfig(**shape, **named("angry", "sad"), problem_type="multi_label_classification")
    inference = BertConfig(**shape, **named("contradiction", "neutral", "entailment"))
    return {"electra": electra, "bert": BertForSequenceClassification(BertConfig(**shape, **named(*LABELS))),
            "both": BertForSequenceClassification(both),
            "inference": BertForSequenceClassification(inference)}  # fmt: skip


def encoder(size: int) -> Any:
    """Return a random BERT that turns a text into 16 numbers for each token."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(4)
    return BertModel(BertConfig(
        vocab_size=size, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=CONTEXT, pad_token_id=0, initializer_range=0.5,
    ))  # fmt: skip


def write_task_models(folder: Path) -> Settings:
    """Write the models into `folder`, with the facts that their families read; return settings that have them alone."""
    settings = tiny_settings(folder)
    import_libraries(settings)
    words = tokenizer()
    families = {
        "marian": "seq2seq_lm",
        "nairam": "seq2seq_lm",
        "t5": "seq2seq_lm",
        "bart": "seq2seq_lm",
        "lstm": "seq2seq_lm",
        "inference": "zero_shot_classifier",
        "near": "text_embedding",
    }
    every = {**writers(len(words)), **classifiers(len(words)), "near": encoder(len(words))}
    for name, model in every.items():
        model.half().save_pretrained(folder / name)
        words.save_pretrained(folder / name)
        entry = ENTRY.format(name=name, family=families.get(name, "text_classifier"))
        if name == "bert":
            entry = entry.replace("[weights]", 'reads = ["en"]\n[weights]')
        (folder / f"{name}.toml").write_text(entry, "utf-8")
    for spec in (catalog := load_catalog(settings, strict=False)).values():  # others may stand beside them
        facts = tomlkit.dumps({"facts": catalog.family(spec.id).describe(spec)})
        spec.file.write_text(spec.file.read_text("utf-8") + facts, "utf-8")
    return settings


def task_engine(folder: Path) -> LocalEngine:
    """Write the models into `folder` and return an engine that has them."""
    return LocalEngine(write_task_models(folder))
