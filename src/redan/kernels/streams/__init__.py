"""Streams of queries: how strange a client's inputs are, and how many of them are small changes of earlier ones."""
