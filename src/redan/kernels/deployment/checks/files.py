"""Files and addresses: traversal out of the served folder, fetching of addresses, names of uploads."""

from __future__ import annotations

from redan.kernels.deployment.exchange import Request
from redan.kernels.deployment.outcome import Ask, Facts, Outcome, shown, unseen, untested

_CLIMB = ("../" * 8, "..%2f" * 8, "%2e%2e/" * 8, "..%252f" * 8, "..\\" * 8, "..;/" * 8, "....//" * 8)
_ROOTS = (
    "/",
    "/static/",
    "/file=",
    "/api/2.0/mlflow-artifacts/artifacts/",
    "/log_proxy?url=",
    "/component_server?path=",
)
_FETCHERS = (
    "/fetch?url=",
    "/proxy?url=",
    "/log_proxy?url=",
    "/models?url=",
    "/3/ImportFiles?path=",
    "/file=",
    "/import?url=",
)
_UPLOADS = ("/upload", "/api/upload", "/files", "/v1/files", "/models/upload")
_BOUNDARY = "redan-boundary"


def traversal(ask: Ask, facts: Facts) -> Outcome:
    """A file outside the served folder must not come back; the file asked for is one that the operator made."""
    if not facts.canary:
        return untested("no canary file was given; --canary PATH names one that holds nothing secret")
    name = facts.canary.lstrip("/")
    asked = [f"{root}{climb}{name}" for root in _ROOTS for climb in _CLIMB] + [
        f"{root}{facts.canary}" for root in _ROOTS[2:]
    ]
    for path in asked:
        request = Request(path=path)
        answer = ask(request)
        if answer is not None and facts.canary_text in answer.text:
            return Outcome(
                state="confirmed",
                said="the canary file came back from outside the folder",
                shown=(shown(request, answer),),
            )
    return unseen(f"{len(asked)} ways out of the served folder did not reach the canary file")


def fetches_addresses(ask: Ask, facts: Facts) -> Outcome:
    """A server must not fetch whatever address it is given; the address given is our own listener."""
    if not facts.listener:
        return untested("our listener could not be started, or the server cannot reach it")
    for path in _FETCHERS:
        before = facts.fetched()
        request = Request(path=f"{path}{facts.listener}")
        answer = ask(request)
        if facts.fetched() > before:
            return Outcome(
                state="confirmed",
                said="the server fetched an address out of a request",
                shown=(shown(request, answer),),
            )
    return unseen(f"{len(_FETCHERS)} endpoints that might fetch an address did not fetch ours")


def upload_names(ask: Ask, facts: Facts) -> Outcome:
    """A name with a path in it must be stored under its last part, and endings that run must be refused."""
    seen = 0
    for path in _UPLOADS:
        request = Request(
            method="POST",
            path=path,
            headers=(("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}"),),
            body=_form("../../redan-probe.txt"),
        )
        answer = ask(request)
        if answer is None or answer.status in (404, 405, 501):
            continue
        seen += 1
        if answer.ok and ".." in answer.text:
            return Outcome(
                state="confirmed", said="an upload kept the path in its file name", shown=(shown(request, answer),)
            )
    if not seen:
        return untested("no endpoint for uploads was found")
    return unseen(f"{seen} endpoints for uploads did not give back a name with a path")


def _form(name: str) -> bytes:
    lines = (
        f"--{_BOUNDARY}",
        f'Content-Disposition: form-data; name="file"; filename="{name}"',
        "Content-Type: text/plain",
        "",
        "written by redan scan --deployment, may be deleted",
        f"--{_BOUNDARY}--",
        "",
    )
    return "\r\n".join(lines).encode()
