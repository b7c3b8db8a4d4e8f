"""Runs are found by words, filters and pages, and only by their owner."""

import time

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import fulltext
from models.errors import BadInput
from models.finding import Filter
from models.shelf import NOTE_MAX_CHARS, TAGS_MOST, UNDO_S
from models.types import Output, Request
from tests.models.shelf_steps import counted, names, save
from tests.stored import age, files, ids, kept_run, make_run


class TestWords:
    @pytest.fixture(autouse=True)
    def _fill(self, store):
        save(store, "dragon", "A small dragon", "It flew over the Ärmelkanal", at=3.0)
        save(store, "boat", "A boat that ends sadly", "The dragonfly sank: 🐉", at=2.0)
        save(store, "his", "A small dragon", owner="bob", at=1.0)

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("dragon", ["dragon", "boat"]),
            ("DRAGON small", ["dragon"]),
            ("dragonfly", ["boat"]),
            ("armelkanal", ["dragon"]),
            ("sadly sank", ["boat"]),
            ("🐉", ["boat"]),
            ("elephant", []),
            ("small elephant", []),
            ("ragon", []),
            ("", ["dragon", "boat"]),
            ("  ", ["dragon", "boat"]),
            ("!?", []),
            ("dragon !?", ["dragon", "boat"]),
            ("small OR boat", []),
            ("NOT boat", []),
            ("small-dragon", ["dragon"]),
            ("prompt:boat", []),
            ('"small', ["dragon"]),
            ("boat*", ["boat"]),
        ],
    )
    def test_every_word_must_stand_there_at_least_as_a_beginning(self, store, text, found):
        assert names(store, text=text) == found

    def test_another_database_without_such_an_index_finds_parts_of_words(self, store, monkeypatch):
        with store._read() as connection:
            monkeypatch.setattr(connection.dialect, "name", "other", raising=False)
            fits = fulltext.matching(connection, "100% small_ drag")
            assert fits is not None
            monkeypatch.undo()
            assert "LIKE" in str(fits.compile(connection))

    def test_names_notes_and_tags_are_searched_and_what_is_changed_is_found_no_longer(self, store):
        assert store.rename("ann", "boat", "  My   best  one ") == 1
        store.write_note("ann", "boat", "for the slides")
        store.tag("ann", "boat", ["talk", "sad stories", "talk", " "])
        assert names(store, text="best") == names(store, text="slides") == names(store, text="stories talk") == ["boat"]
        (found,) = store.find("ann", Filter(text="best")).rows
        assert (found.title, found.note, found.tags) == ("My best one", "for the slides", ("sad stories", "talk"))
        store.rename("ann", "boat", "")
        store.tag("ann", "boat", [])
        assert names(store, text="best") == names(store, text="talk") == []
        assert names(store, text="slides") == ["boat"]

    def test_a_run_saved_again_keeps_what_was_said_of_it(self, store):
        store.rename("ann", "dragon", "Best")
        store.tag("ann", "dragon", ["talk"])
        store.star("ann", ["dragon"])
        save(store, "dragon", "A large whale", at=3.0)
        assert names(store, text="small") == []
        assert names(store, text="whale best talk", starred=True, tags=("talk",)) == ["dragon"]

    def test_the_words_of_a_conversation_are_found(self, store):
        request = Request(model="text/m", inputs={"messages": '[{"role": "user", "content": "Tell me of zebras"}]'})
        store.save_run(make_run("chat", request=request, job="chat"))
        assert names(store, text="zebras") == ["chat"]
        assert names(store, text="content") == []

    def test_an_upload_is_no_word(self, store):
        ref = store.take("ann", b"a picture")
        request = Request(model="image/m", inputs={"image": ref, "prompt": "cat"})
        store.save_run(make_run("picture", request=request, job="picture"))
        assert names(store, text=ref[7:20]) == []
        assert names(store, text="cat") == ["picture"]


@pytest.fixture
def full(store):
    save(store, "one", "A small dragon")
    return store


@given(st.text(max_size=80) | st.text(alphabet="\"'*():-+^{}[]<>=%_\\;,. ANDORNT~ \0\ud800a🐉", max_size=40))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_of_a_reader_raises(full, text):
    wanted = Filter(text=text) if text.isprintable() else Filter.model_construct(text=text)
    assert full.find("ann", wanted).rows in ((), full.find("ann", Filter()).rows)


class TestFilters:
    @pytest.fixture(autouse=True)
    def _fill(self, store):
        save(store, "a", at=10.0, seed=1)
        save(store, "b", at=20.0, seed=2, model="image/emoji-gan")
        save(store, "c", at=30.0, seed=2, model="image/draws", params={"task": "inpaint"})
        save(store, "d", at=40.0, seed=2**32 - 1, model="images/none")
        save(store, "his", at=50.0, owner="bob")

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({}, "dcba"),
            ({"rooms": ("image",)}, "cb"),
            ({"rooms": ("image", "text")}, "cba"),
            ({"models": ("image/emoji-gan", "images/none")}, "db"),
            ({"tasks": ("inpaint",)}, "c"),
            ({"seed": 2}, "cb"),
            ({"seed": 2**32 - 1}, "d"),
            ({"since": 20.0}, "dcb"),
            ({"until": 20.0}, "a"),
            ({"since": 20.0, "until": 40.0}, "cb"),
            ({"starred": True}, "c"),
            ({"tags": ("x",)}, "ca"),
            ({"tags": ("x", "y")}, "c"),
            ({"tags": ("z",)}, ""),
            ({"rooms": ("image",), "seed": 2, "starred": True}, "c"),
            ({"rooms": ("%",)}, ""),
        ],
    )
    def test_each_part_narrows(self, store, wanted, found):
        store.star("ann", ["c", "his"])
        store.tag("ann", "c", ["x", "y"])
        store.tag("ann", "a", ["x"])
        assert "".join(names(store, **wanted)) == found
        assert store.count("ann", Filter(**wanted), 100) == len(found)
        assert "".join(store.found_ids("ann", Filter(**wanted))) == found

    def test_what_there_is_to_choose_from_is_the_owners(self, store):
        store.tag("ann", "c", ["x"])
        store.tag("bob", "his", ["secret"])
        kinds = store.kinds("ann")
        assert kinds.models == ("image/draws", "image/emoji-gan", "images/none", "text/story-gpt")
        assert (kinds.tasks, kinds.tags) == (("inpaint",), ("x",))
        store.delete("ann", ["c"])
        assert store.kinds("ann").tags == ()
        store.drop_deleted(time.time() + UNDO_S)
        assert store.kinds("ann").tasks == ()

    def test_another_owners_run_is_out_of_reach(self, store):
        assert store.star("ann", ["his"]) == store.rename("ann", "his", "mine") == store.tag("ann", "his", ["x"]) == 0
        assert store.write_note("ann", "his", "x") == store.delete("ann", ["his", "nobody's"]) == 0
        assert store.found("ann", ["his", "a"])[0].run.id == "a"
        (his,) = store.found("bob", ["his"])
        assert (his.title, his.note, his.tags, his.starred) == ("", "", (), False)
        store.delete("bob", ["his"])
        assert store.restore("ann", ["his"]) == 0
        assert names(store, "bob") == []


def test_a_word_that_says_whose_a_run_is_is_none_of_its_texts(store):
    save(store, "hers", "a dragon")
    key = fulltext._key("o", "ann")
    save(store, "his", f"a dragon {key}", owner="bob")
    assert names(store, text=f"dragon {key}") == names(store, text=key[1:]) == []
    assert names(store, "bob", text=key[1:]) == ["his"]
    assert names(store, text="dragon") == ["hers"]


class TestDeleting:
    def test_a_deleted_run_is_gone_everywhere_and_comes_back(self, store):
        run = save(store, "one", "A dragon", stats={"cause": "c"})
        store.star("ann", ["one"])
        assert store.delete("ann", ["one"]) == 1
        assert names(store) == names(store, text="dragon") == names(store, starred=True) == []
        assert store.runs("ann") == []
        assert store.run("one", "ann") is None
        assert store.made("ann", ["c"]) == {}
        assert store.found("ann", ["one"]) == []
        assert names(store, deleted=True) == ["one"]
        assert store.restore("ann", ["one"]) == 1
        assert names(store, text="dragon", starred=True) == ["one"]
        assert kept_run(store, "one", load=True) == run

    def test_after_its_time_it_goes_with_the_files_that_nothing_else_needs(self, store):
        save(store, "one", "Once", "shared", "her own")
        save(store, "two", "Once", "shared", "held by a page")
        held = store.runs("ann")[0].outputs[1].sha256
        save(store, "his", "Once", "his own", owner="bob")
        store.save_desk("ann", Request(model="image/m", inputs={"image": f"sha256:{held}"}))
        before = len(files(store))
        now = time.time()
        store.delete("ann", ["one", "two"], now)
        assert store.drop_deleted(now + UNDO_S - 1).runs == 0
        assert len(files(store)) == before
        gone = store.drop_deleted(now + UNDO_S)
        assert (gone.runs, gone.artifacts) == (2, 2)
        assert held in files(store)
        assert len(files(store)) == 2
        assert names(store, deleted=True) == []
        assert store.restore("ann", ["one"]) == 0
        assert names(store, "bob") == ["his"]
        assert counted(store, "words") == [1]

    def test_tidying_drops_what_was_deleted(self, store):
        from models.runtime.tidying import Tidying
        from models.settings import Settings

        save(store, "one")
        store.delete("ann", ["one"], 1000.0)
        tidying = Tidying(store, Settings(data_dir=store.data_dir), clock=lambda: 1000.0 + UNDO_S)
        assert tidying.once().runs == 1

    def test_a_pruned_run_leaves_the_index(self, store):
        save(store, "old", "A dragon", at=1.0)
        save(store, "new", "A boat", at=2.0)
        store.tag("ann", "old", ["x"])
        age(store, 7200)
        assert store.prune(max_runs=1).runs == 1
        assert names(store, text="dragon") == names(store, deleted=True, tags=("x",)) == []
        assert names(store) == ["new"]
        assert counted(store, "library", "tags", "words") == [1, 0, 1]

    def test_what_has_a_star_is_pruned_last(self, store):
        for number in range(3):
            save(store, str(number), at=float(number))
        store.star("ann", ["0"])
        assert store.prune(max_runs=1).runs == 2
        assert ids(store.runs()) == ["0"]
        store.star("ann", ["0"], False)
        assert store.prune(max_age_s=1.0).runs == 1

    def test_forget_me_takes_names_notes_and_words_with_it(self, store):
        save(store, "hers", "A dragon")
        save(store, "his", "A dragon", owner="bob")
        store.rename("ann", "hers", "SECRET-TITLE")
        store.write_note("ann", "hers", "SECRET-NOTE")
        store.tag("ann", "hers", ["SECRET-TAG"])
        store.delete("ann", ["hers"])
        store.forget("ann")
        with store._read() as connection:
            every = sa.MetaData()
            every.reflect(connection)
            dump = str([connection.execute(sa.select(one)).all() for one in every.sorted_tables])
        assert "'his'" in dump
        assert "SECRET" not in dump
        assert names(store, "bob", text="dragon") == ["his"]

    def test_results_move_with_their_owner(self, store):
        save(store, "one", "A dragon", owner="cookie:1")
        store.rename("cookie:1", "one", "Best")
        store.move_owner("cookie:1", "user:ann")
        assert names(store, "user:ann", text="best") == ["one"]
        assert names(store, "cookie:1") == []
        save(store, "two", owner="a-session")
        store.take_sessions("machine:ann")
        assert names(store, "machine:ann") == ["two"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda store: store.rename("ann", "one", "x" * 201), "A name has at most 200 characters; this one has 201"),
        (lambda store: store.write_note("ann", "one", "x" * (NOTE_MAX_CHARS + 1)), "at most 5,000 characters"),
        (lambda store: store.tag("ann", "one", ["x" * 41]), "A tag has at most 40 characters"),
        (lambda store: store.tag("ann", "one", map(str, range(TAGS_MOST + 1))), "These are 21 tags"),
    ],
)
def test_what_is_too_long_is_told_and_changes_nothing(store, change, sentence):
    save(store, "one")
    store.rename("ann", "one", "Mine")
    with pytest.raises(BadInput, match=sentence):
        change(store)
    (found,) = store.find("ann", Filter()).rows
    assert (found.title, found.note, found.tags) == ("Mine", "", ())


def test_half_a_character_in_what_a_person_says_is_kept_as_a_mark(store):
    save(store, "one")
    store.rename("ann", "one", "half \ud83d here")
    assert names(store, text="half here") == ["one"]


def test_a_text_without_bytes_is_searched_too(store):
    run = make_run("one")
    run.outputs = [Output("text", text="Once a whale", meta={"prompt_chars": 4})]
    store.save_run(run)
    assert names(store, text="whale") == ["one"]
