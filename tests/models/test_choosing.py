"""Models are found by words, task, architecture, licence and what a machine has room for."""

from dataclasses import fields

import pytest

from models import choosing, licences
from models.catalog import load_catalog
from models.choosing import Wanted
from models.settings import Settings

CHAT, SMALL = "text/smollm2-135m-instruct", "text/letters-to-sounds"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return load_catalog(Settings(data_dir=tmp_path_factory.mktemp("nothing-got")))


def found(catalog, **wanted):
    return {spec.id for spec in catalog.values() if choosing.fits(catalog, spec, Wanted(**wanted))}


def test_nothing_wanted_finds_all(catalog):
    assert found(catalog) == set(catalog)


def test_each_part_narrows(catalog):
    assert found(catalog, text="SMOLLM2 web") == {CHAT}
    assert found(catalog, text="smollm2 dragon") == set()
    for words, model in (("speak", "audio/hibari"), ("tts", "audio/hibari"), ("dictate", "audio/whisper-tiny-en"),
                         ("transcribe", "audio/whisper-tiny-en"), ("translate", "text/translate-en-fr"),
                         ("caption", "image/emoji-caption")):  # fmt: skip
        assert model in found(catalog, text=words)
    assert found(catalog, rooms=("text",), tasks=("Translation", "Rewriting")) == {
        "text/translate-en-fr",
        "text/translate-fr-en",
        "text/translate-lstm-en-fr",
        SMALL,
    }
    assert found(catalog, nets=("GAN",)) == {"image/emoji-gan"}
    assert found(catalog, licences=("MIT",)) >= {"audio/whisper-tiny-en", "image/emoji-diffusion"}
    assert CHAT not in found(catalog, most_bytes=271_999_999)
    assert CHAT in found(catalog, most_bytes=272_000_000)


def test_what_fits_is_the_model_with_a_run_and_the_get_on_the_disk(catalog):
    needs = choosing.needs(catalog, catalog[CHAT])
    assert needs.load > 0 < needs.run
    assert CHAT in found(catalog, room_bytes=needs.total)
    assert CHAT not in found(catalog, room_bytes=needs.total - 1)
    got = catalog[CHAT].while_got_bytes
    assert got == 2 * 92_871_040 + 272_000_000
    assert CHAT in found(catalog, disk_bytes=got)
    assert CHAT not in found(catalog, disk_bytes=got - 1)
    assert "text/story-gpt" in found(catalog, disk_bytes=0)  # it is here


def test_every_model_has_a_task_and_an_architecture_and_all_are_offered(catalog):
    kinds = choosing.kinds(catalog)
    for spec in catalog.values():
        assert choosing.task(catalog, spec) in kinds["tasks"]
        assert set(choosing.nets(catalog, spec)) <= set(kinds["nets"])
        assert set(licences.parts(spec.licence)) <= set(kinds["licences"])
    assert choosing.nets(catalog, catalog["text/story-lstm"]) == ("Recurrent (LSTM, GRU)",)
    assert choosing.nets(catalog, catalog["audio/hibari"]) == ("Convolutional",)
    assert set(kinds) < {item.name for item in fields(Wanted)}


def test_every_licence_of_the_catalogue_is_known(catalog):
    for spec in catalog.values():
        for part in licences.parts(spec.licence):
            assert licences.terms(part) != licences.UNKNOWN, part


@pytest.mark.parametrize(
    ("licence", "words"),
    [("CC BY-NC 4.0", "Not for commercial"), ("cc-by-nc-sa-4.0", "Not for commercial"), ("MIT", "keep its notice."),
     ("BSD-3-Clause", "keep its notice."), ("CC BY 4.0", "name the authors."), ("house rules", "read its text"),
     ("AGPL-3.0", "same licence")],
)  # fmt: skip
def test_a_licence_is_told_by_its_name(licence, words):
    assert words in licences.terms(licence)
