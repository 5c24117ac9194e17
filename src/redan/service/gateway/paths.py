"""The addresses of the data path: one exact spelling each, and no way to write another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

What = Literal["infer", "predict", "metadata", "ready", "server", "server-live", "server-ready"]
MOST_REMEMBERED = 4096
# an encoded letter, digit, hyphen or underscore has no reason but to slip past a rule about paths (RFC 3986, 2.3)
_ODD = re.compile(
    rb"//|;|\\|%(?:2[def]|5[cf]|25|00|0d|0a|23|3[0-9bf]|[46][1-9a-f]|[57][0-9a])|/\.\.?(?:/|\Z)|[^\x21-\x7e]"
    rb"|%(?![0-9a-f]{2})",
    re.IGNORECASE,
)
_NAME = rb"([A-Za-z0-9][A-Za-z0-9._-]{0,127})"
_V2 = re.compile(rb"/v2/models/" + _NAME + rb"(?:/versions/" + _NAME + rb")?(/infer|/ready)?")
_NATIVE = re.compile(rb"/v1/models/" + _NAME + rb"(?:/versions/" + _NAME + rb")?/predict")
_METHODS = {"infer": "POST", "predict": "POST"}


@dataclass(frozen=True, slots=True)
class Address:
    """What a path of the data plane means.

    Attributes:
        what: is asked.
        name: of the model, or empty.
        version: as it was named, or empty for whichever answers.
        method: the only HTTP method that it takes.
    """

    what: What
    name: str = ""
    version: str = ""
    method: str = "GET"


_SERVER: dict[bytes, Address] = {
    b"/v2": Address("server"),
    b"/v2/health/live": Address("server-live"),
    b"/v2/health/ready": Address("server-ready"),
}


def is_odd(raw_path: bytes) -> bool:
    """Return whether a path could be read in another way by whatever stands before or behind this server."""
    return _ODD.search(raw_path) is not None


def address(raw_path: bytes) -> Address | None:
    """Read a path, byte for byte as it was sent; None: the data plane has no such address."""
    found = _SERVER.get(raw_path)
    if found is not None:
        return found
    match = _NATIVE.fullmatch(raw_path)
    what: What = "predict"
    if match is None:
        match = _V2.fullmatch(raw_path)
        if match is None:
            return None
        what = "infer" if match[3] == b"/infer" else "ready" if match[3] == b"/ready" else "metadata"
    return Address(what, match[1].decode(), (match[2] or b"").decode(), _METHODS.get(what, "GET"))
