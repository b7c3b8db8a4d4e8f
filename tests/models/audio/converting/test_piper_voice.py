"""A Piper voice from its ONNX file, made in code of a tiny random VITS: the same net comes back."""

import json

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn.functional import leaky_relu
from transformers import AutoTokenizer, VitsConfig, VitsModel

from models.audio.converting import piper_voice

LETTERS = {"_": [0], "^": [1], "$": [2], " ": [3], "a": [4], "ə": [5]}
FACTS = {"audio": {"sample_rate": 8000}, "espeak": {"voice": "en-us"}, "phoneme_id_map": LETTERS,
         "inference": {"noise_scale": 0.5, "noise_w": 0.7}, "num_speakers": 1}  # fmt: skip


def voice():
    torch.manual_seed(0)
    config = VitsConfig(
        vocab_size=6, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=24, flow_size=16,
        upsample_initial_channel=16, upsample_rates=[4, 2], upsample_kernel_sizes=[8, 4], resblock_kernel_sizes=[3, 5],
        resblock_dilation_sizes=[[1, 3], [2, 4]], sampling_rate=8000, num_speakers=1,
    )  # fmt: skip
    return VitsModel(config).eval()


def graph(net, two=True):
    """Return the ONNX file of a net as Piper exports it; its vocoder's steps with one convolution or two."""
    state, tensors, nodes = {name: one.detach() for name, one in net.state_dict().items()}, {}, []

    def both(old, new):
        for name in ("weight", "bias"):
            tensors[f"{old}.{name}"] = state[f"{new}.{name}"]

    def norm(old, new):
        tensors[f"{old}.gamma"], tensors[f"{old}.beta"] = state[f"{new}.weight"], state[f"{new}.bias"]

    def separable(old, new):
        for at in range(3):
            both(f"{old}.convs_sep.{at}", f"{new}.convs_dilated.{at}")
            both(f"{old}.convs_1x1.{at}", f"{new}.convs_pointwise.{at}")
            for name in ("norms_1", "norms_2"):
                norm(f"{old}.{name}.{at}", f"{new}.{name}.{at}")

    tensors["sid"] = state["text_encoder.embed_tokens.weight"]
    for at in range(2):
        new, old = f"text_encoder.encoder.layers.{at}", "enc_p.encoder"
        for letter, name in zip("qkvo", ("q_proj", "k_proj", "v_proj", "out_proj"), strict=True):
            tensors[f"{old}.attn_layers.{at}.conv_{letter}.weight"] = state[f"{new}.attention.{name}.weight"][..., None]
            tensors[f"{old}.attn_layers.{at}.conv_{letter}.bias"] = state[f"{new}.attention.{name}.bias"]
        for name in ("emb_rel_k", "emb_rel_v"):
            tensors[f"{old}.attn_layers.{at}.{name}"] = state[f"{new}.attention.{name}"]
        norm(f"{old}.norm_layers_1.{at}", f"{new}.layer_norm")
        norm(f"{old}.norm_layers_2.{at}", f"{new}.final_layer_norm")
        for name in ("conv_1", "conv_2"):
            both(f"{old}.ffn_layers.{at}.{name}", f"{new}.feed_forward.{name}")
    both("enc_p.proj", "text_encoder.project")
    for at in range(4):
        new, old = f"flow.flows.{at}", f"flow.flows.{2 * at}"
        both(f"{old}.pre", f"{new}.conv_pre")
        both(f"{old}.post", f"{new}.conv_post")
        for kind in ("in_layers", "res_skip_layers"):
            for layer in range(4):
                its = dict(net.named_modules())[f"{new}.wavenet.{kind}.{layer}"]
                tensors[f"onnx::Conv_{len(tensors)}"] = its.weight.detach()  # what export makes of a normed weight
                nodes.append(helper.make_node(
                    "Conv", ["x", f"onnx::Conv_{len(tensors) - 1}"], ["y"],
                    f"/flow/flows.{2 * at}/enc/{kind}.{layer}/Conv",
                ))  # fmt: skip
                tensors[f"{old}.enc.{kind}.{layer}.bias"] = its.bias.detach()
    both("dp.pre", "duration_predictor.conv_pre")
    both("dp.proj", "duration_predictor.conv_proj")
    separable("dp.convs", "duration_predictor.conv_dds")
    tensors["dp.flows.0.m"] = state["duration_predictor.flows.0.translate"]
    tensors["/dp/flows.0/Exp_output_0"] = torch.exp(-state["duration_predictor.flows.0.log_scale"])
    for at, old in ((2, 3), (3, 5), (4, 7)):
        both(f"dp.flows.{old}.pre", f"duration_predictor.flows.{at}.conv_pre")
        both(f"dp.flows.{old}.proj", f"duration_predictor.flows.{at}.conv_proj")
        separable(f"dp.flows.{old}.convs", f"duration_predictor.flows.{at}.conv_dds")
    both("dec.conv_pre", "decoder.conv_pre")
    tensors["dec.conv_post.weight"] = state["decoder.conv_post.weight"]
    for at, stride in enumerate((4, 2)):
        both(f"dec.ups.{at}", f"decoder.upsampler.{at}")
        nodes.append(helper.make_node("ConvTranspose", ["x"], ["y"], f"/dec/ups.{at}/ConvTranspose", strides=[stride]))
    for block in range(4):
        for step, dilation in enumerate(([1, 3], [2, 4])[block % 2]):
            for name, its in (("convs1", "convs1"), ("convs2", "convs2")) if two else (("convs", "convs1"),):
                both(f"dec.resblocks.{block}.{name}.{step}", f"decoder.resblocks.{block}.{its}.{step}")
                nodes.append(helper.make_node(
                    "Conv", ["x"], ["y"], f"/dec/resblocks.{block}/{name}.{step}/Conv", dilations=[dilation]
                ))  # fmt: skip
    held = [numpy_helper.from_array(one.numpy(), name) for name, one in tensors.items()]
    end = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    return helper.make_model(helper.make_graph(nodes, "voice", [], [end], held)).SerializeToString()


def converted(folder, data, facts=FACTS):
    (folder / "one.onnx").write_bytes(data)
    (folder / "two.json").write_text(json.dumps(facts))
    made = folder / "made"
    made.mkdir()
    piper_voice.convert({"a/b.onnx": folder / "one.onnx", "a/b.onnx.json": folder / "two.json"}, made)
    return VitsModel.from_pretrained(made).eval(), made


def test_a_voice_comes_back_with_its_sizes_settings_and_letters(tmp_path):
    net = voice()
    same, made = converted(tmp_path, graph(net))
    for one in (net, same):
        one.noise_scale = one.noise_scale_duration = 0.0
    ids = torch.tensor([[1, 0, 4, 0, 5, 0, 2]])
    with torch.inference_mode():
        assert torch.allclose(net(ids).waveform, same(ids).waveform, atol=1e-5)
    assert (same.config.espeak_voice, same.config.sampling_rate) == ("en-us", 8000)
    assert (same.config.noise_scale, same.config.noise_scale_duration) == (0.5, 0.7)
    assert AutoTokenizer.from_pretrained(made).get_vocab() == {letter: ids[0] for letter, ids in LETTERS.items()}


def test_a_step_of_one_convolution_is_one_of_two_whose_second_does_nothing(tmp_path):
    net = voice()
    same, _ = converted(tmp_path, graph(net, two=False))
    x = torch.randn(1, 8, 20)
    theirs = net.decoder.resblocks[0]
    with torch.inference_mode():
        wanted = x
        for conv in theirs.convs1:
            wanted = wanted + conv(leaky_relu(wanted, theirs.leaky_relu_slope))
        assert torch.allclose(same.decoder.resblocks[0](x), wanted, atol=1e-4)


@pytest.mark.parametrize("wrong", ["speakers", "net", "missing"])
def test_what_is_no_piper_voice_is_refused_in_words(tmp_path, wrong):
    data, facts = graph(voice()), FACTS
    if wrong == "speakers":
        facts = {**FACTS, "num_speakers": 4}
    else:
        model = onnx.load_from_string(data)
        gone = {"net": "sid", "missing": "dp.flows.3.pre.bias"}[wrong]
        [place] = [at for at, one in enumerate(model.graph.initializer) if one.name == gone]
        del model.graph.initializer[place]
        data = model.SerializeToString()
    with pytest.raises(ValueError, match={"speakers": "4 speakers"}.get(wrong, "which a Piper voice has")):
        converted(tmp_path, data, facts)
    assert not list((tmp_path / "made").iterdir())
