"""Home: what this is, and a first run with one click."""

from components import home, shell

shell.enter()
home.show()
