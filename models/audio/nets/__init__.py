"""Architectures of audio models in Hugging Face layout. Importing one imports torch."""
