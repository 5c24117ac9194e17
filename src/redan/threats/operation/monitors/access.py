"""Use of a served model that is not the use it was opened for: tried passwords, stolen keys, storms of denials."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import Any, ClassVar, Self

from redan.core.catalogue import monitor
from redan.core.finding import Finding, Location, Quantity, Severity
from redan.core.probe import Spec
from redan.kernels.detectors.alarms import log_evidence
from redan.kernels.statistics import wilson

MINUTE_S = 60
MINUTES = 10
"""What is looked at together."""
MOST_KEYS = 4096
"""Networks, users and tried names of one minute; further ones are not told apart, and counted."""
MOST_TRIED = 64
SURE = 1e-6
"""Chance that use which keeps to what is allowed is ever evidence against one client."""
ALLOWED_FAILING = 0.2
ALLOWED_DENIED = 0.3
LEAST_TRIED = 10
LEAST_GUESSES = 30
PERSON_A_MINUTE = 300
PERSON_NETWORKS = 5
KNOWN_S = 86_400.0
KNOWN_USES = 200
FEW_NETWORKS = 3
MOST_KNOWN = 10_000
SUBJECT = "service"
NOBODY = ("", "-")
FAILED = frozenset({"unauthenticated"})
"""Words of the audit log for somebody who could not show who it is; whatever nobody known is denied counts too."""
UNJUDGED = frozenset({"identity", "draining", "overload", "audit", "failed", "quarantine", "version", "gone"})
"""Words for what a gateway does not answer for reasons of its own: no credential, and no request, was found wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One decision, or as many alike.

    Attributes:
        time_s: when, in seconds since the epoch.
        who: who asked; ``-`` for nobody known.
        addr: network address.
        ok: whether it was allowed.
        why: why not.
        tried: name or key that somebody claimed and could not prove.
        n: how many.
    """

    time_s: float
    who: str
    addr: str = ""
    ok: bool = True
    why: str = ""
    tried: str = ""
    n: int = 1


@dataclass(slots=True)
class _Count:
    n: int = 0
    bad: int = 0
    others: frozenset[str] = frozenset()

    def add(self, n: int, bad: int, other: str) -> None:
        self.n, self.bad = self.n + n, self.bad + bad
        if other and len(self.others) < MOST_TRIED and other not in self.others:
            self.others |= {other}

    def plus(self, other: _Count) -> _Count:
        both = frozenset(sorted(self.others | other.others)[:MOST_TRIED])
        return _Count(self.n + other.n, self.bad + other.bad, both)


_Minute = dict[tuple[str, str], _Count]


@dataclass(slots=True)
class _Known:
    first_s: float
    n: int
    networks: frozenset[str]


@dataclass(slots=True)
class _State:
    minutes: dict[int, _Minute] = field(default_factory=dict)
    known: dict[str, _Known] = field(default_factory=dict)
    moved: dict[tuple[str, str], float] = field(default_factory=dict)


@monitor(
    Spec(
        id="RDN-OPE-204",
        name="abnormal-access",
        threat="operation",
        title="Tried passwords, stolen keys, impossible rates and storms of denials",
        source="OWASP Credential Stuffing Prevention; Shin, Ramdas & Rinaldo 2024, section 2.2 (the evidence)",
        references=("cwe:307", "owasp:ML05", "atlas:AML.T0012", "arxiv:2203.03532"),
    )
)
class AbnormalAccess:
    """Sees access that no owner of a credential would make.

    What it sees:
        Decisions of the last ten minutes by network (/24 or /48), by who asked and by the name that was tried: how many
        failed to prove who they are, how many were denied, from how many networks. For each client, from which networks
        it was used before.

    Why it matters:
        A stolen key asks like its owner; only where from, how fast and after what failures tell. Denials in storms are
        somebody who looks for what is open.

    How:
        ``stuffing``: one network tries ten names or more and fails; ``guessing``: one name is tried thirty times and
        fails; ``denials``: a client is denied again and again. Each asks for evidence of a million to one against a
        share of 0.2 (failing) or 0.3 (denied) that is ordinary. ``rate``: a person asks more than 300 times a minute.
        ``places``: a person is used from five networks within a minute. ``new-network``: a client that was used for a
        day, from three networks at most, is used from another one.

    Units:
        Shares of decisions; requests a minute; networks.

    Cost:
        A few sums a decision and client; at most 4096 keys a minute and 10 000 clients are remembered.

    Sources:
        OWASP, "Credential stuffing prevention"; Shin, Ramdas & Rinaldo 2024, "E-detectors", for the evidence.

    Limits:
        Whoever tries slowly from many networks stays below it: lock-out by name bounds him. Programs may be used from
        any number of networks at once. Hours of the day are not judged: few clients have enough history to be honest.
    """

    spec: ClassVar[Spec]

    def __init__(self) -> None:
        self._state = _State()
        self.n_untold = 0
        """Decisions whose network or name was beyond what is told apart."""

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Count decisions (`Use`), and yield a finding for each sign that holds now; pass over whatever is none."""
        uses = [each for each in events if isinstance(each, Use) and math.isfinite(each.time_s)]
        if uses:
            self.count(uses)
            yield from self.findings()

    def count(self, uses: Iterable[Use]) -> None:
        """Count decisions."""
        for use in uses:
            self._count(use)
        _forget(self._state.minutes)

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each sign that holds in the last ten minutes."""
        minutes = self._state.minutes
        if not minutes:
            return
        # the others, who are most, are not summed: nothing here speaks of whoever was never denied
        denied = {key for minute in minutes.values() for key, counted in minute.items() if counted.bad}
        for kind, name in sorted(denied):
            found = [minutes[minute][kind, name] for minute in sorted(minutes) if (kind, name) in minutes[minute]]
            yield from self._of(kind, name, reduce(_Count.plus, found))
        for minute in sorted(minutes):
            people = [key for key in minutes[minute] if key[0] == "who" and key[1].startswith("user:")]
            for key in sorted(people):
                yield from _of_person(self.spec, key[1], minutes[minute][key])
        newest_s = (max(minutes) + 1) * MINUTE_S
        for (who, network), at_s in sorted(self._state.moved.items()):
            if newest_s - at_s <= MINUTES * MINUTE_S:
                yield _finding(self.spec, "new-network", who, _exact("networks", 1.0), Severity.LOW, network)

    def merge(self, other: Self) -> Self:
        """Return a monitor that has counted what both have."""
        both = type(self)()
        state = both._state
        for one in (self._state, other._state):
            for minute, counts in one.minutes.items():
                held = state.minutes.setdefault(minute, {})
                for key, counted in counts.items():
                    held[key] = held[key].plus(counted) if key in held else counted.plus(_Count())
            for who, known in one.known.items():
                mine = state.known.get(who)
                state.known[who] = _Known(
                    min(known.first_s, mine.first_s) if mine else known.first_s,
                    known.n + (mine.n if mine else 0),
                    known.networks | (mine.networks if mine else frozenset()),
                )
            state.moved |= one.moved
        _forget(state.minutes)
        both.n_untold = self.n_untold + other.n_untold
        return both

    def _count(self, use: Use) -> None:
        minute = self._state.minutes.setdefault(math.floor(use.time_s / MINUTE_S), {})
        nobody = use.who in NOBODY or use.why in FAILED
        denied = not use.ok and use.why not in UNJUDGED
        network, failed = network_of(use.addr), nobody and denied
        if network:
            self._add(minute, ("net", network), use.n, use.n * failed, use.tried if failed else "")
        if failed and use.tried:
            self._add(minute, ("tried", use.tried), use.n, use.n, "")
        if use.who not in NOBODY:
            self._add(minute, ("who", use.who), use.n, use.n * (denied and not failed), network)
            if network and use.ok:
                self._remember(use, network)

    def _add(self, minute: _Minute, key: tuple[str, str], n: int, bad: int, other: str) -> None:
        counted = minute.get(key)
        if counted is None:
            if len(minute) >= MOST_KEYS:
                self.n_untold += n
                return
            counted = minute[key] = _Count()
        counted.add(n, bad, other)

    def _remember(self, use: Use, network: str) -> None:
        state = self._state
        known = state.known.get(use.who)
        if known is None:
            if len(state.known) >= MOST_KNOWN:
                del state.known[next(iter(state.known))]
            state.known[use.who] = _Known(use.time_s, use.n, frozenset((network,)))
            return
        known.n += use.n
        if network in known.networks or len(known.networks) > FEW_NETWORKS:
            return
        old = use.time_s - known.first_s >= KNOWN_S and known.n >= KNOWN_USES
        if old and len(known.networks) <= FEW_NETWORKS:
            while len(state.moved) >= MOST_TRIED:
                del state.moved[min(state.moved, key=state.moved.__getitem__)]
            state.moved[use.who, network] = use.time_s
        known.networks |= {network}

    def _of(self, kind: str, name: str, counted: _Count) -> Iterator[Finding]:
        bar = -math.log(SURE)
        if kind == "net" and len(counted.others) >= LEAST_TRIED:
            if log_evidence(counted.bad, counted.n, ALLOWED_FAILING) >= bar:
                more = f"{len(counted.others)}{'+' if len(counted.others) == MOST_TRIED else ''} names"
                yield _finding(self.spec, "stuffing", name, _share("failing_rate", counted), Severity.HIGH, more)
        elif kind == "tried" and counted.bad >= LEAST_GUESSES:
            yield _finding(self.spec, "guessing", name, _exact("failures", float(counted.bad)), Severity.HIGH)
        elif kind == "who" and log_evidence(counted.bad, counted.n, ALLOWED_DENIED) >= bar:
            yield _finding(self.spec, "denials", name, _share("denied_rate", counted), Severity.MEDIUM)


def _forget(minutes: dict[int, _Minute]) -> None:
    newest = max(minutes, default=0)
    for old in [minute for minute in minutes if minute <= newest - MINUTES]:
        del minutes[old]


_SAID = {
    "stuffing": "{value:.0%} of {n} logins from {where} fail, under {more}",
    "guessing": "{where} was tried {value:.0f} times in ten minutes without success",
    "denials": "{value:.0%} of {n} requests of {where} are denied",
    "rate": "{where}, a person, asks {value:.0f} times in a minute",
    "places": "{where}, a person, is used from {value:.0f} networks within a minute",
    "new-network": "{where} is used from {more}, where it never was before",
}
_REMEDIES = {
    "stuffing": ("block the network at the edge", "second factors for all who log in"),
    "guessing": ("lock the name, tell its owner",),
    "denials": ("throttle the client, ask what it looks for",),
    "rate": ("suspend the credential, ask its owner",),
    "places": ("revoke the credential: it is shared or stolen",),
    "new-network": ("ask the owner; revoke the key if nobody moved",),
}


def _of_person(spec: Spec, name: str, counted: _Count) -> Iterator[Finding]:
    if counted.n > PERSON_A_MINUTE:
        yield _finding(spec, "rate", name, _exact("requests_a_minute", float(counted.n)), Severity.MEDIUM)
    if len(counted.others) >= PERSON_NETWORKS:
        yield _finding(spec, "places", name, _exact("networks", float(len(counted.others))), Severity.HIGH)


def _finding(spec: Spec, sign: str, where: str, measured: Quantity, severity: Severity, more: str = "") -> Finding:
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=SUBJECT,
        title=_SAID[sign].format(value=measured.value, n=measured.n, where=where, more=more),
        severity=severity,
        confidence="likely",
        detail="Look at the history of who and where this came from before you act: redan audit query.",
        params={"sign": sign},
        quantities=(measured,),
        locations=(
            Location(uri="network" if sign == "stuffing" else "client", address=where),
            *((Location(uri="network", address=more),) if sign == "new-network" else ()),
        ),
        remedies=_REMEDIES[sign],
        references=spec.references,
    )


def _share(name: str, counted: _Count) -> Quantity:
    low, high = wilson(counted.bad, counted.n)
    value = counted.bad / counted.n
    return Quantity(name=name, value=value, unit="fraction", n=counted.n, low=low, high=high, better="lower")


def _exact(name: str, value: float) -> Quantity:
    return Quantity(name=name, value=value, unit="count", n=int(value), low=value, high=value, better="lower")


@lru_cache(maxsize=65_536)
def network_of(addr: str) -> str:
    """Return the /24 or /48 of an address; the word itself, shortened, for what is no address, such as a pseudonym."""
    try:
        found = ipaddress.ip_address(addr)
    except ValueError:
        return addr[:64]
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))
