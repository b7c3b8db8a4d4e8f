"""The options of a short run, as a script's command line gives them."""

import argparse


def options(work, minutes=0.02, **more):
    """Return a namespace for `train`: CPU, seed 0, checkpoints in `work`, from scratch."""
    found = {"work": work, "device": "cpu", "seed": 0, "minutes": minutes, "from_shipped": False, "shipped": work}
    return argparse.Namespace(**{**found, **more})
