"""A model is one TOML file and a setting is one field: done here, in a temporary folder, and run."""

import json
import subprocess
import sys

import models
from models.catalog import load_catalog
from models.params import describe
from models.settings import PACKAGE_DIR, Settings

ENTRY = """
id = "text/story-calm"
name = "Calm stories"
family = "causal_lm"
summary = "The story writer, kept calm."
architecture = "as story-gpt"
trained_on = "as story-gpt"
licence = "Apache-2.0"
parameters = 1000
[weights]
path = "{weights}"
[params.temperature]
default = 0.3
le = 0.5
[params.min_p]
hidden = true
[facts]
context_length = 512
vocabulary_size = 4096
"""

SHOUT = """
    shout: bool = Field(
        False, description="Writes everything in capitals.",
        json_schema_extra=hint(group="Output"),
    )
"""


def shell(environment, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "models", *arguments], capture_output=True, text=True, check=False, env=environment
    )


def environment(**more):
    import os

    return {**os.environ, **more}


def test_a_model_is_added_by_one_toml_file(tmp_path):
    shipped = models.get_model("text/story-gpt")
    (tmp_path / "calm.toml").write_text(ENTRY.format(weights=shipped.folder()), "utf-8")
    settings = Settings(catalog_dirs=(PACKAGE_DIR / "catalog", tmp_path))
    catalog = load_catalog(settings)
    fields = {item.name: item for item in catalog.family("text/story-calm").fields(catalog["text/story-calm"])}
    assert fields["temperature"].default == 0.3
    assert fields["temperature"].le == 0.5
    assert "min_p" not in fields
    dirs = json.dumps([str(PACKAGE_DIR / "catalog"), str(tmp_path)])
    run = shell(
        environment(PLAYGROUND_CATALOG_DIRS=dirs), "run", "text/story-calm", "--prompt", "Once", "--param",
        "max_new_tokens=3", "--json",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["params"]["temperature"] == 0.3
    too_hot = shell(
        environment(PLAYGROUND_CATALOG_DIRS=dirs),
        "run",
        "text/story-calm",
        "--prompt",
        "x",
        "--param",
        "temperature=0.6",
    )
    assert "temperature is 0.6; it must be 0 to 0.5" in too_hot.stderr


def test_a_setting_is_added_by_one_field(tmp_path):
    families = tmp_path / "families"
    families.mkdir()
    code = (PACKAGE_DIR / "text" / "families" / "causal_lm.py").read_text("utf-8")
    settings = (PACKAGE_DIR / "text" / "settings.py").read_text("utf-8")
    marker = "    cut_prompt: bool = Field("
    assert settings.count(marker) == 1
    (tmp_path / "my_settings.py").write_text(settings.replace(marker, SHOUT + marker), "utf-8")
    assert code.count("from models.text.settings import") == 1
    mine = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nfrom my_settings import"
    (families / "causal_lm.py").write_text(code.replace("from models.text.settings import", mine), "utf-8")
    catalog = tmp_path / "catalog"
    catalog.mkdir()
    shipped = models.get_model("text/story-gpt")
    text = shipped.file.read_text("utf-8").replace('"../embedded/story-gpt"', json.dumps(str(shipped.folder())))
    (catalog / "story-gpt.toml").write_text(text, "utf-8")
    there = environment(
        PLAYGROUND_FAMILY_DIRS=json.dumps([str(families)]), PLAYGROUND_CATALOG_DIRS=json.dumps([str(catalog)])
    )
    assert "shout (default false; on or off (true or false))" in shell(there, "show", "text/story-gpt").stdout
    bad = shell(there, "run", "text/story-gpt", "--prompt", "x", "--param", "shout=7")
    assert bad.returncode == 2
    assert "shout is 7; it must be on or off" in bad.stderr
    page = f"""
import streamlit as st
from components import params_form
from models.catalog import load_catalog
from models.settings import Settings
from pathlib import Path
catalog = load_catalog(Settings(family_dirs=({str(families)!r},), catalog_dirs=({str(catalog)!r},)))
spec = catalog["text/story-gpt"]
fields = catalog.family(spec.id).fields(spec)
params_form.draw(spec, fields)
st.json(params_form.values(spec, fields))
"""
    from streamlit.testing.v1 import AppTest

    drawn = AppTest.from_string(page, default_timeout=20).run()
    assert not drawn.exception
    switch = next(toggle for toggle in drawn.toggle if toggle.key == "story-gpt.shout")
    assert switch.label == "Shout"
    switch.set_value(True)
    assert json.loads(drawn.run().json[0].value)["shout"] is True


def test_the_one_declaration_is_what_everybody_reads():
    catalog = load_catalog(Settings())
    spec = catalog["text/story-gpt"]
    family = catalog.family(spec.id)
    assert {item.name for item in describe(family.Params)} == {*family.Params.model_fields, "seed"}
