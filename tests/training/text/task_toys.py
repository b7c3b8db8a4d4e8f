"""Toy data in the files' own forms: pairs of sentences, polar sentences, intents, questions, stories."""

import gzip
import json

from tests.training.text.test_story_data import write

ANIMALS = {"cat": "chat", "dog": "chien", "bird": "oiseau", "horse": "cheval", "fish": "poisson", "cow": "vache"}
DOES = {"eats": "mange", "sleeps": "dort", "runs": "court", "sings": "chante", "falls": "tombe", "laughs": "rit"}
WHERE = {"here": "ici", "there": "là", "today": "aujourd'hui", "often": "souvent", "again": "encore", "well": "bien"}
GOOD, BAD = ("lovely", "funny", "moving", "clever"), ("dull", "awful", "silly", "tedious")
THINGS = ("film", "story", "cast", "music", "ending", "script", "hero", "plot")
INTENTS = {"weather": "will it {} in {}", "play_music": "play {} by {} now", "alarm": "wake me {} before {}"}


def pairs():
    return [
        (f"The {animal} {verb} {place}.", f"Le {ANIMALS[animal]} {DOES[verb]} {WHERE[place]}.")
        for animal in ANIMALS for verb in DOES for place in WHERE
    ]  # fmt: skip


def write_pairs(folder):
    """Write the pairs, one English sentence with a second translation."""
    rows = [*pairs(), ("The cat eats here.", "Ici mange le chat.")]
    file = folder / "translation/eng-fra.tsv.gz"
    file.parent.mkdir(parents=True)
    file.write_bytes(gzip.compress("".join(f"{one}\t{other}\n" for one, other in rows).encode()))
    return folder


def write_tasks(folder):
    """Write all that the classifiers and their encoder read."""
    from training.text.story_data import SIMPLE_EXTRA

    write_pairs(folder)
    story = "Once there was a {} who {} all day long and the sun was warm on the old wall by the sea"
    write(folder / "stories/tinystories.txt.gz", [story.format(one, two) for one in ANIMALS for two in DOES])
    for name in SIMPLE_EXTRA:
        write(folder / f"stories-extra/{name}.txt.gz", ["The end of a small tale about a hat and a cup."])
    write(folder / "stories-extra/tales.txt.gz", ["In the days of the king a giant lived behind the seven hills."])
    polar = [
        f"{label}\tthe {thing} is {word} and {other} , they say ."
        for label, words in (("pos", GOOD), ("neg", BAD))
        for thing in THINGS
        for word in words
        for other in words
        if word != other
    ]
    for name, text in (("sentiment/sentence_polarity.tsv", "\n".join(polar)),
                       ("intents/banking77_train.csv", "text,category\nwhere is my card?,card_arrival\n")):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text + "\n", "utf-8")
    said = {label: [form.format(one, two) for one in THINGS for two in GOOD] for label, form in INTENTS.items()}
    outside = [f"why is the {thing} {word}" for thing in THINGS for word in BAD]
    content = {
        part: [[text, label] for label, texts in said.items() for text in texts[low:high]]
        for part, low, high in (("train", 0, 20), ("val", 20, 26), ("test", 26, 32))
    } | {
        f"oos_{part}": [[text, "oos"] for text in outside[low:high]]
        for part, low, high in (("train", 0, 10), ("val", 10, 20), ("test", 20, 32))
    }
    (folder / "intents/clinc150_data_full.json").write_text(json.dumps(content), "utf-8")
    rows = [f"train\tt\tc\thow many points has the {thing}\tq" for thing in THINGS]
    file = folder / "questions-sql/wikisql.tsv.gz"
    file.parent.mkdir()
    file.write_bytes(gzip.compress("\n".join([*rows, "test\tt\tc\tno training question\tq"]).encode()))
    return folder
