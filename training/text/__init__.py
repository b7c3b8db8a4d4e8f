"""One script per text model, and the data, marks and cards that they share."""
