"""Data of every usual kind as a `Dataset`. One format a file; nothing that could run code is ever loaded."""

from __future__ import annotations

from redan.subjects.failures import needing

with needing("reading data"):
    from redan.subjects.data.load import load_dataset

__all__ = ["load_dataset"]
