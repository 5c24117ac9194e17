"""What a rule says about one place of a module."""

from __future__ import annotations

from typing import Literal

from redan.core.record import dataclass

Confidence = Literal["confirmed", "likely", "possible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One place that a rule speaks about.

    Attributes:
        line: of the module's source, from 1.
        says: half a sentence without the file's name.
        confidence: ``confirmed`` where the code itself says it, ``likely`` where it depends on a default or on what
            was followed through variables and calls, ``possible`` where it depends on what the reader cannot see.
    """

    line: int
    says: str
    confidence: Confidence = "confirmed"
