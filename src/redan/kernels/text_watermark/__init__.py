"""Marks in generated text that only the holder of a key can read."""
