"""Text: models that write."""

from components import playground

playground.show("text", "Text")
