"""One script per audio model, and the data, marks and cards that they share."""
