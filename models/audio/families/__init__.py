"""Families that make or hear sound; one file each, see `models.family`."""
