"""Runs: what was made before, found again."""

from components import library_page, shell

shell.enter()
library_page.show()
