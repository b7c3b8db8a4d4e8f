"""What reads a finished text: its probabilities, attention, layers and states."""
