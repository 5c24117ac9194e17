"""What stands open: lists and controls without a login, ports beyond this machine, old versions, submitted code."""

from __future__ import annotations

from redan.kernels.deployment.advisories import affecting
from redan.kernels.deployment.exchange import Request
from redan.kernels.deployment.outcome import Ask, Facts, Outcome, shown, unseen, untested

_LOCAL = ("127.", "::1", "::ffff:127.")


def control_plane(ask: Ask, facts: Facts) -> Outcome:
    """Lists of models, jobs, files and settings must not answer whoever asks."""
    asked = [(found.product.name, path) for found in facts.products for path in found.product.control]
    if not asked:
        return untested("no model server was recognised, so its lists are not known")
    lines = []
    for name, path in asked:
        request = Request(path=path, identified=False)
        answer = ask(request)
        if answer is not None and answer.ok:
            lines.append(f"{name}: {shown(request, answer)}")
    if lines:
        return Outcome(
            state="confirmed",
            said=f"{len(lines)} of {len(asked)} lists answer without a credential",
            shown=tuple(lines),
        )
    return unseen(f"{len(asked)} lists of {', '.join(sorted({n for n, _ in asked}))} refused to answer")


def beyond_this_machine(ask: Ask, facts: Facts) -> Outcome:
    """A server that only this machine needs must listen on the loopback address alone."""
    if not facts.local:
        return untested("the server runs on another machine, whose sockets cannot be seen from here")
    if not facts.listeners:
        return untested(f"no listening socket at port {facts.port} was found in this machine's tables")
    wide = [address for address in facts.listeners if not address.startswith(_LOCAL)]
    if wide:
        return Outcome(
            state="confirmed",
            said=f"port {facts.port} listens on {', '.join(wide)}, so other machines can reach it",
            shown=tuple(f"{address}:{facts.port} LISTEN" for address in wide),
        )
    return unseen(f"port {facts.port} listens on {', '.join(facts.listeners)} only")


def known_vulnerable(ask: Ask, facts: Facts) -> Outcome:
    """A version that the server tells of itself is looked up in the advisories that come with Redan."""
    told = [found for found in facts.products if found.version]
    if not told:
        return untested("no server told its version")
    hits = [(found, advisory) for found in told for advisory in affecting(found.product.name, found.version)]
    if hits:
        lines = tuple(f"{f.product.name} {f.version}: {a.id}, {a.about}; fixed in {a.fixed or 'none'}" for f, a in hits)
        return Outcome(
            state="likely by version", said=f"{len(hits)} known vulnerabilities fit the version", shown=lines
        )
    versions = ", ".join(f"{found.product.name} {found.version}" for found in told)
    return unseen(f"none of the advisories that come with Redan fits {versions}")


def runs_code(ask: Ask, facts: Facts) -> Outcome:
    """Endpoints that take jobs, models or notebooks must not be reachable without a credential; nothing is sent."""
    asked = [(found.product.name, path) for found in facts.products for path in found.product.runs]
    if not asked:
        return untested("no server was recognised that takes jobs, models or code")
    lines = []
    for name, path in asked:
        request = Request(path=path, identified=False)
        answer = ask(request)
        # 405 means that the endpoint is there and wants another method, for which it did not ask who we are
        if answer is not None and (answer.ok or answer.status == 405):
            lines.append(f"{name}: {shown(request, answer)}")
    if lines:
        return Outcome(
            state="confirmed", said="jobs or models can be submitted without a credential", shown=tuple(lines)
        )
    return unseen(f"{len(asked)} endpoints that take jobs, models or code refused to answer")
