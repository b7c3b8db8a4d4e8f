import pytest

from models.catalog import load_catalog
from models.device import import_libraries
from models.errors import BadInput, BadParam, CatalogError, UnknownModel, WeightsError
from models.settings import Settings
from models.types import Request
from tests.odd import odd_settings


@pytest.fixture
def settings(tmp_path):
    return odd_settings(tmp_path)


def entry(settings, name="odd"):
    return settings.catalog_dirs[0] / f"{name}.toml"


def change(settings, old, new):
    path = entry(settings)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_entry_is_read_with_its_weights_hashed(settings):
    spec = load_catalog(settings)["text/odd"]
    assert spec.embedded
    assert spec.weights_bytes() > 0
    first = spec.revision()
    weights = spec.weight_files()[0]
    weights.write_bytes(weights.read_bytes() + b" ")
    assert spec.revision() != first


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("licence =", "license =", ["unknown key 'license'", "licence"]),
        ('path = "weights"', 'path = "weights"\nsize = 3', ["unknown key 'weights.size'", "size_bytes"]),
        ('path = "weights"', 'path = "weights"\n[params.steps]\nmax = 3', ["unknown key 'params.steps.max'", "le"]),
        ('path = "weights"', 'path = "weights"\n[params.steps]\nle = 99999', ["widens", "1 to 10000"]),
        ('path = "weights"', 'path = "weights"\n[params.speed]\nle = 9', ["params.speed", "no such setting", "step_s"]),
        ('path = "weights"', 'path = "nowhere"', ["nowhere", "missing"]),
        ('path = "weights"', "", ["one of path, hub and package"]),
        ('path = "weights"', 'hub = "a/b"', ["revision"]),
        ('family = "odd"', 'family = "even"', ["'even'", "allowed: odd"]),
        ('id = "text/odd"', 'id = "image/odd"', ["text/"]),
        ('id = "text/odd"', 'id = "Odd!"', ["id"]),
        ("parameters = 1", "parameters = ", ["TOML"]),
        ('path = "weights"', 'path = "weights"\n[facts]\ncontext_length = "long"', ["facts.context_length", "integer"]),
        ('path = "weights"', 'path = "weights"\n[facts]\nspeakers = "me"', ["facts.speakers", "list"]),
    ],
)
def test_a_wrong_entry_names_the_file_and_what_is_allowed(settings, old, new, words):
    change(settings, old, new)
    with pytest.raises(CatalogError) as caught:
        load_catalog(settings)
    for word in ["odd.toml", *words]:
        assert word in caught.value.message


def test_facts_that_no_code_here_reads_pass(settings):
    change(settings, 'path = "weights"', 'path = "weights"\n[facts]\ncontext_length = 9\nteeth = ["left"]')
    assert load_catalog(settings)["text/odd"].facts == {"context_length": 9, "teeth": ["left"]}


def test_an_id_used_twice_names_both_files(settings):
    entry(settings, "again").write_text(entry(settings).read_text())
    with pytest.raises(CatalogError, match=r"odd\.toml: the id 'text/odd' is taken by again\.toml"):
        load_catalog(settings)


def test_one_bad_entry_leaves_the_others_when_not_strict(tmp_path):
    settings = odd_settings(tmp_path, ("odd", "other"))
    change(settings, "licence =", "license =")
    catalog = load_catalog(settings, strict=False)
    assert list(catalog) == ["text/other"]
    assert "odd.toml" in catalog.problems[0].message


def test_missing_weights_keep_the_entry_so_that_a_run_can_say_so(settings):
    for path in (settings.catalog_dirs[0] / "weights").iterdir():
        path.unlink()
    catalog = load_catalog(settings, strict=False)
    assert catalog.problems
    with pytest.raises(WeightsError, match="Restore"):
        catalog["text/odd"].weight_files()


def test_an_unknown_model_gets_the_nearest_and_the_list(settings):
    with pytest.raises(UnknownModel, match=r"Did you mean text/odd\?"):
        load_catalog(settings)["text/od"]
    assert "text/od" not in load_catalog(settings)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CatalogError, match="does not exist"):
        load_catalog(Settings(catalog_dirs=(tmp_path / "none",)))


def test_validate_returns_full_params_and_refuses_what_is_wrong(settings):
    catalog = load_catalog(settings)
    assert catalog.validate(Request(model="text/odd", inputs={"prompt": "x"})).steps == 20
    with pytest.raises(BadInput, match="prompt is missing"):
        catalog.validate(Request(model="text/odd"))
    with pytest.raises(BadInput, match="takes no input 'image'"):
        catalog.validate(Request(model="text/odd", inputs={"prompt": "x", "image": "y"}))
    with pytest.raises(BadParam, match="steps is 0"):
        catalog.validate(Request(model="text/odd", inputs={"prompt": "x"}, params={"steps": 0}))


def test_a_model_is_one_toml_file_and_a_setting_one_field(tmp_path):
    settings = odd_settings(tmp_path)
    families = tmp_path / "families"
    families.mkdir()
    source = settings.family_dirs[0] / "odd.py"
    field = '    loud: bool = Field(False, description="Whether it shouts.")\n\n\nclass Odd(Family):'
    (families / "odd2.py").write_text(source.read_text().replace("\n\nclass Odd(Family):", field))
    (settings.catalog_dirs[0] / "new.toml").write_text(entry(settings).read_text().replace("text/odd", "text/new"))
    catalog = load_catalog(settings.model_copy(update={"family_dirs": (families,)}))
    assert list(catalog) == ["text/new", "text/odd"]
    fields = {item.name: item for item in catalog.family("text/new").fields(catalog["text/new"])}
    assert fields["loud"].type == "toggle"
    request = Request(model="text/new", inputs={"prompt": "x"}, params={"loud": True})
    assert catalog.validate(request).loud is True


def test_every_shipped_entry_is_valid():
    import_libraries(Settings())
    catalog = load_catalog(Settings())
    assert "text/story-gpt" in catalog
    for spec in catalog.values():
        fields = catalog.family(spec.id).fields(spec)
        assert all(item.help.rstrip().endswith((".", "?", "!")) for item in fields), spec.id
        if spec.embedded:
            assert catalog.family(spec.id).describe(spec) == spec.facts, "run `python -m models describe --write`"
