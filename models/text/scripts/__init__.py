"""Scripts that make a text again with public libraries alone, one file per kind of family. No torch."""
