"""Image: models that draw."""

from components import playground, shell

shell.enter()
playground.show("image")
