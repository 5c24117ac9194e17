"""Facts about Python code, read from its syntax tree: resolved names, constants, calls, and what flows into them."""

from redan.kernels.code.calls import Call
from redan.kernels.code.folder import Folder, read_folder
from redan.kernels.code.match import Match
from redan.kernels.code.module import Module
from redan.kernels.code.source import Source, from_notebook, from_python

__all__ = ["Call", "Folder", "Match", "Module", "Source", "from_notebook", "from_python", "read_folder"]
