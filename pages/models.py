"""Models: what there is, what is here, what it takes."""

from components import models_page, shell

shell.enter()
models_page.show()
