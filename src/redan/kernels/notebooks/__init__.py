"""Jupyter notebooks, formats 3 and 4: every text in them, with an address that a person finds."""

from redan.kernels.notebooks.reading import Cell, Notebook, Part, parse, read_notebook

__all__ = ["Cell", "Notebook", "Part", "parse", "read_notebook"]
