"""Families that write text; one file each, see `models.family`."""
