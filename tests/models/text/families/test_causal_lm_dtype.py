"""Large language models compute in bfloat16 where the processor has it: here a tiny one is taken for a large one."""

import pytest

from models import device
from models.receipts import here
from models.settings import Settings
from models.text.families import causal_lm
from tests.tiny import ask, final_of, tiny_engine
from tests.tiny.kept_texts import look, written


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "CAST_BELOW_BYTES", 0)
        patch.setattr(device, "has_bfloat16", lambda: True)
        engine = tiny_engine(tmp_path_factory.mktemp("large"))
        yield engine
        engine.close()


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("values", [
    {}, {"num_variants": 3}, {"do_sample": False}, {"guidance_scale": 2.0, "negative_prompt": "A"},
    {"mirostat_tau": 4.0, "repetition_penalty": 1.2}, {"prompt_lookup_num_tokens": 3, "do_sample": False},
], ids=str)  # fmt: skip
def test_the_same_request_gives_the_same_bytes_and_says_its_dtype(engine, kind, values):
    request = ask("Once upon", kind, seed=7, max_new_tokens=12, **values)
    first, again = final_of(engine, request), final_of(engine, request)
    assert [one.data for one in first.outputs] == [one.data for one in again.outputs]
    assert first.stats["made_with"]["dtype"] == "bfloat16"
    assert here(engine.catalog, Settings(), f"text/{kind}")["dtype"] == "bfloat16"


@pytest.mark.parametrize("study", ["attention", "lens"])
def test_what_looks_inside_reads_float32_and_leaves_the_model_as_it_is(engine, study):
    kept = written(engine, "llama", max_new_tokens=12)
    looked = final_of(engine, look("llama", study, kept))
    assert [one.meta["what"] for one in looked.outputs] == [study]
    assert written(engine, "llama", max_new_tokens=12).data == kept.data


def test_it_is_loaded_as_it_says(engine, monkeypatch):
    spec, family = engine.catalog["text/llama"], causal_lm.CausalLM()
    for has in (True, False):
        monkeypatch.setattr(device, "has_bfloat16", lambda has=has: has)
        assert str(family.load(spec).parts["model"].dtype) == f"torch.{family.dtype(spec)}"
    assert family.dtype(spec) == "float32"


def test_its_forecast_is_what_is_stored(engine, monkeypatch):
    spec = engine.catalog["text/llama"]
    family = causal_lm.CausalLM()
    assert family.needed_bytes(spec) == spec.weights_bytes()
    monkeypatch.setattr(device, "has_bfloat16", lambda: False)
    assert family.needed_bytes(spec) == 2 * spec.weights_bytes()
