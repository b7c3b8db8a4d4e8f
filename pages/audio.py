"""Audio: models that make and hear sound."""

from components import playground, shell

shell.enter()
playground.show("audio")
