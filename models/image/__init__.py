"""The image room: what models that draw need, and what a page asks of what they drew."""
