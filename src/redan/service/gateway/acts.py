"""What the audit log gets of requests for predictions."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Literal

from redan.service.audit.act import Act

if TYPE_CHECKING:
    from redan.service.gateway.call import Call
    from redan.service.gateway.refusal import Refusal
    from redan.service.identity.principal import Principal

Keep = Literal["digests", "labels", "answers", "inputs"]
GONE = "gone"
"""Why nothing was answered to a client that went away."""


def acts_of(calls: Sequence[Call], replica: str, keep: Keep) -> list[Act]:
    """Return one act for each call of a batch, answered or refused."""
    t_us, now_s = time_ns() // 1000, perf_counter()
    return [_act(call, t_us, now_s, replica, keep) for call in calls]


def denial(
    refusal: Refusal,
    *,
    principal: Principal | None,
    act: str,
    model: str,
    began_s: float,
    id: str,
    addr: str,
    replica: str,
    body: bytes = b"",
    tried: str = "",
) -> Act:
    """Return the act of a request that was refused before it came into a batch; ``tried``: a key nobody is known by."""
    return Act(
        t_us=time_ns() // 1000,
        who=principal.id if principal is not None else "-",
        cred=principal.credential if principal is not None else tried,
        act=act,
        model=model,
        x=sha256(body).hexdigest() if body else "",
        ok=False,
        why=refusal.why,
        status=refusal.status,
        us=int((perf_counter() - began_s) * 1e6),
        id=id,
        addr=addr,
        by=replica,
    )


def _act(call: Call, t_us: int, now_s: float, replica: str, keep: Keep) -> Act:
    principal, served, refusal = call.principal, call.served, call.refusal
    if refusal is None and not call.link.lost:
        ok, why, status, y = True, "", 200, sha256(call.reply).hexdigest()
    elif refusal is None:
        ok, why, status, y = False, GONE, 0, ""
    else:
        ok, why, status, y = False, refusal.why, refusal.status, ""
    return Act(
        t_us=t_us,
        who=principal.id,
        act="predict",
        cred=principal.credential,
        model=served.label,
        digest=served.digest,
        x=sha256(call.body).hexdigest(),
        y=y,
        ok=ok,
        why=why,
        status=status,
        us=int((now_s - call.began_s) * 1e6),
        rows=len(call.x),
        id=call.id,
        addr=call.addr,
        by=replica,
        labels=call.labels.tolist() if keep != "digests" and ok and call.labels is not None else None,
        more=_more(call, keep) if keep in {"answers", "inputs"} else call.note,
    )


def _more(call: Call, keep: Keep) -> dict[str, object]:
    more: dict[str, object] = dict(call.note or {})
    if keep in {"answers", "inputs"} and call.reply:
        more["answer"] = b64encode(call.reply).decode()
    if call.suspicion:
        more["suspicion"] = {rule: found.tolist() for rule, found in call.suspicion.items()}
    if keep == "inputs":
        more["input"] = b64encode(call.body).decode()
    return more
