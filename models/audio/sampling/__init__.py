"""What happens while a sound is made or heard: spectrograms, voices, music, transcribing."""
