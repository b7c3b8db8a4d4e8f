"""Scripts that make an image again with public libraries alone, one file per kind of family. No torch."""
