"""Architectures of text models in Hugging Face layout. Importing one imports torch."""
