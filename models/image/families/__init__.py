"""Families that draw images; one file each, see `models.family`."""
