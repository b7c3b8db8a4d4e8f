"""Models of a given size, a family that counts their loads, and a registry to hold them."""

import threading

from models.catalog import load_catalog
from models.runtime.registry import Registry
from tests.odd import odd_settings

MB = 1_000_000
# `parameters` of the catalogue is the size in MB; ids that begin with a kind of failure fail
FAMILY = """
import threading, time, weakref
from typing import ClassVar
from models.errors import WeightsError
from models.family import Family, Loaded
from models.params import Params


class Nothing(Params):
    pass


class Sized(Family):
    name: ClassVar = "odd"
    title: ClassVar = "Sized"
    modality: ClassVar = "text"
    Params: ClassVar = Nothing
    load_s = 0.0
    gate = None

    def __init__(self):
        self.loads, self.made, self.loading, self.most_at_once = [], [], 0, 0
        self.entered, self.pins = threading.Event(), []

    def load(self, spec):
        import torch

        self.loads.append(spec.id)
        self.entered.set()
        self.loading += 1
        self.most_at_once = max(self.most_at_once, self.loading)
        try:
            if self.gate is not None:
                self.gate.wait(10)
            time.sleep(self.load_s)
            layers = []
            for _ in range(spec.parameters):
                layer = torch.nn.Linear(500, 500, bias=False, device="meta")
                layer.weight = torch.nn.Parameter(torch.ones(500, 500))  # 1 MB, resident
                layers.append(layer)
            net = torch.nn.Sequential(*layers)
            self.made.append(weakref.ref(net))
            self.pins.append(torch.ones(500, 500))  # above the net in the heap, which so cannot shrink by itself
            if spec.id.startswith("text/broken"):
                raise KeyError("a secret detail for the log")
            if spec.id == "text/own-words":
                raise WeightsError("The tokenizer is missing.")
            if spec.id == "text/no-memory":
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
            if spec.id == "text/tied":  # 3 modules of one weight, and a buffer of 2 MB
                layers[1].weight = layers[0].weight
                net.register_buffer("mask", torch.ones(500_000))
                return Loaded({"net": net, "head": layers[1], "tokenizer": "none"})
            return Loaded({"net": net})
        finally:
            self.loading -= 1

    def needed_bytes(self, spec):
        return spec.parameters * 1_000_000

    def generate(self, spec, request, params, loaded, context):
        yield from ()
"""


class Bench:
    """Hold a registry of models by name and size in MB, and the family that counts its loads."""

    def __init__(self, folder, budget, sizes):
        families = folder / "families"
        families.mkdir()
        (families / "sized.py").write_text(FAMILY)
        self.settings = odd_settings(folder, tuple(sizes)).model_copy(update={"family_dirs": (families,)})
        for name, size in sizes.items():
            file = self.settings.catalog_dirs[0] / f"{name}.toml"
            file.write_text(file.read_text().replace("parameters = 1", f"parameters = {size}"))
        catalog = load_catalog(self.settings)
        self.family = catalog.families["odd"]
        self.seen = []  # the registry's state at every change
        self.registry = Registry(catalog, budget * MB, on_change=lambda: self.seen.append(self.leases()))

    def leases(self):
        return {entry["model"][5:]: entry["leases"] for entry in self.registry.state()}

    def use(self, *names):
        for name in names:
            with self.registry.lease(f"text/{name}"):
                pass


def together(*jobs):
    """Run every job in a thread of its own, all from the same moment; return what they raised."""
    raised, start = [], threading.Barrier(len(jobs))

    def run(job):
        try:
            start.wait(10)
            job()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return raised
