"""Generators and autoencoders, tiny and random: chance from seeds alone, ends of every slider, what lies between."""

import io

import numpy as np
import pytest
from PIL import Image

from models.blobs import Blobs
from models.errors import BadInput
from models.runtime.engine import StopSignal
from tests.tiny import final_of
from tests.tiny.image_nets import ask, nets_engine

each = pytest.mark.parametrize("model", ["gan", "vae"])


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = nets_engine(tmp_path_factory.mktemp("nets"))
    assert not engine.catalog.problems
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def uploads(engine):
    refs = []
    for shade in (40, 200):
        rows = np.full((80, 70, 3), shade, np.uint8)
        rows[20:40, 20:50] = (255 - shade, 10, shade)
        data = io.BytesIO()
        Image.fromarray(rows).save(data, "PNG")
        refs.append(Blobs(engine._settings.data_dir).put_bytes(data.getvalue()))
    return refs


def pictures(engine, request):
    final = final_of(engine, request)
    return [np.asarray(Image.open(io.BytesIO(one.data))).astype(int) for one in final.outputs]


def alike(left, right):
    return np.abs(left - right).max() <= 1


@each
def test_same_request_same_bytes_and_a_batch_is_its_single_runs(engine, model):
    request = ask(model, seed=4, num_images=3)
    first, again = final_of(engine, request), final_of(engine, request)
    assert [one.data for one in first.outputs] == [one.data for one in again.outputs]
    assert [one.meta["seed"] for one in first.outputs] == [4, 5, 6]
    for number, picture in enumerate(pictures(engine, request)):
        assert (picture == pictures(engine, ask(model, seed=4 + number))[0]).all()
    assert not alike(*pictures(engine, ask(model, seed=4, num_images=2)))


@each
def test_a_variation_goes_from_one_seed_to_another(engine, model):
    def at(strength):
        return pictures(engine, ask(model, seed=1, variation_strength=strength, variation_seed=2))[0]

    assert (at(0.0) == pictures(engine, ask(model, seed=1))[0]).all()
    assert (at(1.0) == pictures(engine, ask(model, seed=2))[0]).all()
    assert not alike(at(0.5), at(0.0))
    assert not alike(at(0.5), at(1.0))


@each
def test_prompts_are_mixed_from_end_to_end(engine, model):
    def at(mix):
        return pictures(engine, ask(model, "red heart", prompt_to="blue cat", prompt_mix=mix))[0]

    assert (at(0.0) == pictures(engine, ask(model, "red heart"))[0]).all()
    assert alike(at(1.0), pictures(engine, ask(model, "blue cat"))[0])
    assert not (at(0.5) == at(0.0)).all()


@each
def test_stop_keeps_what_is_finished(engine, model):
    stop = StopSignal()
    for event in engine.generate(ask(model, num_images=8), stop):
        if event.kind == "preview" and len(event.outputs) == 2:
            stop.request()
    assert event.stats["stopped"]
    assert len(event.outputs) == 2


@each
def test_unknown_words_are_named(engine, model):
    final = final_of(engine, ask(model, "red zebra on ice"))
    assert final.stats["notes"] == ["Unknown words were ignored: zebra, on, ice."]


def test_no_truncation_left_leaves_no_chance(engine):
    one, other = (pictures(engine, ask("gan", seed=seed, truncation=0.0))[0] for seed in (1, 2))
    assert (one == other).all()
    assert not alike(one, pictures(engine, ask("gan", seed=1))[0])
    assert not alike(one, pictures(engine, ask("gan", "blue cat", seed=1, truncation=0.0))[0])  # the words stay


def test_no_temperature_leaves_no_chance(engine):
    one, other = (pictures(engine, ask("vae", seed=seed, temperature=0.0))[0] for seed in (1, 2))
    assert (one == other).all()
    assert not alike(one, pictures(engine, ask("vae", "blue cat", temperature=0.0))[0])


def test_it_rebuilds_an_upload_and_goes_from_one_to_another(engine, uploads):
    first, second = uploads
    rebuilt = [pictures(engine, ask("vae", "", task="reconstruct", image=one))[0] for one in uploads]

    def at(mix):
        return pictures(engine, ask("vae", "", task="interpolate", image=first, image_to=second, mix=mix))[0]

    assert alike(at(0.0), rebuilt[0])
    assert alike(at(1.0), rebuilt[1])
    assert not alike(at(0.5), rebuilt[0])


@pytest.mark.parametrize("task", ["sample", "reconstruct"])
def test_each_direction_moves_the_picture(engine, uploads, task):
    more = {"image": uploads[0]} if task == "reconstruct" else {}
    still = pictures(engine, ask("vae", task=task, **more))[0]
    for number in range(1, 7):
        moved = pictures(engine, ask("vae", task=task, **{f"component_{number}": 4.0}, **more))[0]
        assert not (moved == still).all()


@pytest.mark.parametrize(("model", "changes", "sentence"), [
    ("gan", {"prompt": "  "}, "prompt is empty"),
    ("gan", {"prompt_mix": 0.3}, "no second prompt"),
    ("vae", {"task": "reconstruct"}, "“reconstruct” needs an image"),
    ("vae", {"task": "interpolate", "image": "sha256:" + "0" * 64}, "needs a second image"),
    ("vae", {"task": "reconstruct", "image": "sha256:" + "0" * 64}, "No file is stored"),
])  # fmt: skip
def test_a_wrong_request_gets_a_sentence(engine, model, changes, sentence):
    with pytest.raises(BadInput, match=sentence):
        list(engine.generate(ask(model, **changes)))


def test_an_empty_prompt_samples_from_the_whole_space(engine):
    one, other = (pictures(engine, ask("vae", "", seed=seed, temperature=1.0))[0] for seed in (1, 2))
    assert not alike(one, other)


def test_a_walk_may_start_where_no_word_was_said(engine):
    def at(mix):
        return pictures(engine, ask("vae", "", seed=1, prompt_to="blue cat", prompt_mix=mix))[0]

    assert not alike(at(0.0), at(1.0))
    assert alike(at(1.0), pictures(engine, ask("vae", "blue cat", seed=1))[0])


def test_a_mix_left_over_from_sampling_does_not_disturb_an_upload(engine, uploads):
    plain, mixed = (
        pictures(engine, ask("vae", "", task="reconstruct", image=uploads[0], prompt_mix=mix))[0] for mix in (0.0, 0.5)
    )
    assert (plain == mixed).all()
