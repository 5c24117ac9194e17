"""How much of a dump is read."""

from __future__ import annotations

LARGEST_RECORD_BYTES = 8 << 20
"""Bytes of one record; the longest published ones have some hundred thousand."""

MOST_RECORDS = 2_000_000
"""Records of one dump; all ecosystems together have fewer."""

MOST_EVENTS = 10_000
"""Events or versions of one record."""

MOST_ALIASES = 100
"""Further identifiers of one record."""

LONGEST_TEXT = 300
"""Characters of a summary, an identifier or an address."""
