"""Secrets in texts: provider formats, keys, addresses with passwords, and random values beside telling names."""

from redan.kernels.secrets.engine import find
from redan.kernels.secrets.record import Secret, masked

__all__ = ["Secret", "find", "masked"]
