"""Converters: functions that make Hugging Face layout of what a wheel holds, run in a child process."""
