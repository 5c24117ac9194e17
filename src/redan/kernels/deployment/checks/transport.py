"""The way to the server: encryption, headers that browsers obey, pages that are for developers."""

from __future__ import annotations

from redan.kernels.deployment.exchange import Request
from redan.kernels.deployment.outcome import Ask, Facts, Outcome, shown, unseen, untested

_ORIGIN = "https://redan.invalid"
_HEADERS = ("x-content-type-options", "content-security-policy")
_OPEN = (
    "/docs",
    "/redoc",
    "/openapi.json",
    "/swagger.json",
    "/debug/pprof/",
    "/debug/vars",
    "/metrics",
    "/actuator/env",
    "/console",
)


def transport(ask: Ask, facts: Facts) -> Outcome:
    """Encrypted, with a certificate that holds, no origin trusted blindly, nothing for developers left open."""
    request = Request(path=facts.predict or "/", headers=(("Origin", _ORIGIN),))
    answer = ask(request)
    if answer is None:
        return untested("the server did not answer")
    faults = []
    if not facts.secure and not facts.local:
        faults.append("the address is not encrypted (http)")
    if facts.certificate:
        faults.append(f"the certificate does not hold: {facts.certificate}")
    allowed = answer.headers.get("access-control-allow-origin", "")
    trusted = answer.headers.get("access-control-allow-credentials", "").lower() == "true"
    if trusted and allowed in ("*", _ORIGIN):
        faults.append(f"any web page may ask with the visitor's credentials (Access-Control-Allow-Origin: {allowed})")
    if "text/html" in answer.headers.get("content-type", ""):
        faults += [f"pages lack the header {name}" for name in _HEADERS if name not in answer.headers]
    if facts.secure and "strict-transport-security" not in answer.headers and not facts.local:
        faults.append("answers lack the header strict-transport-security")
    lines = [shown(request, answer)] if faults else []
    for path in _OPEN:
        page = Request(path=path, identified=False)
        reply = ask(page)
        if reply is not None and reply.ok and reply.body:
            faults.append(f"{path} is open to everybody")
            lines.append(shown(page, reply))
    if faults:
        return Outcome(state="confirmed", said="; ".join(faults), shown=tuple(lines))
    return unseen("encryption, origins, headers and developers' pages were looked at")
