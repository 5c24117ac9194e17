"""How groups of people fare under a model: counts, rates, their differences, intervals and tests."""
