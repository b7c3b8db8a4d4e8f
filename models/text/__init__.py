"""The text room: what language models need to write, and what a page asks of what they wrote."""
