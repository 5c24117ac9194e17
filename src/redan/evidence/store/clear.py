"""What stands in the database in clear: text that every database takes, and times as whole numbers."""

from __future__ import annotations

from datetime import UTC, datetime

from redan.core.errors import UsageError

LONGEST = 400
"""Characters of a searchable text; PostgreSQL indexes at most 2704 bytes."""


def searchable(text: str) -> str:
    """Return a text as it is stored and searched for: at most 400 characters, without NUL and lone surrogates."""
    return text[:LONGEST].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def now_us() -> int:
    """Return the time in microseconds since 1970, UTC."""
    return to_us(datetime.now(UTC))


def to_us(when: datetime) -> int:
    """Return a time in microseconds since 1970; a time without a zone is taken for UTC."""
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    gone = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds


def read_us(text: str, what: str) -> int:
    """Read an ISO 8601 time.

    Raises:
        UsageError: the text is no time.
    """
    try:
        return to_us(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as err:
        raise UsageError(
            f"{what} is {text[:40]!r}, which is no time", hint="write 2026-11-21 or 2026-11-21T13:00Z"
        ) from err


def shown_time(us: int) -> str:
    """Return a stored time for a reader, to the second, in UTC."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
