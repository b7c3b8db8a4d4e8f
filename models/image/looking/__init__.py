"""What reads how an image was made: its steps, and the words that shaped it."""
