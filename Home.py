"""Entry point. Start it with `make run`."""

from components import shell

shell.run()
