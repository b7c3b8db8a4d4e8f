"""What feedback's last step does: the shipped adapter lies part of the way from the supervised one to the tuned one."""

import torch
from safetensors.torch import load_file, save_file

from models.torchaudio_guard import guard

guard()

from training.text import story_pref  # noqa: E402

NAME = "adapter_model.safetensors"


def test_what_ships_lies_part_of_the_way(tmp_path):
    first, last = torch.tensor([0.0, 4.0]), torch.tensor([1.0, -4.0])
    for name, value in (("chat", first), ("pref", last)):
        (tmp_path / name).mkdir()
        save_file({"lora": value.half()}, tmp_path / name / NAME)
    story_pref.go_part_of_the_way(tmp_path / "chat", tmp_path / "pref", 0.75)
    found = load_file(tmp_path / "pref" / NAME)["lora"]
    assert found.dtype == torch.float16
    assert found.tolist() == [0.75, -2.0]
    assert load_file(tmp_path / "chat" / NAME)["lora"].tolist() == [0.0, 4.0]  # where it began stays
