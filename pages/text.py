"""Text: models that write."""

from components import playground, shell

shell.enter()
playground.show("text")
