"""One script per image model, and the data, marks and cards that they share."""
