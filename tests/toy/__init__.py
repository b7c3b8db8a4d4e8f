"""A modality from outside: a family, a model and a room of dances, which a test copies to a folder of its own."""
