"""What the microscope's page is told of a stored text."""

import numpy as np
import pytest

from models.blobs import Blobs
from models.errors import BadInput
from models.text.kept import pack
from models.text.looking import microscope
from models.text.looking.microscope import MEASURES, look
from tests.models.text.looking.test_microscope import random_text
from tests.tiny import EOS, make_tokenizer

VOCABULARY = 300


@pytest.fixture
def ask(tmp_path):
    """Return a function that asks about one random text, and the text."""
    blobs = Blobs(tmp_path)
    kept = random_text(4, tokens=12, vocabulary=VOCABULARY, few=VOCABULARY - 1)
    ref = blobs.put_bytes(pack(kept))
    tokenizer = make_tokenizer().backend_tokenizer

    def asked(**data):
        return look({"ref": ref, **data}, blobs, tokenizer)

    return asked, kept


def test_there_is_one_number_a_token_and_never_the_table(ask):
    asked, kept = ask
    for measure in MEASURES:
        answer = asked(measure=measure)
        assert len(answer["heat"]) == answer["tokens"] == 12
        assert all(0 <= value <= 1 for value in answer["heat"])
        assert all(len(value) <= 12 for name, value in answer.items() if isinstance(value, list) and name != "stages")
    assert asked()["bits"] == pytest.approx(float(-np.log2(microscope.score(kept, {}).p).mean()), abs=1e-3)


def test_other_settings_forbid_tokens_and_say_which_stage_did(ask):
    asked, kept = ask
    answer = asked(params={"top_k": 3})
    wanted = microscope.score(kept, {"top_k": 3}).stage >= 0
    assert 0 < wanted.sum() < 12 or wanted.all()
    assert answer["forbidden"] == {"top_k": int(wanted.sum())}
    assert [stage >= 0 for stage in answer["stage"]] == wanted.tolist()
    assert {answer["stages"][stage] for stage in answer["stage"] if stage >= 0} == {"top_k"}


def test_what_was_drawn_under_its_own_settings_was_possible(ask):
    asked, _ = ask
    answer = asked(params={"top_k": 3}, own={"top_k": 3})
    assert answer["forbidden"] == {}
    assert set(answer["stage"]) == {-1}


def test_a_position_has_its_odds_before_and_after_and_the_tokens_that_end_a_text(ask):
    asked, kept = ask
    at = asked(params={"temperature": 0.5, "top_k": 5}, position=4)["at"]
    assert at["at"] == 4
    assert at["drawn"] == kept.ids[4]
    assert at["stages"] == ["temperature", "top_k"]
    assert at["left"] == 5
    assert all(len(token["p"]) == 3 for token in at["tokens"])
    assert sum(token["p"][2] > 0 for token in at["tokens"]) == 5
    eos = make_tokenizer().convert_tokens_to_ids(EOS)
    for position in range(12):
        for token in asked(position=position)["at"]["tokens"]:
            assert token["ends"] == (token["id"] <= 2)  # the three special ones
    assert eos <= 2


def test_pieces_come_when_asked_for_and_join_to_the_text(ask):
    asked, kept = ask
    assert "pieces" not in asked()
    pieces = asked(pieces=True)["pieces"]
    whole = make_tokenizer().backend_tokenizer.decode(kept.ids.tolist(), skip_special_tokens=False)
    assert len(pieces) == 12
    assert "".join(pieces).replace("\ufffd", "") in whole or whole.replace("\ufffd", "")


def test_what_is_no_position_measure_or_text_is_refused_in_a_sentence(ask):
    asked, _ = ask
    for data in ({"position": 12}, {"position": -1}, {"measure": "beauty"}, {"ref": "sha256:" + "0" * 64}):
        with pytest.raises(BadInput) as caught:
            asked(**data)
        assert caught.value.message.endswith(".")
