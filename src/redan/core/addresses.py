"""Which addresses a secret may be sent to."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def keeps_secrets(url: str) -> bool:
    """Return whether nobody between here and an address reads what is sent there: HTTPS, or HTTP to this machine.

    A name but ``localhost`` is another machine, whatever it resolves to now (RFC 6761, section 6.3).
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_here(host)))


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
