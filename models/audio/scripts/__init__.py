"""Scripts that make a sound, or hear one, again with public libraries alone. No torch."""
