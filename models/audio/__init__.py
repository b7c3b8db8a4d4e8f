"""The audio room: what models that speak, sing or listen need, and what a page asks of their sounds."""
