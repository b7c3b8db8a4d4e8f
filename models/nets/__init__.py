"""Architectures of our own in Hugging Face layout: config.json beside fp16 safetensors. Importing one imports torch.

Importing the module of a net of transformers' kind registers it with the Auto classes.
"""

from models.torchaudio_guard import guard

guard()  # before any net imports transformers or diffusers
