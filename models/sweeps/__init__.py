"""Sweeps: a request at many values of its settings, as one experiment."""
