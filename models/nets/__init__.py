"""Architectures of our own, in diffusers' layout: config.json beside fp16 safetensors. Importing them imports torch."""
