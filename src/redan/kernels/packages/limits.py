"""How much of a package manager's file is read; what lies beyond is said to be unread."""

from __future__ import annotations

LARGEST_BYTES = 16 << 20
"""Bytes of one file."""

LARGEST_CODE_BYTES = 1 << 20
"""Bytes of a setup.py, whose syntax tree takes some hundred times its size."""

MOST_PACKAGES = 50_000
"""Mentions in one file."""

MOST_INCLUDED = 100
"""Files that one requirements file leads to."""

LONGEST_LINE = 100_000
"""Characters of one logical line."""

MOST_DOTS = 64
"""Parts of one dotted TOML key; parsing takes quadratic time in them."""

MOST_PROBLEMS = 50
"""Places that are reported as not understood, in one file."""
