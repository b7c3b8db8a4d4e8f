"""The rate of a download: measured over the last seconds, nothing before there is enough to measure."""

from models.runtime.getting import Stage
from models.runtime.pace import WINDOW_S, Pace


def test_a_rate_is_said_once_a_few_seconds_were_measured():
    pace = Pace()
    assert pace.note(10.0, 0) == 0
    assert pace.note(12.5, 2500) == 0
    assert pace.note(13.0, 3000) == 1000


def test_the_last_seconds_count():
    pace = Pace()
    for second in range(21):  # ten seconds slow, then fast
        rate = pace.note(float(second), second * 100 if second <= 10 else 1000 + (second - 10) * 5000)
    assert rate == 5000
    assert len(pace._noted) <= WINDOW_S + 2


def test_a_line_that_stands_still_comes_to_nought():
    pace = Pace()
    pace.note(0.0, 0)
    pace.note(2.0, 2000)
    assert [pace.note(2.0 + second, 2000) for second in (1, 20, 40)][-1] == 0


def test_a_count_that_begins_again_is_measured_anew():
    pace = Pace()
    pace.note(0.0, 0)
    pace.note(2.0, 9000)
    assert pace.note(3.0, 100) == 0
    assert pace.note(6.0, 1600) == 500


def test_what_comes_before_the_first_bytes_is_no_part_of_the_rate():
    pace = Pace(1000)
    assert [pace.note(float(second), 20 * second) for second in range(10)] == [0.0] * 10
    pace.note(10.0, 1000)
    assert pace.note(14.0, 9000) == 2000


def test_time_left_is_known_by_rate_and_total_alone():
    assert Stage("download", 100, 300, 50).left_s == 4
    assert Stage("download", 100, 300).left_s is None
    assert Stage("check", 0, 0, 50).left_s is None
