"""What happens between two tokens: the stages of sampling, stopping, and what is recorded."""
