"""Settings in a picture of ComfyUI: a graph of nodes, of which the one that samples is found and followed back.

The graph is ComfyUI's API format: id to `{"class_type", "inputs"}`, an input being a value or a link
`[id, output]`. The editor's own format (`workflow`) is turned into it as far as it tells its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models.image.foreign import Gathered, read_json
from models.stamps import Recovered

_DEPTH_MAX = 60  # nodes between a sampler and its prompt: a ring of links ends
_NODES_MAX = 5000
_EMPTY = "Empty"  # begins the name of every node that makes a latent out of nothing
_MASKS = ("VAEEncodeForInpaint", "SetLatentNoiseMask", "InpaintModelConditioning")
_TEXTS = ("text", "text_g", "text_l", "clip_l", "t5xxl", "prompt", "string", "value")
_KINDS = {"sampler_name": "sampler", "scheduler": "schedule", "steps": "steps", "cfg": "guidance",
          "seed": "seed", "noise_seed": "seed"}  # fmt: skip
_PASSED = ("denoise", "model", "positive", "negative", "latent_image", "noise", "guider", "sampler", "sigmas",
           "add_noise", "return_with_leftover_noise", "start_at_step", "end_at_step", "conditioning",
           "optional_vae")  # fmt: skip
# nodes that say nothing that would have to be named: they decode, load, save, or are followed
_PLAIN = ("VAEDecode", "VAEDecodeTiled", "VAELoader", "SaveImage", "PreviewImage", "CLIPTextEncode", "CLIPLoader",
          "DualCLIPLoader", "VAEEncode", "LoadImage", "LoadImageMask", "Note", "PrimitiveNode", "Reroute",
          "SaveAnimatedWEBP", "KSamplerSelect", "BasicScheduler", "RandomNoise", "CFGGuider", "BasicGuider",
          "ConditioningZeroOut", "CLIPTextEncodeSDXL", "CLIPTextEncodeFlux", *_MASKS)  # fmt: skip
# the order of a node's own values in the editor's format
_WIDGETS = {
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("add_noise", "noise_seed", "", "steps", "cfg", "sampler_name", "scheduler", "start_at_step",
                         "end_at_step"),
    "CLIPTextEncode": ("text",), "EmptyLatentImage": ("width", "height", "batch_size"),
    "EmptySD3LatentImage": ("width", "height", "batch_size"), "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",), "KSamplerSelect": ("sampler_name",),
    "BasicScheduler": ("scheduler", "steps", "denoise"), "RandomNoise": ("noise_seed",), "CFGGuider": ("cfg",),
    "FluxGuidance": ("guidance",), "LoraLoader": ("lora_name",),
}  # fmt: skip


def parse(prompt: str, workflow: str) -> Recovered | None:
    """Return the settings in ComfyUI's two texts, None where neither is a graph of its nodes."""
    graph = _nodes(read_json(prompt))
    if not graph:
        graph = _from_editor(read_json(workflow))
    if not graph:
        return None
    return _Graph(graph).read()


def _nodes(found: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(found, dict):
        return {}
    return {
        str(name): node for name, node in list(found.items())[:_NODES_MAX]
        if isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)
    }  # fmt: skip


def _from_editor(found: Any) -> dict[str, dict[str, Any]]:
    """Turn the editor's format into the other one: links by number, values by their place."""
    if not isinstance(found, dict) or not isinstance(found.get("nodes"), list):
        return {}
    links = {
        link[0]: [str(link[1]), link[2]]
        for link in found.get("links") or []
        if isinstance(link, list) and len(link) > 4 and isinstance(link[0], int)
    }
    graph: dict[str, dict[str, Any]] = {}
    for node in found["nodes"][:_NODES_MAX]:
        if not isinstance(node, dict) or not isinstance(node.get("type"), str):
            continue
        values = node.get("widgets_values")
        own = values if isinstance(values, list) else []
        inputs = {name: value for name, value in zip(_WIDGETS.get(node["type"], ()), own, strict=False) if name}
        for item in node.get("inputs") or []:
            if isinstance(item, dict) and item.get("link") in links:
                inputs[str(item.get("name"))] = links[item["link"]]
        graph[str(node.get("id"))] = {"class_type": node["type"], "inputs": inputs}
    return graph


class _Graph:
    def __init__(self, nodes: Mapping[str, dict[str, Any]]) -> None:
        self.nodes = nodes
        self.found = Gathered("ComfyUI")
        self.used: set[str] = set()

    def read(self) -> Recovered:
        sampler = self._sampler()
        if sampler is not None:
            self._read_sampler(sampler)
        else:
            self._read_text_alone()
        for name, node in self.nodes.items():
            kind = node["class_type"]
            if name not in self.used and kind not in _PLAIN:
                own = {key: value for key, value in node["inputs"].items() if not self._link(value)}
                self.found.name(kind, ", ".join(f"{key} {value}" for key, value in own.items()) or "a node")
        return self.found.recovered()

    def _sampler(self) -> str | None:
        """Return the node that samples: the first pass, which starts from nothing, where there are several."""
        every = [
            name for name, node in self.nodes.items()
            if "Sampler" in node["class_type"] and ("positive" in node["inputs"] or "guider" in node["inputs"])
        ]  # fmt: skip
        return min(every, key=lambda name: (not self._from_nothing(name), every.index(name)), default=None)

    def _from_nothing(self, name: str) -> bool:
        latent = self._node(self.nodes[name]["inputs"].get("latent_image"))
        return latent is not None and latent["class_type"].startswith(_EMPTY)

    def _read_sampler(self, name: str) -> None:
        parts = [self.nodes[name]]
        self.used.add(name)
        for link in ("noise", "guider", "sampler", "sigmas"):
            if part := self._node(self.nodes[name]["inputs"].get(link)):
                parts.append(part)
        merged: dict[str, Any] = {}
        for part in parts:
            merged |= part["inputs"]
        for key, value in merged.items():
            if key in _KINDS:
                self.found.take(_KINDS[key], key, self._value(value))
            elif key not in _PASSED and not self._link(value):
                self.found.name(key, value)
        positive = merged.get("positive", merged.get("conditioning"))
        self.found.take("prompt", "text", self._text(positive))
        self.found.take("negative", "text", self._text(merged.get("negative")))
        self._read_latent(merged.get("latent_image"), self._value(merged.get("denoise", 1.0)))
        for kind, key in (("CheckpointLoaderSimple", "ckpt_name"), ("UNETLoader", "unet_name")):
            for other, node in self.nodes.items():
                if node["class_type"] == kind and not self.found.made_with:
                    self.found.take("model", key, self._value(node["inputs"].get(key)))
                    self.used.add(other)

    def _read_latent(self, link: Any, denoise: Any) -> None:
        """Read what the sampling starts from: an empty latent's size, or a picture."""
        seen = list(self._upstream(link))
        start = next((node for node in seen if node["class_type"].startswith(_EMPTY)), None)
        if start is not None:
            for side in ("width", "height"):
                self.found.take(side, side, self._value(start["inputs"].get(side)))
            batch = self._value(start["inputs"].get("batch_size", 1))
            for name, value in (("batch_size", batch), ("denoise", denoise)):
                if value != 1:
                    self.found.name(name, value)
        elif seen:
            masked = any(node["class_type"] in _MASKS for node in seen)
            self.found.take("inpaint strength" if masked else "strength", "denoise", denoise)

    def _read_text_alone(self) -> None:
        """Take the longest text of a graph whose sampler is of a kind that is not known."""
        texts = [
            str(text) for node in self.nodes.values() if node["class_type"].startswith("CLIPTextEncode")
            if isinstance(text := node["inputs"].get("text"), str)
        ]  # fmt: skip
        if texts:
            self.found.take("prompt", "text", max(texts, key=len))

    def _text(self, link: Any) -> str | None:
        """Return the text that a conditioning comes from, through whatever lies between."""
        for node in self._upstream(link):
            if node["class_type"] == "ConditioningZeroOut":
                return None
            if "guidance" in node["inputs"] and not self._link(node["inputs"]["guidance"]):
                self.found.name("guidance", node["inputs"]["guidance"])
            for key in _TEXTS:
                value = self._value(node["inputs"].get(key))
                if isinstance(value, str):
                    return value
        return None

    def _upstream(self, link: Any) -> Iterator[dict[str, Any]]:
        """Yield the nodes from which a link comes, nearest first, each once."""
        waiting: list[Any] = [link]
        seen: set[str] = set()
        while waiting and len(seen) < _DEPTH_MAX:
            name = self._link(waiting.pop(0))
            if not name or name in seen:
                continue
            seen.add(name)
            self.used.add(name)
            node = self.nodes[name]
            yield node
            order = ("conditioning", "conditioning_1", "conditioning_to", "positive", "samples", "latent", "pixels")
            links = [
                key
                for key, value in node["inputs"].items()
                if self._link(value) and key not in ("clip", "vae", "model")
            ]
            links.sort(key=lambda key: order.index(key) if key in order else len(order))
            waiting += [node["inputs"][key] for key in links]

    def _node(self, link: Any) -> dict[str, Any] | None:
        name = self._link(link)
        if not name:
            return None
        self.used.add(name)
        return self.nodes[name]

    def _link(self, value: Any) -> str:
        """Return the id of the node to which a value links, "" for a value of its own."""
        if isinstance(value, list) and len(value) == 2 and str(value[0]) in self.nodes:
            return str(value[0])
        return ""

    def _value(self, value: Any) -> Any:
        """Return a value, through nodes that hold nothing else."""
        for _ in range(_DEPTH_MAX):
            node = self._node(value)
            if node is None:
                break
            own = [one for key, one in node["inputs"].items() if key in (*_TEXTS, "seed", "int", "float", "Value")]
            value = own[0] if own else None
        return value
