"""Secrets that are harmless: known by their SHA-256, for a reason, until a date."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from hashlib import sha256

from redan.core.errors import ConfigError
from redan.core.finding import Suppression

_ENTRY = re.compile(r"([0-9a-f]{64}) (\S+) (\S.*)")


def allowance(value: str, allowed: str) -> Suppression | None:
    """Return why a secret is allowed, or None when it is not, or no longer.

    Args:
        value: the secret.
        allowed: entries ``SHA-256 DATE REASON``, separated by commas.

    Raises:
        ConfigError: an entry does not fit.
    """
    digest = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    for text in re.split(r",\s*(?=[0-9a-f]{64} )", allowed.strip()):
        entry = _ENTRY.fullmatch(text)
        if entry is None:
            raise ConfigError(
                f"allow_secret has {text[:40]!r}; expected SHA-256, date and reason",
                hint='write "<64 hexadecimal digits> 2027-03-31 token of the test fixture"',
            )
        if entry[1] == digest and datetime.now(UTC).date() < _date(entry[2]):
            return Suppression(reason=entry[3], expires=entry[2], source="allow_secret")
    return None


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"allow_secret expires on {text!r}, which is no date", hint="write 2027-03-31") from None
