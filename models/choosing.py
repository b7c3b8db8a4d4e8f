"""Choose among the catalogue's models: by words, task, architecture, licence, size, and what this machine can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models import licences
from models.catalog import Catalog
from models.errors import PlaygroundError
from models.spec import ModelSpec
from models.types import Request

# terms of the field by which a description of an architecture is found; a model may have several
_NETS = {
    "Transformer": ("transformer", "bart", "llama", "bert", "gpt"),
    "Encoder-decoder": ("encoder-decoder", "marian", "bart", "whisper"),
    "Recurrent (LSTM, GRU)": ("lstm", "gru"),
    "Diffusion": ("diffusion",),
    "U-Net": ("u-net", "unet"),
    "GAN": ("gan", "adversarial"),
    "VAE": ("vae", "variational"),
    "Convolutional": ("convolution", "residual", "resnet", "dcgan"),
}
OTHER = "Other"


@dataclass(frozen=True)
class Needs:
    """Forecast what a model takes of memory: to `load` it, and for one `run` at its defaults beside that, in bytes."""

    load: int
    run: int

    @property
    def total(self) -> int:
        """Return both together."""
        return self.load + self.run


@dataclass(frozen=True)
class Wanted:
    """Say which models are wanted: each part narrows them, and what is left out does not.

    `text` has words that all stand in what is said of a model. Of each list a model has one at least. `most_bytes` is
    the most that its weights take on disk; `room_bytes` the most that it may take of memory, `disk_bytes` of disk while
    it is got; None: any.
    """

    text: str = ""
    rooms: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    nets: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    most_bytes: int | None = None
    room_bytes: int | None = None
    disk_bytes: int | None = None


def task(catalog: Catalog, spec: ModelSpec) -> str:
    """Return what a model is for in the field's word: its own task, else its family's, else the family's title."""
    family = catalog.family(spec.id)
    return (str(spec.facts.get("task") or "") or family.task or family.title).capitalize()


def nets(catalog: Catalog, spec: ModelSpec) -> tuple[str, ...]:
    """Return the kinds of architecture that a model is of."""
    said = f"{spec.architecture} {catalog.family(spec.id).title}".lower()
    words = said.replace(",", " ").replace("(", " ").replace(")", " ").replace(":", " ").split()
    return tuple(
        name for name, terms in _NETS.items() if any(word.startswith(term) for term in terms for word in words)
    ) or (OTHER,)


def needs(catalog: Catalog, spec: ModelSpec) -> Needs:
    """Return the forecast of a model's memory."""
    family = catalog.family(spec.id)
    values = {item.name: item.default for item in family.fields(spec) if item.name != "seed"}
    load = family.needed_bytes(spec)
    return Needs(load, family.run_bytes(spec, Request(model=spec.id), family.Params(**values)))


def fits(catalog: Catalog, spec: ModelSpec, wanted: Wanted) -> bool:
    """Say whether a model is wanted."""
    said = " ".join((
        spec.id, spec.name, spec.summary, spec.architecture, spec.trained_on, spec.licence, task(catalog, spec),
        catalog.family(spec.id).title, catalog.family(spec.id).called, *nets(catalog, spec),
    )).casefold()  # fmt: skip
    if not all(word in said for word in wanted.text.casefold().split()):
        return False
    for asked, has in (
        (wanted.rooms, (spec.modality,)), (wanted.tasks, (task(catalog, spec),)), (wanted.nets, nets(catalog, spec)),
        (wanted.licences, licences.parts(spec.licence)),
    ):  # fmt: skip
        if asked and not set(asked) & set(has):
            return False
    try:
        if wanted.most_bytes is not None and spec.weights_bytes() > wanted.most_bytes:
            return False
        if wanted.room_bytes is not None and needs(catalog, spec).total > wanted.room_bytes:
            return False
    except PlaygroundError:  # its files are damaged: it runs nowhere
        return False
    return wanted.disk_bytes is None or spec.here or spec.while_got_bytes <= wanted.disk_bytes


def kinds(catalog: Catalog) -> Mapping[str, list[str]]:
    """Return what there is to choose from: rooms, tasks, nets and licences, each in order."""
    specs = list(catalog.values())
    return {
        "rooms": list(dict.fromkeys(spec.modality for spec in specs)),
        "tasks": sorted({task(catalog, spec) for spec in specs}),
        "nets": sorted({net for spec in specs for net in nets(catalog, spec)}),
        "licences": sorted({part for spec in specs for part in licences.parts(spec.licence)}),
    }
