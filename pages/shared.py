"""Shared: what somebody shows by a link."""

from components import shared_page, shell

shell.enter()
shared_page.show()
