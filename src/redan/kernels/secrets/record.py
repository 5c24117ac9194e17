"""What was found: where and of which kind; the value itself is never shown."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from redan.core.record import dataclass

Confidence = Literal["confirmed", "likely", "possible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One secret in a text.

    Attributes:
        kind: slug of the format, ``github-token``.
        title: the format in words.
        start: offset of its first character in the text, escapes included.
        end: offset after its last one.
        value: the secret with its escapes undone.
        confidence: ``confirmed`` by a checksum or a decoded structure, ``likely`` by format, ``possible`` otherwise.
    """

    kind: str
    title: str
    start: int
    end: int
    value: str = field(repr=False)
    confidence: Confidence = "likely"


def masked(value: str) -> str:
    """Return a preview that tells two secrets apart and gives neither away: ``hf_ab…9z (37 chars)``."""
    flat = "".join(value.split())
    if len(flat) < 20:
        return f"{flat[:1]}… ({len(value)} chars)"
    return f"{flat[:5]}…{flat[-2:]} ({len(value)} chars)"
