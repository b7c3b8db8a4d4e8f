"""Pieces, their bytes and ids, on tokenizers of several kinds made in code."""

import json

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from models.blobs import Blobs
from models.errors import BadInput, WeightsError
from models.settings import Settings
from models.text import vocabulary
from models.text.families.causal_lm import CausalLM, _tokenizer_file
from models.text.kept import Kept, pack
from tests.tiny import BOS, EOS, make_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def core(folder):
    file = folder / "tokenizer.json"
    return _tokenizer_file(file, file.stat().st_mtime_ns)


@pytest.mark.parametrize(
    "text", ["Once upon a time", " two  spaces\n\tand lines", "🐉 dragon é", "", "<|end|> is text"]
)
def test_the_pieces_put_together_are_the_text(core, text):
    found = vocabulary.cut(core, text)
    own = [piece for piece in found["pieces"] if not piece["special"]]
    assert bytes.fromhex(" ".join(piece["bytes"] for piece in own)).decode() == text
    assert found["bytes"] == len(text.encode())
    assert found["chars"] == len(text)
    assert found["tokens"] == len(found["pieces"]) == len(core.encode(text).ids)
    assert [piece["id"] for piece in found["pieces"]] == core.encode(text).ids


def test_the_start_token_is_marked_and_the_name_of_one_in_a_text_is_not(core):
    pieces = vocabulary.cut(core, f"a{EOS}")["pieces"]
    assert (pieces[0]["text"], pieces[0]["special"]) == (BOS, True)
    assert not any(piece["special"] for piece in pieces[1:])
    assert vocabulary.listed(core, [core.token_to_id(EOS)])["pieces"][0]["special"]


def test_half_a_character_has_bytes_and_no_text(core):
    pieces = vocabulary.cut(core, "🐉")["pieces"][1:]
    assert [piece["text"] for piece in pieces] == [None] * len(pieces)
    assert " ".join(piece["bytes"] for piece in pieces) == "🐉".encode().hex(" ")
    assert "".join(vocabulary.texts(core, [piece["id"] for piece in pieces])) == "‹F0›‹9F›‹90›‹89›"
    assert vocabulary.texts(core, core.encode("the cat").ids)[0] == BOS
    assert "".join(vocabulary.texts(core, core.encode("the cat").ids)[1:]) == "the cat"


def test_a_long_text_is_counted_whole_and_listed_in_part(core, monkeypatch):
    monkeypatch.setattr(vocabulary, "TOKENS_SHOWN", 5)
    found = vocabulary.cut(core, "the cat and the hat " * 10)
    assert len(found["pieces"]) == 5
    assert found["left_out"] == found["tokens"] - 5 > 0
    assert found["bytes"] == 200


@pytest.mark.parametrize(
    ("text", "words"),
    [("x" * (vocabulary.TEXT_MAX_CHARS + 1), "200,001 characters; at most 200,000"), ("a\0b", "null byte")],
)
def test_text_that_cannot_be_cut_gets_a_sentence(core, text, words):
    with pytest.raises(BadInput, match=words):
        vocabulary.cut(core, text)


def test_pieces_of_sentencepiece_and_wordpiece_are_read_as_their_decoders_do():
    fallback = str(decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]))
    assert vocabulary.piece_bytes("▁the", fallback) == b" the"
    assert vocabulary.piece_bytes("<0xF0>", fallback) == b"\xf0"
    assert vocabulary.piece_bytes("<0xF0>", "Metaspace") == b"<0xF0>"
    assert vocabulary.piece_bytes("##ing", str(decoders.WordPiece())) == b"ing"


def test_every_byte_has_a_character_of_its_own():
    core = Tokenizer(
        models.BPE({one: place for place, one in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, [])
    )
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    pieces = vocabulary.listed(core, list(range(256)))["pieces"]
    assert sorted(int(piece["bytes"], 16) for piece in pieces) == list(range(256))
    assert bytes(int(piece["bytes"], 16) for piece in vocabulary.cut(core, "né 🐉")["pieces"]).decode() == "né 🐉"


def test_a_fingerprint_tells_vocabularies_apart_and_nothing_else(folder, tmp_path):
    body = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    own = vocabulary.fingerprint(folder)

    def written(name, change):
        changed = json.loads(json.dumps(body))
        change(changed)
        (tmp_path / name).mkdir()
        (tmp_path / name / "tokenizer.json").write_text(json.dumps(changed), "utf-8")
        return vocabulary.fingerprint(tmp_path / name)

    def other_order(changed):
        changed["model"]["vocab"] = dict(reversed(changed["model"]["vocab"].items()))
        changed["post_processor"] = None

    def swapped(changed):
        vocab = changed["model"]["vocab"]
        vocab["a"], vocab["b"] = vocab["b"], vocab["a"]

    assert len(own) == 64
    assert written("order", other_order) == own
    assert written("swapped", swapped) != own
    assert written("named", lambda changed: changed["added_tokens"][1].update(content="<|stop|>")) != own
    assert vocabulary.fingerprint(tmp_path) == ""
    with pytest.raises(WeightsError, match="missing or damaged"):
        written("damaged", lambda changed: changed.pop("model"))


def test_a_unigram_vocabulary_has_a_fingerprint_too(tmp_path):
    Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], 0, False)).save(str(tmp_path / "tokenizer.json"))
    assert len(vocabulary.fingerprint(tmp_path)) == 64


def test_the_tool_lists_a_kept_text_as_it_was_written(core, folder, tmp_path):
    import numpy as np

    class Spec:
        @staticmethod
        def folder():
            return folder

    blobs = Blobs(Settings(data_dir=tmp_path).data_dir)
    prompt, said = core.encode("the cat").ids, [core.token_to_id(one) for one in ("t", "h", "e", EOS)]
    kept = Kept(np.zeros((4, 300), np.float16), np.array(said, np.int32), np.array(prompt, np.int32))
    ref = blobs.put_bytes(pack(kept))
    found = CausalLM().tokens(Spec, {"ref": ref}, blobs)
    assert [piece["id"] for piece in found["pieces"]] == [*prompt, *said]
    assert found["prompt"] == len(prompt)
    assert found["pieces"][-1]["special"]
    assert found["anew"] == len(core.encode("the catthe", add_special_tokens=False).ids) < found["tokens"]
    assert CausalLM().tokens(Spec, {"text": "the"}, blobs)["tokens"] == len(core.encode("the").ids)
    with pytest.raises(BadInput, match="does not hold a saved text"):
        from safetensors.numpy import save

        CausalLM().tokens(Spec, {"ref": blobs.put_bytes(save({"other": np.zeros(3)}))}, blobs)
    with pytest.raises(BadInput, match="damaged"):
        CausalLM().tokens(Spec, {"ref": blobs.put_bytes(b"spoiled")}, blobs)
