"""What happens between two tokens or two denoising steps: samplers, stopping and streaming of our own."""
