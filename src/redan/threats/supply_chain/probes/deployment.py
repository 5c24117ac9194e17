"""The tester of running servers: fourteen harmless checks, each with one of four answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import Rule, probe
from redan.core.finding import Evidence, Finding, Location, Quantity, Severity
from redan.core.probe import Spec
from redan.kernels.deployment.checks import access, exposure, files, inputs, transport
from redan.kernels.deployment.outcome import STATES, Check, Outcome, untested
from redan.threats.supply_chain.rules.deployment import (
    authentication,
    beyond_this_machine,
    control_plane,
    deserialises,
    fetches_addresses,
    known_vulnerable,
    leakage,
    rate_limit,
    runs_code,
    teaches,
    traversal,
    upload_names,
    validation,
)
from redan.threats.supply_chain.rules.deployment import transport as transport_rule

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Deployment

CHECKS: tuple[tuple[Rule, Check], ...] = (
    (control_plane.RULE, exposure.control_plane),
    (beyond_this_machine.RULE, exposure.beyond_this_machine),
    (known_vulnerable.RULE, exposure.known_vulnerable),
    (traversal.RULE, files.traversal),
    (fetches_addresses.RULE, files.fetches_addresses),
    (deserialises.RULE, inputs.deserialises),
    (runs_code.RULE, exposure.runs_code),
    (transport_rule.RULE, transport.transport),
    (authentication.RULE, access.authentication),
    (validation.RULE, inputs.validation),
    (leakage.RULE, inputs.leakage),
    (teaches.RULE, inputs.teaches),
    (upload_names.RULE, files.upload_names),
    # last, because a server that obeys it answers nothing more for a while
    (rate_limit.RULE, access.rate_limit),
)


_FOUND = ("confirmed", "likely by version")


@probe(
    Spec(
        id="RDN-SUP-080",
        name="deployment",
        threat="supply_chain",
        title="Harmless checks of a running model server",
        source="OWASP API Security Top 10 2023; OWASP Web Security Testing Guide 4.2",
        needs=("deployment",),
        cost="seconds",
        references=("atlas:AML.T0049", "owasp:ML05"),
        default=False,
    )
)
class DeploymentProbe:
    """Asks a running server what it should not answer.

    What it measures:
        Fourteen weaknesses of servers that hold models: open lists and job interfaces, ports beyond this machine, known
        versions, paths out of the served folder, fetched addresses, bodies that run code, transport, logins, rate
        limits, validation, telling errors, answers that teach, names of uploads.

    Why it matters:
        Model servers are made for laboratories and put on networks. Most attacks on them need no mathematics.

    How:
        Harmless requests to one address: no pickles, no code, no jobs; the only file asked for is a canary of the
        operator's, the only address given is a listener of our own. Requests, bytes and seconds are bounded.

    Shapes:
        Input: an address. Output: one finding a confirmed or likely weakness, and one that lists what each check said.

    Units:
        Checks and requests.

    Error of the estimate:
        ``confirmed`` rests on an answer that is kept as evidence; ``likely by version`` on the server's own word; ``not
        seen`` is no promise; ``not tested`` says why.

    Cost:
        A few hundred small requests.

    Sources:
        OWASP API Security Top 10 2023; RFC 9110; public advisories of the products.

    Limits:
        One address and one credential; what lies behind a login or in other services is not seen.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = core_params.Params

    def run(
        self,
        subject: Deployment,
        inputs: Inputs,
        params: core_params.Params,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Make every check and yield what it found, then what each of them said."""
        if budget.stop():
            return
        facts = subject.facts()
        name, uri = subject.ref.name, subject.ref.binding.uri
        outcomes: list[tuple[Rule, Outcome]] = []
        observe.started("deployment", len(CHECKS))
        for done, (rule, check) in enumerate(CHECKS, 1):
            if budget.stop() or subject.spent:
                outcomes.append((rule, untested("all requests were spent before this check")))
                continue
            outcome = check(subject.ask, facts)
            outcomes.append((rule, outcome))
            if outcome.state in _FOUND:
                yield _finding(rule, outcome, name, uri)
            observe.advanced("deployment", done, len(CHECKS), rule.name)
        servers = ", ".join(f"{f.product.name} {f.version}".strip() for f in facts.products) or "none recognised"
        yield _account(self.spec, outcomes, name, uri, servers, partial=bool(budget.stop()) or subject.spent)
        observe.finished("deployment", f"{subject.n_requests} requests")


def _finding(rule: Rule, outcome: Outcome, name: str, uri: str) -> Finding:
    lines = "\n".join(outcome.shown).encode()
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=name,
        title=f"{rule.title}: {outcome.said}",
        severity=rule.severity,
        confidence="confirmed" if outcome.state == "confirmed" else "likely",
        detail="; ".join(outcome.shown[:3]),
        locations=(Location(uri=uri),),
        evidence=(Evidence.of("exchanges", lines, "text/plain", f"{len(outcome.shown)} answers"),) if lines else (),
        remedies=(rule.remedy,),
        references=rule.references,
    )


def _account(
    spec: Spec, outcomes: list[tuple[Rule, Outcome]], name: str, uri: str, servers: str, *, partial: bool
) -> Finding:
    """Say what every check came to, so that what was not tested cannot be taken for clean."""
    said: dict[str, list[str]] = {state: [] for state in STATES}
    for rule, outcome in outcomes:
        said[outcome.state].append(f"{rule.name} ({outcome.said})" if outcome.state not in _FOUND else rule.name)
    told = ", ".join(f"{len(names)} {state}" for state, names in said.items() if names)
    blind = len(said["not tested"])
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=name,
        title=f"{len(outcomes)} checks of {uri}: {told}",
        severity=Severity.INFO,
        detail=". ".join(f"{state.capitalize()}: {'; '.join(names)}" for state, names in said.items() if names)
        + f". Servers: {servers}.",
        quantities=(
            Quantity(
                name="checks_not_tested",
                value=blind,
                unit="count",
                n=len(outcomes),
                low=blind,
                high=blind,
                better="lower",
                partial=partial,
            ),
        ),
        locations=(Location(uri=uri),),
        references=spec.references,
    )
