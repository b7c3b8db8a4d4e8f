"""Architectures of our own in Hugging Face layout: config.json beside fp16 safetensors. Importing them imports torch.

Importing this package registers those of transformers' kind with its Auto classes.
"""

from models.torchaudio_guard import guard

guard()

from models.nets import lstm, speech_ctc  # noqa: E402

__all__ = ["lstm", "speech_ctc"]
