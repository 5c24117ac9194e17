"""Private keys in their armour, and passwords inside addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from redan.kernels.secrets.checks import entropy
from redan.kernels.secrets.record import Secret

LONGEST_KEY = 20_000
"""Characters between the first and the last line of a key."""

PRIVATE = re.compile(r"-----BEGIN ((?:[A-Z0-9]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?)-----")
BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{24,12000}+={0,2}")
_BODY = re.compile(r"[A-Za-z0-9+/=]{20,}")
_ADDRESS = re.compile(r"://(?P<user>[^\s:/@\"'<>`]{0,100}+):(?P<password>[^\s/\"'<>@`]{3,200}+)@[\w\[]")
_SCHEME = re.compile(r"[a-z][a-z0-9+.]*$")
_PLACEHOLDERS = re.compile(
    r"(?i)^(?:pass(?:w[o0]?r?d)?|pwd|secret|token|user(?:name)?|your.*|my.*pass.*|x+|\*+|\.+|…|changeme|example|test|admin|root"
    r"|postgres|guest|default|port|placeholder|\d{1,5})$|[${}<>]|%[({]|redacted"
)
_DATABASES = ("postgres", "mysql", "mongodb", "redis", "amqp", "mssql", "oracle", "mariadb", "snowflake", "clickhouse")


def private_keys(text: str) -> Iterator[Secret]:
    """Yield private keys with their whole body; armour around dots or nothing is none."""
    at = text.find("-----BEGIN ")
    while at >= 0:
        opened = PRIVATE.match(text, at)
        after = at + 11
        if opened:
            within = text[opened.end() : opened.end() + LONGEST_KEY].partition("-----BEGIN ")[0]
            body, closed, _ = within.partition("-----END ")
            stop = opened.end() + len(body)
            after = stop
            if closed and (last := text.find("-----", stop + 9, stop + 80)) >= 0:
                stop = last + 5
            letters = "".join(_BODY.findall(body))
            if len(letters) >= 40 and entropy(letters[:2000]) > 3.5:
                yield Secret(
                    kind="private-key",
                    title=opened.group(1).lower(),
                    start=at,
                    end=stop,
                    value=text[at:stop].replace("\\n", "\n"),
                    confidence="confirmed" if closed else "likely",
                )
        at = text.find("-----BEGIN ", after)


def addresses(text: str) -> Iterator[Secret]:
    """Yield the passwords of addresses: ``postgresql://user:password@host``, ``https://user:token@host``."""
    at = text.find("://")
    while at >= 0:
        found = _ADDRESS.match(text, at)
        if found and not _PLACEHOLDERS.search(found["password"]) and found["password"] != found["user"]:
            scheme = _SCHEME.search(text[max(0, at - 30) : at].lower())
            is_database = scheme is not None and scheme.group().startswith(_DATABASES)
            yield Secret(
                kind="database-url" if is_database else "url-password",
                title="password in a database address" if is_database else "password in an address",
                start=found.start("password"),
                end=found.end("password"),
                value=found["password"],
            )
        at = text.find("://", at + 3)
