"""Blow-ups: small requests that an endpoint unpacks or parses into large work."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, Skipped, SubjectFailed, UsageError
from redan.core.finding import Finding, Location, Quantity, Severity, Table
from redan.core.probe import Spec
from redan.kernels.availability.bodies import JSON, Body, bodies
from redan.kernels.statistics import median_interval
from redan.threats.evasion.sampling import chosen
from redan.threats.evasion.threat import THREAT

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Scalar
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject
    from redan.subjects.deployment import DeploymentSubject

    class Labelled(Subject, Labels):
        """A subject with labels."""


ROUNDS = 11
"""Readings of each body; enough for an interval that holds for all bodies at once."""
SLOW_REMEDY = "limit body size, unpacked size, nesting and time of one request before anything is parsed"
REMEDIES = (SLOW_REMEDY, "refuse content codings and types that the model does not need (415)")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlowUpsParams(core_params.Params):
    """Parameters of the blow-ups.

    Attributes:
        format: shape of a usual body, as in [endpoint] format.
        sent_kib: most KiB of one body; never above 1024.
        expanded_mib: most MiB that one body becomes when it is unpacked; never above 64.
        allow_remote: ask servers on other machines too.
        token_env: environment variable that holds a bearer token.
        timed: compare waiting times; without it only status codes are looked at.
    """

    format: Literal["instances", "inputs", "native"] = "instances"
    sent_kib: int = 256
    expanded_mib: int = 16
    allow_remote: bool = False
    token_env: str = ""
    timed: bool = True


@dataclass(slots=True, kw_only=True)
class Seen:
    """What one body caused.

    Attributes:
        body: what was sent.
        statuses: of each answer, 0 where none came in time.
        ratios: waiting time over that of a usual request in the same round.
    """

    body: Body
    statuses: list[int]
    ratios: list[float]


@probe(
    Spec(
        id="RDN-EVA-056",
        name="blow-ups",
        threat="evasion",
        title="Requests that are small on the wire and large in the server",
        source="CWE-409, CWE-674 and CWE-407; bodies are our own and bounded on both sides",
        needs=("labels",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0029", "cwe:409", "cwe:674", "cwe:400"),
        default=False,
    )
)
class BlowUps:
    """Measures how long an endpoint is busy with bodies that grow when it unpacks or parses them.

    What it measures:
        Waiting time of each bounded body over that of a usual request, the status it is answered with, and whether
        usual requests are still answered afterwards.

    Why it matters:
        Preprocessing runs before the model and often before any limit. A few kilobytes that become gigabytes stop a
        server for everybody; here they become megabytes, enough to be seen and too few to harm.

    How:
        Seven bodies (spaces, gzip, nested lists, a long number, many numbers, a picture, zipped arrays) are sent in
        turns with a usual one, eleven times each. A body that is not answered is not sent again.

    Shapes:
        x: (n, …) inputs, of which one makes the usual request; y is not used.

    Units:
        cost_ratio: times the waiting time of a usual request, for the slowest body.

    Error of the estimate:
        Median of paired ratios with its interval by order statistics, at the level that holds for all bodies at once.

    Cost:
        About 160 requests.

    Sources:
        CWE-409 "Improper handling of highly compressed data", CWE-674 "Uncontrolled recursion".

    Limits:
        Only for servers that you may test: on this machine unless allow_remote is set. Waiting time includes the
        network. Whether a server really unpacked is seen by its time alone.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = BlowUpsParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: BlowUpsParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Send every body in turns with a usual one and yield one finding; nothing is drawn."""
        from redan.subjects.deployment import DeploymentSubject

        del seed
        if params.sent_kib < 1 or params.expanded_mib < 1:
            raise UsageError("sent_kib and expanded_mib must be at least 1")
        data = chosen(inputs.role("test"), 1)
        if subject.ref.kind != "http":
            raise Skipped(f"{subject.ref.name!r} is of kind {subject.ref.kind}; only endpoints receive request bodies")
        if why := budget.stop():
            raise BudgetSpent(why)
        server = DeploymentSubject(
            subject.ref.binding.uri, credential=_credential(params.token_env), allow_remote=params.allow_remote
        )
        try:
            usual = _usual(np.asarray(data.x), params.format)
            found, cut = _measure(server, usual, params, budget, observe)
            alive = _asked(server, _plain(usual), budget)[0]
        finally:
            server.close()
        yield _finding(subject, params, found, alive, cut)


def _credential(name: str) -> str:
    if not name:
        return ""
    token = os.environ.get(name, "")
    if not token or not token.isprintable():
        raise UsageError(f"the environment variable {name!r} holds no token", hint="export it first")
    return f"Bearer {token}"


def _usual(x: np.ndarray, form: str) -> bytes:
    from redan.subjects.wire.bodies import request_body

    return request_body(x, form, "")


def _plain(usual: bytes) -> Body:
    return Body(name="usual", content=usual, headers=(("Content-Type", JSON),), expands_bytes=len(usual))


def _asked(server: DeploymentSubject, body: Body, budget: Budget) -> tuple[int, float]:
    """Return the status, 0 for no answer, and how long it took."""
    from redan.kernels.deployment.exchange import Request

    budget.charge(queries=1)
    path = urlsplit(server.ref.binding.uri).path or "/"
    answer = server.ask(Request(method="POST", path=path, headers=body.headers, body=body.content))
    return (0, 0.0) if answer is None else (answer.status, max(answer.took_s, 1e-6))


def _measure(
    server: DeploymentSubject, usual: bytes, params: BlowUpsParams, budget: Budget, observe: Observer
) -> tuple[list[Seen], str]:
    plain = _plain(usual)
    status, _ = _asked(server, plain, budget)
    if not 200 <= status < 300:
        raise SubjectFailed(
            f"a usual request was answered with status {status or 'none'}; expected success",
            hint="--param format=inputs or native, or --param token_env=NAME",
        )
    tried = bodies(usual, sent_bytes=params.sent_kib << 10, expanded_bytes=params.expanded_mib << 20)
    found = [Seen(body=body, statuses=[], ratios=[]) for body in tried]
    rounds = ROUNDS if params.timed else 1
    observe.started("blow-ups", rounds)
    for number in range(rounds):
        for seen in found:
            if why := budget.stop():
                return found, why
            if seen.statuses and not seen.statuses[-1]:
                continue
            _, usual_s = _asked(server, plain, budget)
            status, took_s = _asked(server, seen.body, budget)
            seen.statuses.append(status)
            if status and usual_s:
                seen.ratios.append(took_s / usual_s)
        observe.advanced("blow-ups", number + 1, rounds)
    observe.finished("blow-ups")
    return found, ""


def _finding(subject: Labelled, params: BlowUpsParams, found: list[Seen], alive: int, cut: str) -> Finding:
    silent = [seen.body.name for seen in found if 0 in seen.statuses]
    failed = [seen.body.name for seen in found if any(status >= 500 for status in seen.statuses)]
    counts = tuple(
        Quantity(name=name, value=float(n), unit="count", n=len(found), low=float(n), high=float(n), partial=bool(cut))
        for name, n in (("unanswered_bodies", len(silent)), ("server_errors", len(failed)))
    )
    slowest = _slowest(found, cut) if params.timed else None
    severity = Severity.INFO if slowest is None else _judged(slowest[1])
    if failed:
        severity = max(severity, Severity.LOW)
    if silent:
        severity = max(severity, Severity.HIGH)
    if not 200 <= alive < 300:
        severity = Severity.CRITICAL
    parts = [f"Usual requests are {'still' if 200 <= alive < 300 else 'no longer'} answered after all bodies."]
    if slowest is not None:
        name, ratio = slowest
        parts.insert(
            0,
            f"The slowest body ({name}) takes {ratio.value:.3g} times as long as a usual request (95 % interval "
            f"{ratio.low:.3g} to {ratio.high:.3g} for all bodies at once, {ratio.n} rounds).",
        )
    parts += [f"Without answer: {', '.join(silent)}."] if silent else []
    parts += [f"Answered with a server error: {', '.join(failed)}."] if failed else []
    parts += [f"It was cut short: {cut}."] if cut else []
    shown = f"{slowest[1].value:.3g} times the usual time at most" if slowest else "status codes only"
    return Finding(
        rule=BlowUps.spec.id,
        threat=BlowUps.spec.threat,
        subject=subject.ref.name,
        title=f"{len(found)} bodies that grow in the server: {shown}, {len(silent)} unanswered",
        severity=severity,
        detail=" ".join(parts),
        params=params.as_dict(),
        quantities=(*((slowest[1],) if slowest else ()), *counts),
        tables=(_table(found, timed=params.timed),),
        locations=(Location(uri=subject.ref.binding.uri),),
        remedies=REMEDIES,
        references=BlowUps.spec.references,
    )


def _judged(ratio: Quantity) -> Severity:
    return THREAT.severity(ratio) if ratio.low > 1 else Severity.INFO


def _slowest(found: list[Seen], cut: str) -> tuple[str, Quantity] | None:
    """Return the body with the highest median ratio, its interval widened for having been chosen."""
    read = [seen for seen in found if len(seen.ratios) >= ROUNDS]
    if not read:
        return None
    slowest = max(read, key=lambda seen: float(np.median(seen.ratios)))
    low, high = median_interval(slowest.ratios, 1 - 0.05 / len(found))
    return slowest.body.name, Quantity(
        name="cost_ratio",
        value=float(np.median(slowest.ratios)),
        unit="ratio",
        n=len(slowest.ratios),
        low=low,
        high=high,
        better="lower",
        partial=bool(cut),
    )


def _table(found: list[Seen], *, timed: bool) -> Table:
    """Return what was sent, what it becomes, and what came back."""
    rows: list[tuple[Scalar, ...]] = [
        (
            seen.body.name,
            len(seen.body.content),
            seen.body.expands_bytes,
            json.dumps(sorted(set(seen.statuses))),
            *((float(np.median(seen.ratios)) if seen.ratios else None,) if timed else ()),
        )
        for seen in found
    ]
    heads = ("body", "bytes sent", "bytes unpacked", "statuses", *(("times usual",) if timed else ()))
    return Table(name="bodies", columns=heads, rows=tuple(rows))
