"""Home: what this is, and a first run with one click."""

from components import home

home.show()
