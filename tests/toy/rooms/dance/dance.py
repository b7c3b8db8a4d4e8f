"""Dance: models that dance."""

from components import playground, shell

shell.enter()
playground.show("dance")
