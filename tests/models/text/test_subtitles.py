"""Subtitles: what is said is cut out, all else stays to the character."""

import pytest

from models.text import parts, subtitles

SRT = (
    "\ufeff1\n00:00:01,000 --> 00:00:02,000\nIt is late. Come\nhome now!\n\n"
    "2\n00:00:03,000 --> 00:00:04,000\n- Why?\n- Go.\n\n3\n00:00:05,000 --> 00:00:06,000\n\n"
)


def test_subtitles_are_told_by_number_and_times():
    assert subtitles.is_srt(SRT)
    for text in ("", "1\nHello", "1. First\n2. Second", "Hello\n1\n00:00:01,000 --> 00:00:02,000\nx"):
        assert not subtitles.is_srt(text)


def test_what_is_said_is_cut_by_sentence_and_two_people_keep_their_lines():
    found = subtitles.cut(SRT, "sentences", lambda text: True)
    assert [part.text for part in found] == ["It is late.", "Come home now!", "Why?", "Go.", ""]
    assert found[0].before == "\ufeff1\n00:00:01,000 --> 00:00:02,000\n"
    assert found[2].before == "\n\n2\n00:00:03,000 --> 00:00:04,000\n- "
    made = [part.text.upper() for part in found if part.text]
    meant = SRT.replace("It is late. Come\nhome now!", "IT IS LATE. COME\nHOME NOW!")
    assert parts.joined(found, made) == meant.replace("Why?", "WHY?").replace("Go.", "GO.")
    windows = subtitles.cut(SRT.replace("\n", "\r\n"), "sentences", lambda text: True)
    assert parts.joined(windows, made) == meant.replace("Why?", "WHY?").replace("Go.", "GO.").replace("\n", "\r\n")


def made_of(said, become=str.upper):
    head = "1\n00:00:01,000 --> 00:00:02,000\n"
    cut = subtitles.cut(f"{head}{said}\n\n", "sentences", lambda text: True)
    given = [part.text for part in cut if part.text]
    assert not [text for text in given if "<" in text or "{" in text or "\n" in text]
    return parts.joined(cut, [become(text) for text in given]).removeprefix(head).removesuffix("\n\n")


@pytest.mark.parametrize(
    "said",
    ["<i>It is late.</i>", "{\\an8}<i>Hello</i> my <b>dear\nfriend</b> again", "<i></i>", "- <i>Why?</i>\n- Go.",
     "one\ntwo\nthree", "<font color=\"#f00\">Red</font> it is", "<i>It is late. Come\nhome now!</i>"],
)  # fmt: skip
def test_markup_is_kept_out_of_the_model_and_put_back_and_lines_stay_lines(said):
    assert made_of(said, str) == said


def test_markup_and_breaks_stand_at_about_the_same_place_in_a_longer_text():
    assert made_of("<i>we</i> are\nhere", lambda text: "a b c d e f") == "<i>a b</i> c d\ne f"
    assert made_of("good <b>morning</b>.", lambda text: "oui") == "<b>oui</b>"
    assert made_of("a <i>b</i>", lambda text: "") == "<i></i>"  # nothing was written


def test_any_other_text_is_cut_as_ever():
    for text in ("Hello. Go!", "1\n00:00:xx --> later\nx"):
        assert subtitles.cut(text, "sentences", lambda text: True) == parts.cut(text, "sentences", lambda text: True)
