"""Formats of identifiers: what a value looks like, which digits check it, which words stand beside it."""

from redan.kernels.personal.formats.format import Format
from redan.kernels.personal.formats.registry import FORMATS, PERSONS, titles

__all__ = ["FORMATS", "PERSONS", "Format", "titles"]
