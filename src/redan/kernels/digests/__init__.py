"""Digests of files and folders: several threads, bounded memory, no two answers for one folder. Standard library only.

``tree`` is the one way to digest a folder, ``file`` a single file; scans, manifests of data sets and model signatures
all stand on them.
"""

from __future__ import annotations

from redan.kernels.digests.listing import Entry, Facts, entries
from redan.kernels.digests.reading import SIZES_BYTES, FileDigest, Memory, digested, file, tree

__all__ = ["SIZES_BYTES", "Entry", "Facts", "FileDigest", "Memory", "digested", "entries", "file", "tree"]
