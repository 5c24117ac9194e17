"""Personal data in outputs and data files: formats with checksums, and columns whose heads name people."""

from redan.kernels.personal.engine import find, told_of
from redan.kernels.personal.record import Personal, masked

__all__ = ["Personal", "find", "masked", "told_of"]
