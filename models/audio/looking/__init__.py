"""What reads a finished sound: its measures, and the views that are drawn of it."""
