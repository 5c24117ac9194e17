"""On which addresses this machine listens at a port, from the kernel's own tables.

Source: Linux, proc_net_tcp; addresses are in the machine's byte order, four bytes a word.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

_LISTEN = "0A"
_TABLES = (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6))


def listeners(port: int) -> tuple[str, ...]:
    """Return the addresses, IPv4 first; empty where the tables cannot be read."""
    found = []
    for table, family in _TABLES:
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            address, _, number = fields[1].partition(":")
            if fields[3] == _LISTEN and int(number, 16) == port:
                found.append(socket.inet_ntop(family, _bytes(address)))
    return tuple(dict.fromkeys(found))


def _bytes(address: str) -> bytes:
    words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
    return struct.pack(f"={len(words)}I", *words)
