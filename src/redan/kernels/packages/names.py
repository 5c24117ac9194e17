"""Names of packages and addresses: normalised, without credentials, as package URLs."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

_SEPARATORS = re.compile(r"[-_.]+")
_USERINFO = re.compile(r"(?<=//)[^/@\s]*@")
LONGEST_NAME = 214
"""Characters of a package name; npm's own limit, and longer than any on PyPI."""


def normalised(name: str) -> str:
    """Return a Python distribution's name as indexes compare it. Source: PyPA specification of name normalisation."""
    return _SEPARATORS.sub("-", name.strip()).lower()[:LONGEST_NAME]


def purl(ecosystem: str, name: str, version: str = "") -> str:
    """Return a package URL; each path segment is quoted, and the slash of a scope or a namespace stays.

    Source: ECMA-427 (package-url), section 5.
    """
    path = "/".join(quote(part, safe="-._~") for part in name.split("/"))
    return f"pkg:{ecosystem}/{path}" + (f"@{quote(version, safe='-._~:')}" if version else "")


def without_credentials(url: str) -> tuple[str, bool]:
    """Return an address without user name and password, and whether it had any.

    The bare ``git`` of ``git+ssh://git@host`` is an account of everybody and stays.
    """
    try:
        parts = urlsplit(url)
        user, at, host = parts.netloc.rpartition("@")
    except ValueError:
        clean = _USERINFO.sub("", url)
        return clean, clean != url
    if not at or user == "git":
        return url, False
    return urlunsplit(parts._replace(netloc=host)), True
