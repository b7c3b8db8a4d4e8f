"""A text's logits computed again are the ones that were kept, byte for byte, and nothing else is made."""

import pytest

from models.text.looks import SCORES
from tests.tiny import ask, final_of


def views(engine, request):
    return [one for one in final_of(engine, request).outputs if one.kind == "view"]


@pytest.mark.parametrize("params", [{}, {"num_variants": 3, "temperature": 1.2}, {"do_sample": False}])
def test_the_same_request_gives_the_logits_that_were_kept(engine, params):
    request = ask("Once upon", seed=7, max_new_tokens=12, **params)
    kept = views(engine, request)
    again = final_of(engine, request.model_copy(update={"study": SCORES})).outputs
    assert kept
    assert [(one.kind, one.sha256, one.data, one.meta) for one in again] == [
        ("view", one.sha256, one.data, one.meta) for one in kept
    ]


def test_a_text_that_was_stopped_gets_those_of_as_many_tokens(engine):
    long = views(engine, ask("Once", seed=3, max_new_tokens=20))[0]
    short = ask("Once", seed=3, max_new_tokens=6).model_copy(update={"study": SCORES})
    again = final_of(engine, short).outputs[0]
    assert again.meta["ids"] == long.meta["ids"][:6]
