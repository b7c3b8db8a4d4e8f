"""Where a raised word may begin, what XTC leaves alone, what temperature 0 means, line breaks as they are typed."""

import numpy as np
import pytest

from models.text.kept import Kept
from models.text.looking.microscope import score
from models.text.sampling import stages
from models.text.sampling.rows import Rows
from models.text.sampling.spelling import Spelling
from models.text.sampling.stages import STAGES
from models.text.settings import unescaped
from tests.tiny import make_tokenizer

TOKENIZER = make_tokenizer()
WORDS = Spelling(TOKENIZER.backend_tokenizer)
SIZE = len(TOKENIZER)
END = TOKENIZER.eos_token_id
ENDS = [END, *WORDS.line_end()]


def encode(text):
    return TOKENIZER.encode(text, add_special_tokens=False)


@pytest.mark.parametrize(
    ("said", "text"),
    [("a", " dragon"), ("", "dragon"), ("a ", "dragon"), ("a\n", "dragon"), ('a "', "dragon"), ("(", "dragon"),
     ("a.", " dragon"), ("the dragon", " dragon"), ("sna", " dragon")],
)  # fmt: skip
def test_a_raised_word_begins_only_where_a_word_may(said, text):
    rows = Rows(np.zeros((1, SIZE), np.float32), [np.array(encode(said), np.int64)], 0, SIZE, words=WORDS)
    stages.apply("bias", rows, {"bias": ["dragon: +10"]})
    assert np.flatnonzero(rows.x[0]).tolist() == encode(text)[:1]


@pytest.mark.parametrize("seed", range(4))
def test_the_strongest_bias_writes_the_word_and_nothing_half_of_it(seed):
    ids = encode("a cat")
    scores = np.random.default_rng(seed).normal(0, 3, (40, SIZE)).astype(np.float32)
    for step in scores:
        rows = Rows(step[None].copy(), [np.array(ids)], 0, SIZE, words=WORDS)
        stages.apply("bias", rows, {"bias": ["dragon: +100"]})
        ids.append(int(rows.x[0].argmax()))
    text = TOKENIZER.decode(ids)
    assert "dragon".startswith(text.removeprefix("a cat").replace(" dragon", "").strip())
    assert text.count(" dragon") > 3


def test_what_is_no_word_may_be_raised_anywhere():
    rows = Rows(np.zeros((1, SIZE), np.float32), [np.array(encode("the"))], 0, SIZE, words=WORDS)
    stages.apply("bias", rows, {"bias": ["!: +2", "\\n: +3"]})
    assert rows.x[0, encode("!")[0]] == 2
    assert rows.x[0, encode("\n")[0]] == 3


def test_xtc_never_takes_the_end_of_a_text_or_a_line_away():
    for token in ENDS:
        for other, gone in ((token, False), (encode("a")[0], True)):
            rows = Rows(np.full((1, SIZE), -9, np.float32), [np.array(encode("the"))], 0, SIZE, words=WORDS, ends=ENDS)
            rows.x[0, [other, encode("b")[0]]] = 5, 4.5  # two obvious ones, the likelier would go
            stages.apply("xtc_probability", rows, {"xtc_probability": 1.0, "xtc_threshold": 0.1})
            assert (rows.x[0, other] == -np.inf) == gone


def test_xtc_keeps_them_also_where_a_filter_left_few_columns():
    logits = np.linspace(-9, -12, SIZE, dtype=np.float16)[None].copy()
    logits[0, [END, encode("b")[0]]] = 5, 4.5
    kept = Kept(logits, np.array([END], np.int32), np.array(encode("the"), np.int32), end=np.array([END], np.int32))
    scored = score(kept, {"top_k": 3, "xtc_probability": 1.0, "xtc_threshold": 0.1}, WORDS)
    assert scored.stage.tolist() == [-1]
    assert scored.left.tolist() == [3]


def test_temperature_0_filters_nothing_as_greedy_decoding_does():
    chosen = {"temperature": 0.0, "top_k": 3, "top_p": 0.5, "dynatemp_range": 1.0, "banned": ["x"]}
    assert [name for name in STAGES if stages.acts(name, chosen)] == ["banned"]


@pytest.mark.parametrize(
    ("typed", "meant"), [("\\n", "\n"), ("a\\tb", "a\tb"), ("\\\\n", "\\n"), ("\n", "\n"), ("\\x", "\\x")]
)
def test_a_line_break_can_be_typed(typed, meant):
    assert unescaped(typed) == meant
