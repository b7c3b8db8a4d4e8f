"""Drawn things that two rooms share. They know no modality."""
