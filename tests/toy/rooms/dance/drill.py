"""Drill: models that march to orders, on a page of their own."""

from pathlib import Path

from components import playground, shell

shell.enter()
playground.show("dance", Path(__file__).stem)
