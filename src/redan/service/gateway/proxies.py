"""Who asks through a proxy in front: what it says is believed, what anybody else says is not.

RFC 7239 and the older X-Forwarded-For list hops from the client to us, each proxy appending who asked it. Read from the
right, hops that are our own proxies are passed over; the first other one is the client: whatever stands left of it
the client could have written itself. One header alone is read, since a proxy hands the other on as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

from redan.core.errors import ConfigError

Header = Literal["x-forwarded-for", "forwarded"]
MOST_HOPS = 32
"""Looked at, from the right."""
MOST_REMEMBERED = 4096
_PORT = re.compile(r"^(?:\[(?P<six>[^\]]*)\](?::\d+)?|(?P<four>[^:]+):\d+)$")
_PAIR = re.compile(r'(?:^|;)\s*(?P<name>for|proto)=(?:"(?P<quoted>[^"\\]*)"|(?P<plain>[^";,\s]*))', re.IGNORECASE)
Seen = tuple[str, str]
"""Address of the client, and the scheme that it used; empty where the proxy does not say."""


class Proxies:
    """The proxies in front of this gateway.

    Args:
        networks: addresses or networks that they have.
        header: which header they write.

    Raises:
        ConfigError: one is no network.
    """

    def __init__(self, networks: Sequence[str], header: Header) -> None:
        try:
            self._networks = tuple(ip_network(word) for word in networks)
        except ValueError as err:
            raise ConfigError(
                f"[serve] proxies: {err}", hint='write addresses or networks: ["127.0.0.1", "10.0.0.0/8"]'
            ) from None
        self._header = header.encode()
        self._seen: dict[tuple[str, bytes, bytes], Seen] = {}

    def knows(self, host: str) -> bool:
        """Return whether an address is a proxy's."""
        address = _address(host)
        return address is not None and self._is_own(address)

    def seen(self, host: str, headers: Iterable[tuple[bytes, bytes]]) -> Seen:
        """Return who asks through a proxy.

        Args:
            host: address of the proxy.
            headers: of the request, names in lower case.
        """
        hops, scheme = b"", b""
        for name, value in headers:
            if name == self._header:
                hops = hops + b"," + value if hops else value
            elif name == b"x-forwarded-proto":
                scheme = value
        key = host, hops, scheme
        found = self._seen.get(key)
        if found is None:
            if len(self._seen) >= MOST_REMEMBERED:
                self._seen.clear()
            found = self._seen[key] = self._read(host, hops.decode("latin-1"), scheme.decode("latin-1"))
        return found

    def _read(self, host: str, hops: str, scheme: str) -> Seen:
        words = hops.split(",") if hops else []
        if self._header == b"forwarded":
            pairs = [_pairs(word) for word in words]
            words = [pair.get("for", "") for pair in pairs]
            scheme = pairs[-1].get("proto", "") if pairs else ""
        scheme = scheme.rpartition(",")[2].strip().lower()
        client = host
        for word in reversed(words[-MOST_HOPS:]):
            address = _address(word.strip())
            if address is None:
                break
            client = str(address)
            if not self._is_own(address):
                break
        return client, scheme if scheme in {"http", "https"} else ""

    def _is_own(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def _pairs(element: str) -> dict[str, str]:
    """Read one hop of Forwarded; the first of two values of one name counts."""
    found: dict[str, str] = {}
    for match in _PAIR.finditer(element):
        found.setdefault(match["name"].lower(), match["quoted"] if match["quoted"] is not None else match["plain"])
    return found


def _address(word: str) -> IPv4Address | IPv6Address | None:
    """Read an address, with or without brackets and port; None for what is none."""
    match = _PORT.match(word)
    try:
        address = ip_address((match["six"] or match["four"]) if match else word)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
