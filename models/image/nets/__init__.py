"""Architectures of image models in Hugging Face layout. Importing one imports torch."""
