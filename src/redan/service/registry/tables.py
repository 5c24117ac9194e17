"""Tables of registry."""

from __future__ import annotations
