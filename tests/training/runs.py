"""The options of a short run, as a script's command line gives them."""

import argparse


def options(work, minutes=0.02, **more):
    """Return a namespace for `train`: CPU, seed 0, checkpoints in `work`, from scratch."""
    found = {"work": work, "device": "cpu", "seed": 0, "minutes": minutes, "from_shipped": False, "shipped": work}
    return argparse.Namespace(**{**found, **more})


class Ticking:
    """Stand in for `loop.time`: 0.6 seconds pass at each look, however busy the machine is."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        self.now += 0.6
        return self.now
