"""One file per family of models; see `models.family`."""
