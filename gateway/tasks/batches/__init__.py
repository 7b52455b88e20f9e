"""Batches: many calls in a file, made in a day's time and answered in another file."""
