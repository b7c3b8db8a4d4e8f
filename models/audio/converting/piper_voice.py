"""Piper's voices: a VITS of one speaker in an ONNX file, its letters of sound in a JSON file beside it.

The graph is read as data: its tensors go to the places that they have in `VitsModel`, and nothing of it is run. Sizes,
strides and dilations are read from the tensors and nodes too. Where the vocoder's blocks have one convolution a step
(Piper's low and medium voices) and VITS has two, the second is made the identity: its input is lifted by `LIFT` so that
the activation between them lets everything through, and lowered by as much again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LIFT = 200.0  # far above what goes through a block, small enough that float32 loses nothing that can be heard
EPS = 1e-5
_INFERRED = ("posterior_encoder", "duration_predictor.post", "duration_predictor.flows.1.")  # VITS trains by these


class _Graph:
    """Hold an ONNX graph's tensors by name and its nodes by name."""

    def __init__(self, file: Path) -> None:
        import onnx
        import torch
        from onnx import numpy_helper

        graph = onnx.load(str(file), load_external_data=False).graph
        self.tensors = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
        self.nodes = {node.name: node for node in graph.node}

    def numbers(self, node: str, attribute: str) -> list[int]:
        """Return a node's attribute of whole numbers."""
        [found] = [one for one in self.nodes[node].attribute if one.name == attribute]
        return list(found.ints)

    def weight(self, name: str, node: str) -> Any:
        """Return a tensor by its name, or where export gave it another one, the second input of a node."""
        return self.tensors[name if name in self.tensors else self.nodes[node].input[1]]

    def count(self, pattern: str) -> int:
        """Return how many names there are of a pattern with a number from 0 in place of `{}`."""
        number = 0
        while pattern.format(number) in self.tensors:
            number += 1
        return number


def convert(files: Mapping[str, Path], made: Path) -> None:
    """Write the voice of one `.onnx` and one `.json` in `files` into `made` as `VitsModel` with its tokenizer.

    Raises `ValueError` for several speakers, and for another net or other letters than a Piper voice has.
    """
    import torch
    from transformers import VitsConfig, VitsModel

    [net] = [file for name, file in files.items() if name.endswith(".onnx")]
    [told] = [file for name, file in files.items() if name.endswith(".json")]
    facts = json.loads(told.read_text("utf-8"))
    if facts.get("num_speakers", 1) != 1:
        raise ValueError(f"the voice has {facts['num_speakers']} speakers; one is allowed")
    graph = _Graph(net)
    try:
        config = VitsConfig(**_sizes(graph), **_settings(facts))
        weights = dict(_weights(graph, config))
    except KeyError as error:
        raise ValueError(f"the net has no {error.args[0]}, which a Piper voice has") from error
    config.espeak_voice = facts["espeak"]["voice"]
    model = VitsModel(config)
    for name, one in model.state_dict().items():
        if name.startswith(_INFERRED):
            weights[name] = torch.zeros_like(one)
    found = model.load_state_dict(weights, strict=False)
    if found.missing_keys or found.unexpected_keys:
        raise ValueError(f"the net does not fit VITS at {[*found.missing_keys, *found.unexpected_keys][0]}")
    model.save_pretrained(made)
    _save_letters(facts["phoneme_id_map"], made)


def _sizes(graph: _Graph) -> dict[str, Any]:
    tensors, layers = graph.tensors, graph.count("enc_p.encoder.attn_layers.{}.conv_q.weight")
    letters, width = tensors["sid" if "sid" in tensors else "enc_p.emb.weight"].shape
    _, relative, per_head = tensors["enc_p.encoder.attn_layers.0.emb_rel_k"].shape
    inner, _, kernel = tensors["enc_p.encoder.ffn_layers.0.conv_1.weight"].shape
    ups = graph.count("dec.ups.{}.weight")
    blocks = graph.count("dec.resblocks.{}." + _convs(graph)[0] + ".0.weight") // ups
    steps = graph.count("dec.resblocks.0." + _convs(graph)[0] + ".{}.weight")
    return {
        "vocab_size": letters, "hidden_size": width, "flow_size": tensors["enc_p.proj.bias"].shape[0] // 2,
        "num_hidden_layers": layers, "num_attention_heads": width // per_head, "window_size": relative // 2,
        "ffn_dim": inner, "ffn_kernel_size": kernel, "num_speakers": 1, "layer_norm_eps": EPS,
        "use_stochastic_duration_prediction": True,
        "upsample_initial_channel": tensors["dec.conv_pre.bias"].shape[0],
        "upsample_rates": [graph.numbers(f"/dec/ups.{at}/ConvTranspose", "strides")[0] for at in range(ups)],
        "upsample_kernel_sizes": [tensors[f"dec.ups.{at}.weight"].shape[2] for at in range(ups)],
        "resblock_kernel_sizes": [
            tensors[f"dec.resblocks.{at}.{_convs(graph)[0]}.0.weight"].shape[2] for at in range(blocks)
        ],
        "resblock_dilation_sizes": [
            [graph.numbers(f"/dec/resblocks.{at}/{_convs(graph)[0]}.{step}/Conv", "dilations")[0]
             for step in range(steps)] for at in range(blocks)
        ],
    }  # fmt: skip


def _settings(facts: Mapping[str, Any]) -> dict[str, Any]:
    said = facts.get("inference", {})
    return {
        "sampling_rate": int(facts["audio"]["sample_rate"]), "noise_scale": float(said.get("noise_scale", 0.667)),
        "noise_scale_duration": float(said.get("noise_w", 0.8)), "speaking_rate": 1.0,
    }  # fmt: skip


def _convs(graph: _Graph) -> tuple[str, ...]:
    """Return the names of a block's rows of convolutions: one, or two as VITS has them."""
    return ("convs1", "convs2") if "dec.resblocks.0.convs1.0.weight" in graph.tensors else ("convs",)


def _weights(graph: _Graph, config: Any) -> Iterator[tuple[str, Any]]:
    """Yield what `VitsModel` speaks with: names and tensors."""
    tensors = graph.tensors
    yield "text_encoder.embed_tokens.weight", tensors["sid" if "sid" in tensors else "enc_p.emb.weight"]
    for at in range(config.num_hidden_layers):
        new, old = f"text_encoder.encoder.layers.{at}.", "enc_p.encoder."
        for letter in "qkvo":
            name = "out_proj" if letter == "o" else f"{letter}_proj"
            [(_, weight), (_, bias)] = _both(graph, "", f"{old}attn_layers.{at}.conv_{letter}")
            yield f"{new}attention.{name}.weight", weight.squeeze(-1)
            yield f"{new}attention.{name}.bias", bias
        for name in ("emb_rel_k", "emb_rel_v"):
            yield f"{new}attention.{name}", tensors[f"{old}attn_layers.{at}.{name}"]
        yield from _norm(graph, f"{new}layer_norm", f"{old}norm_layers_1.{at}")
        yield from _norm(graph, f"{new}final_layer_norm", f"{old}norm_layers_2.{at}")
        for name in ("conv_1", "conv_2"):
            yield from _both(graph, f"{new}feed_forward.{name}", f"{old}ffn_layers.{at}.{name}")
    yield from _both(graph, "text_encoder.project", "enc_p.proj")
    for at in range(config.prior_encoder_num_flows):
        yield from _coupling(
            graph, f"flow.flows.{at}.", f"flow.flows.{2 * at}", config.prior_encoder_num_wavenet_layers
        )
    yield from _durations(graph, config)
    yield from _vocoder(graph, config)


def _both(graph: _Graph, new: str, old: str) -> Iterator[tuple[str, Any]]:
    for name in ("weight", "bias"):
        yield f"{new}.{name}", graph.tensors[f"{old}.{name}"]


def _norm(graph: _Graph, new: str, old: str) -> Iterator[tuple[str, Any]]:
    yield f"{new}.weight", graph.tensors[f"{old}.gamma"]
    yield f"{new}.bias", graph.tensors[f"{old}.beta"]


def _coupling(graph: _Graph, new: str, old: str, layers: int) -> Iterator[tuple[str, Any]]:
    """Yield one layer of the flow; its weight-normed convolutions as size and direction."""
    yield from _both(graph, f"{new}conv_pre", f"{old}.pre")
    yield from _both(graph, f"{new}conv_post", f"{old}.post")
    for kind in ("in_layers", "res_skip_layers"):
        for at in range(layers):
            part = f"enc.{kind}.{at}"
            node = f"/{old.replace('.', '/', 1)}/{part.replace('.', '/', 1)}/Conv"
            weight = graph.weight(f"{old}.{part}.weight", node)
            place = f"{new}wavenet.{kind}.{at}."
            yield f"{place}bias", graph.tensors[f"{old}.{part}.bias"]
            yield f"{place}parametrizations.weight.original0", weight.flatten(1).norm(dim=1).view(-1, 1, 1)
            yield f"{place}parametrizations.weight.original1", weight


def _durations(graph: _Graph, config: Any) -> Iterator[tuple[str, Any]]:
    """Yield what draws how long each sound lasts."""
    new, old = "duration_predictor.", "dp."
    yield from _both(graph, f"{new}conv_pre", f"{old}pre")
    yield from _both(graph, f"{new}conv_proj", f"{old}proj")
    yield from _separable(graph, f"{new}conv_dds.", f"{old}convs.", config.depth_separable_num_layers)
    yield f"{new}flows.0.translate", graph.tensors[f"{old}flows.0.m"]
    # the export has worked exp(-scale) out
    yield f"{new}flows.0.log_scale", -graph.tensors["/dp/flows.0/Exp_output_0"].log()
    # the first of the flows only trains; between two of them the halves change places
    for at in range(2, config.duration_predictor_num_flows + 1):
        its = f"{old}flows.{2 * at - 1}."
        yield from _both(graph, f"{new}flows.{at}.conv_pre", f"{its}pre")
        yield from _both(graph, f"{new}flows.{at}.conv_proj", f"{its}proj")
        yield from _separable(graph, f"{new}flows.{at}.conv_dds.", f"{its}convs.", config.depth_separable_num_layers)


def _separable(graph: _Graph, new: str, old: str, layers: int) -> Iterator[tuple[str, Any]]:
    for at in range(layers):
        yield from _both(graph, f"{new}convs_dilated.{at}", f"{old}convs_sep.{at}")
        yield from _both(graph, f"{new}convs_pointwise.{at}", f"{old}convs_1x1.{at}")
        yield from _norm(graph, f"{new}norms_1.{at}", f"{old}norms_1.{at}")
        yield from _norm(graph, f"{new}norms_2.{at}", f"{old}norms_2.{at}")


def _vocoder(graph: _Graph, config: Any) -> Iterator[tuple[str, Any]]:
    import torch

    yield from _both(graph, "decoder.conv_pre", "dec.conv_pre")
    yield "decoder.conv_post.weight", graph.tensors["dec.conv_post.weight"]
    for at in range(len(config.upsample_rates)):
        yield from _both(graph, f"decoder.upsampler.{at}", f"dec.ups.{at}")
    rows = _convs(graph)
    for block in range(len(config.upsample_rates) * len(config.resblock_kernel_sizes)):
        for step in range(len(config.resblock_dilation_sizes[0])):
            for row in rows if len(rows) == 2 else ():
                yield from _both(
                    graph, f"decoder.resblocks.{block}.{row}.{step}", f"dec.resblocks.{block}.{row}.{step}"
                )
            if len(rows) == 2:
                continue
            [(_, weight), (_, bias)] = _both(graph, "", f"dec.resblocks.{block}.convs.{step}")
            channels, _, width = weight.shape
            same = torch.zeros(channels, channels, width)
            same[range(channels), range(channels), width // 2] = 1
            place = f"decoder.resblocks.{block}."
            yield f"{place}convs1.{step}.weight", weight
            yield f"{place}convs1.{step}.bias", bias + LIFT
            yield f"{place}convs2.{step}.weight", same
            yield f"{place}convs2.{step}.bias", torch.full((channels,), -LIFT)


def _save_letters(ids: Mapping[str, list[int]], made: Path) -> None:
    """Write the tokenizer: each letter of sound is one token, and the first of its ids counts."""
    from transformers import VitsTokenizer

    vocabulary = made / "vocab.json"
    vocabulary.write_text(json.dumps({letter: found[0] for letter, found in ids.items()}, ensure_ascii=False), "utf-8")
    VitsTokenizer(
        str(vocabulary), add_blank=True, normalize=False, phonemize=False, is_uroman=False, language=None,
        **{"pad_token": "_", "unk_token": " "},
    ).save_pretrained(made)  # fmt: skip
