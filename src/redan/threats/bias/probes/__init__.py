"""Measures of how differently groups of people fare, one question a file."""
