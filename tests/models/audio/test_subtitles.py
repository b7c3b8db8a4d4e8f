"""Subtitles of what was heard: cues that fit two lines, both kinds read again by a library."""

import pytest
import srt

from models.audio import subtitles
from models.errors import BadInput

SEGMENTS = [
    {"label": "One & two.", "start_s": 0.0, "end_s": 1.5},
    {"label": "Three", "start_s": 3661.25, "end_s": 3662.0},
]


def word(label, start_s, end_s=None):
    return {"label": label, "start_s": start_s, "end_s": start_s + 0.2 if end_s is None else end_s}


def labels(words):
    return [one["label"] for one in subtitles.cues(words)]


def test_srt_is_read_again_with_its_times():
    first, second = srt.parse(subtitles.write({"segments": SEGMENTS}, "srt").decode(), ignore_errors=False)
    assert (first.index, first.content, first.end.total_seconds()) == (1, "One & two.", 1.5)
    assert (second.index, second.start.total_seconds()) == (2, 3661.25)


def test_vtt_has_its_head_points_in_times_and_is_escaped():
    text = subtitles.write({"segments": SEGMENTS}, "vtt").decode()
    assert text == ("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOne &amp; two.\n\n01:01:01.250 --> 01:01:02.000\nThree\n")


def test_words_are_put_together_to_a_sentence_a_pause_or_two_lines():
    assert labels([word("Hello.", 0.0), word("It", 0.3), word("is", 0.6)]) == ["Hello.", "It is"]
    assert labels([word("a", 0.0), word("b", 3.0)]) == ["a", "b"]
    long = [word("word", at / 4) for at in range(40)]
    assert all(len(one) <= subtitles.CHARS_MOST for one in labels(long))
    assert " ".join(labels(long)) == " ".join(["word"] * 40)
    [cue] = subtitles.cues([word("a", 0.5), word("b", 0.8, 1.1)])
    assert (cue["start_s"], cue["end_s"]) == (0.5, 1.1)


def test_words_go_before_segments_and_a_cue_has_a_length():
    both = {"segments": SEGMENTS, "words": [word("One", 1.0, 1.0)]}
    [only] = srt.parse(subtitles.write(both, "srt").decode())
    assert only.content == "One"
    assert only.end > only.start


@pytest.mark.parametrize("meta", [{}, {"segments": []}, {"segments": [{"label": "", "start_s": 0, "end_s": 1}]}])
def test_without_times_it_is_a_sentence(meta):
    with pytest.raises(BadInput, match="no times"):
        subtitles.write(meta, "vtt")
