"""What happens between two denoising steps of an image: pipelines, previews, seeds."""
