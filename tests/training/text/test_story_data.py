"""Reading stories: the split is by story, stays, and leaks nothing."""

import gzip

from training.text.story_data import load_stories, read_stories


def write(file, stories):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(gzip.compress(("".join(f"{story}\n<|endoftext|>\n" for story in stories)).encode()))


def story(number):
    return f"Once there was a hen called Number {number}. " + " ".join(
        f"It saw {number * 31 + n} eggs." for n in range(12)
    )


def test_stories_are_read_whole(tmp_path):
    file = tmp_path / "x.txt.gz"
    write(file, ["One.\nTwo lines.", "“Quotes” and ümlauts."])
    assert read_stories(file) == ["One.\nTwo lines.", "“Quotes” and ümlauts."]


def test_a_twentieth_is_held_out_and_stays_held_out(tmp_path):
    stories = [story(number) for number in range(1000)]
    write(tmp_path / "stories/tinystories.txt.gz", stories)
    split = load_stories(tmp_path, extra=())
    assert 25 <= len(split.validation) <= 80
    assert set(split.train) | set(split.validation) == set(stories)
    assert not set(split.train) & set(split.validation)
    write(tmp_path / "stories/tinystories.txt.gz", [story(5000), *stories[::-1]])
    assert set(split.validation) <= set(load_stories(tmp_path, extra=()).validation)


def test_near_copies_of_held_out_stories_are_dropped_from_all_training(tmp_path):
    stories = [story(number) for number in range(300)]
    write(tmp_path / "stories/tinystories.txt.gz", stories)
    held_out = load_stories(tmp_path, extra=()).validation[0]
    copy = held_out.replace("Once there was", "There once was")
    write(tmp_path / "stories-extra/more.txt.gz", [copy, story(9999)])
    split = load_stories(tmp_path, extra=("more",))
    assert split.extra == [story(9999)]
    assert split.dropped == 1
