"""One decision as the audit log records it."""

from __future__ import annotations

import msgspec


class Act(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, gc=False):
    """Who did what to which model, what came of it, when and how long it took.

    Attributes:
        t_us: microseconds since the epoch, UTC.
        who: `Principal.id`, or ``-`` for nobody known.
        cred: identifier of the credential.
        act: name of the action (`redan.service.identity.actions`).
        model: ``name@version``, or what the act was about.
        digest: of the model, as its statements and detectors name it, hexadecimal.
        x: SHA-256 of the request's body, hexadecimal.
        y: SHA-256 of the answer's body, hexadecimal.
        ok: whether it was allowed.
        why: why not, or what was done: a short stable word such as ``rate`` or ``range``.
        status: HTTP status of the answer; 0 outside HTTP.
        us: microseconds from the request's first byte to the decision's record.
        rows: rows asked.
        id: identifier of the request.
        addr: network address of who asked.
        by: replica that decided.
        labels: answered classes, where the policy keeps them.
        more: further facts, where the policy keeps them.
    """

    t_us: int
    who: str
    act: str
    cred: str = ""
    model: str = ""
    digest: str = ""
    x: str = ""
    y: str = ""
    ok: bool = True
    why: str = ""
    status: int = 0
    us: int = 0
    rows: int = 0
    id: str = ""
    addr: str = ""
    by: str = ""
    labels: list[int] | None = None
    more: dict[str, object] | None = None


encode = msgspec.json.Encoder().encode
"""Writes an act as one JSON object, so that ``redan log show`` reads it too."""
_decode = msgspec.json.Decoder(Act).decode


def decode(entry: bytes) -> Act:
    """Read what `encode` wrote.

    Raises:
        msgspec.DecodeError: it is no act.
    """
    try:
        return _decode(entry)
    except UnicodeDecodeError as err:
        raise msgspec.DecodeError(str(err)) from None
