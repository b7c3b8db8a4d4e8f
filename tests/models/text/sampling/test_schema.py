"""JSON by schema: what fits at each place, back and forth, and what a schema that cannot be used is told."""

import json

import numpy as np
import pytest

from models.errors import BadInput
from models.text.sampling.schema import Constraint, grammar
from models.text.sampling.spelling import Spelling
from tests.tiny import make_tokenizer

TOKENIZER = make_tokenizer()
WORDS = Spelling(TOKENIZER.backend_tokenizer)
SIZE, END = len(TOKENIZER), TOKENIZER.eos_token_id
PERSON = json.dumps({
    "type": "object", "properties": {"name": {"type": "string", "maxLength": 5}, "age": {"type": "integer"}},
    "required": ["name", "age"], "additionalProperties": False,
})  # fmt: skip
GOOD = '{"name": "Tom", "age": 7}'


def ids_of(text):
    return TOKENIZER.encode(text, add_special_tokens=False)


def constraint(schema=PERSON):
    return Constraint(schema, WORDS, SIZE, END)


def test_a_fitting_text_fits_at_every_place_and_may_end_where_it_is_complete():
    rule, ids = constraint(), ids_of(GOOD)
    for at, token in enumerate(ids):
        allowed = rule.allowed(ids[:at])
        assert allowed.shape == (SIZE,) and allowed.dtype == bool
        assert allowed[token]
        assert not allowed[END]
        assert not rule.complete(ids[:at])
    assert np.flatnonzero(rule.allowed(ids)).tolist() == [END]
    assert rule.complete(ids)
    assert rule.complete([*ids, END])
    assert rule.allowed([*ids, END]) is None


@pytest.mark.parametrize("text", ["x", '{"nam": ', '{"name": "Thomas the', '{"name": 3', "{}", '{"age": "a"'])
def test_what_does_not_fit_is_seen_at_its_place_and_asks_for_nothing_after(text):
    rule, ids = constraint(), ids_of(text)
    broken = next(at for at in range(len(ids) + 1) if not rule.fits(ids[:at]))
    assert not rule.allowed(ids[: broken - 1])[ids[broken - 1]]
    assert rule.allowed(ids[:broken]) is None
    assert not rule.complete(ids)


def test_an_end_in_the_middle_is_not_complete():
    rule, ids = constraint(), ids_of(GOOD)
    assert not rule.fits([*ids[:5], END])
    assert rule.fits([*ids, END])


def test_lanes_go_back_and_forth_and_do_not_mix():
    rule, fresh = constraint(), constraint()
    first, other = ids_of(GOOD), ids_of('{"name": "a", "age": -12}')
    chance = np.random.default_rng(0)
    for _ in range(60):
        lane = int(chance.integers(2))
        answer = (first, other)[int(chance.integers(2))]
        answer = answer[: int(chance.integers(len(answer) + 1))]
        if chance.random() < 0.2:
            answer = [*answer, 70]
        found, wanted = rule.allowed(answer, lane), constraint().allowed(answer)
        assert (found is None) == (wanted is None)
        assert found is None or np.array_equal(found, wanted)
    assert fresh.fits([])


@pytest.mark.parametrize(("schema", "words"), [
    ("{", r"not valid JSON \(line 1"), ("[]", "is an object"), ("3", "is an object"), ("{}", "is an object"),
    ('{"type": "nonsense"}', "nonsense"), ('{"type": "string", "pattern": "("}', "unclosed group"),
    ('{"$ref": "#/x"}', "does not exist"), ('{"$ref": "http://example.org/x"}', "cannot be used"),
    ('{"not": {"type": "string"}}', "not"), ("[" * 3000, "nests lists or objects more than 100 deep"),
    ('{"type": "string", "minLength": 3, "maxLength": 2}', "cannot be used"),
])  # fmt: skip
def test_a_schema_that_cannot_be_used_is_refused_in_a_sentence(schema, words):
    with pytest.raises(BadInput, match=words) as caught:
        grammar(schema)
    assert caught.value.message.endswith((".", "field."))
    assert "\n" not in caught.value.message


def test_a_recursive_schema_is_no_trouble():
    tree = '{"type": "object", "properties": {"a": {"$ref": "#"}}, "additionalProperties": false}'
    rule = constraint(tree)
    assert rule.complete(ids_of('{"a": {"a": {"a": {}}}}'))
    assert not rule.fits(ids_of('{"a": {"b": {'))
