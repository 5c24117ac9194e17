"""The domain: one folder a threat, and no threat imports another.

A technique that serves two threats has its mathematics in `redan.kernels` and its meaning (which numbers, how bad,
what helps) in each threat.
"""
