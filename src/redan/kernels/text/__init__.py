"""Text files: told from binary ones, decoded, and read within a limit."""

from redan.kernels.text.reading import MOST_BYTES, Text, decode, read_text

__all__ = ["MOST_BYTES", "Text", "decode", "read_text"]
