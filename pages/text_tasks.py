"""Text tasks: models that translate texts and put labels to them."""

from components import playground, shell

shell.enter()
playground.show("text", "text_tasks")
