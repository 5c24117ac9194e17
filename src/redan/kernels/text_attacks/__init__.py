"""Attacks on classifiers of text: edits of characters and words, and the search for the few that count."""
