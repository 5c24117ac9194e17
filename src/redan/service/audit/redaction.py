"""What a record leaves out or stores under a pseudonym, as ``[audit] keep`` and ``redact`` say.

Names and addresses are found in the facts of a record too: in the path that was asked, in what an incident's line says.

A pseudonym is an HMAC under a secret that lies beside the log's key: records of one client still belong together, and
whoever has the secret finds a known client's records; from the log alone nobody learns who it was.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

import msgspec

from redan.core.errors import UnknownName
from redan.evidence.log.wal import GROUP_BYTES
from redan.kernels.merkle.tiles import LARGEST_ENTRY_BYTES
from redan.kernels.pseudonyms import column_key, one_way
from redan.service.audit.act import encode

if TYPE_CHECKING:
    from redan.core.settings_service import Audit
    from redan.service.audit.act import Act

FIELDS = ("client", "address")
MOST_REMEMBERED = 65_536
NOBODY: Final = "-"
_SIGN = "~"
_NAME = re.compile(r"\b(?:user|client|local):[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,126}[A-Za-z0-9_@+])?", re.ASCII)
_CREDENTIAL = re.compile(r"(?<=/)(key|token)(s/)([A-Za-z0-9_-]{8,})(?![^/\s])", re.ASCII)
_CREDENTIALS = {"key": "key:", "new": "key:", "token": "token:"}
"""Facts that hold an identifier without saying of what."""
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f.]*){2,8})(?:/\d{1,3})?(?!\w)", re.ASCII
)
_VERSIONS = frozenset({"version", "before"})
"""Facts whose dots separate no bytes of an address."""
assert LARGEST_ENTRY_BYTES < GROUP_BYTES


class Redaction:
    """Turns acts into entries of the log.

    Args:
        settings: what to keep and what to redact.
        secret: 32 bytes, the same on every replica.

    Raises:
        UnknownName: ``redact`` names something else than client and address.
    """

    def __init__(self, settings: Audit, secret: bytes) -> None:
        for name in settings.redact:
            if name not in FIELDS:
                raise UnknownName.among("field that [audit] redact can name", name, [*FIELDS])
        self._hidden = frozenset(settings.redact)
        self._labels = settings.keep != "digests"
        self._keys = {name: column_key(secret, name, "audit") for name in (*FIELDS, "credential")}
        self._known: dict[tuple[str, str], str] = {}

    def entry(self, act: Act) -> bytes:
        """Return an act as the log keeps it; one that is too large loses labels and facts, never itself."""
        if self._hidden or (act.labels is not None and not self._labels):
            act = self.redacted(act)
        data = encode(act)
        if len(data) > LARGEST_ENTRY_BYTES:
            cut = {"cut_bytes": len(data)}
            data = encode(msgspec.structs.replace(act, labels=None, more=cut))
        return data if len(data) <= LARGEST_ENTRY_BYTES else encode(_cut(act))

    def redacted(self, act: Act) -> Act:
        """Return an act as it may be stored."""
        change: dict[str, object] = {}
        if not self._labels:
            change["labels"] = None
        if "client" in self._hidden:
            change["who"] = self.pseudonym("client", act.who)
            change["cred"] = self.pseudonym("credential", act.cred)
        if "address" in self._hidden:
            change["addr"] = self.pseudonym("address", act.addr)
        if self._hidden and (act.more or act.why):
            change["why"] = self._cleaned(act.why)
            change["more"] = self._cleaned(act.more)
        return msgspec.structs.replace(act, **change)

    def _cleaned(self, value: Any, fact: str = "") -> Any:
        """Return a fact with every name and address in it under its pseudonym."""
        if isinstance(value, dict):
            return {key: self._cleaned(each, str(key)) for key, each in value.items()}
        if isinstance(value, list | tuple):
            # what guards measured is one number a row
            return value if all(type(each) is float for each in value) else [self._cleaned(e, fact) for e in value]
        if not isinstance(value, str):
            return value
        if "client" in self._hidden:
            if fact in _CREDENTIALS:
                return self.pseudonym("credential", _CREDENTIALS[fact] + value)
            value = _NAME.sub(lambda found: self.pseudonym("client", found[0]), value)
            value = _CREDENTIAL.sub(self._credential, value)
        hides = "address" in self._hidden and fact not in _VERSIONS
        return _ADDRESS.sub(self._address, value) if hides else value

    def _credential(self, found: re.Match[str]) -> str:
        return found[1] + found[2] + self.pseudonym("credential", f"{found[1]}:{found[3]}")

    def _address(self, found: re.Match[str]) -> str:
        try:
            ip_network(found[0], strict=False)
        except ValueError:
            return found[0]
        return self.pseudonym("address", found[0])

    def pseudonym(self, field: str, value: str) -> str:
        """Return what a value is stored as; nobody stays nobody, and a pseudonym stays itself."""
        if not value or value == NOBODY or value.startswith(_SIGN):
            return value
        found = self._known.get((field, value))
        if found is None:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            found = self._known[field, value] = one_way(self._keys[field], value, prefix=_SIGN)
        return found

    def names(self, field: str, value: str) -> tuple[str, ...]:
        """Return everything that a value may be stored as, whether or not it was redacted at that time."""
        return tuple(dict.fromkeys((value, self.pseudonym(field, value))))


def _cut(act: Act) -> Act:
    """Return an act with every text cut: somebody sent an absurd name, and the act is recorded all the same."""
    texts = {name: value[:256] for name in act.__struct_fields__ if isinstance(value := getattr(act, name), str)}
    return msgspec.structs.replace(act, labels=None, more={"cut": True}, **texts)
