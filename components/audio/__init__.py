"""The room of sounds: players, scores and spectrograms, recordings taken in, speech and its sentences."""
