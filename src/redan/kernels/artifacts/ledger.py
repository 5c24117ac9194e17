"""The one mutable account of an inspection: what was found, and how much of each limit is used up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from redan.kernels.artifacts.reading import SAFE, UNKNOWN, UNSAFE, Call, Reading, Reason, worst

if TYPE_CHECKING:
    from redan.kernels.artifacts.limits import Limits
    from redan.kernels.artifacts.reading import Verdict


CREDIBLE = frozenset({"denied-import", "dotted-import", "attack-argument", "powerful-name", "unlisted-call"})
"""Kinds of reasons that take whole names; the others come up when numbers are read as opcodes."""


class LimitReached(Exception):
    """A limit stopped the reading; the reason is already in the ledger."""


class Ledger:
    """Collects reasons, calls and counts of one file, containers and streams together.

    Attributes:
        verdict: The worst of the reasons so far.
        complete: Whether everything that loading would interpret was read so far.
    """

    def __init__(self, limits: Limits) -> None:
        """Start an empty account under `limits`."""
        self.limits = limits
        self.reasons: list[Reason] = []
        self.calls: list[Call] = []
        self.members: list[str] = []
        self.n_members = 0
        self.n_opcodes = 0
        self.n_judged = 0
        self.n_bytes_read = 0
        self.n_expanded_bytes = 0
        self.n_nodes = 0
        self.n_evidence_chars = 0
        self.complete = True
        self.verdict: Verdict = SAFE
        self._seen: set[tuple[str, str, str]] = set()
        self._imports: set[str] = set()

    def add(self, kind: str, verdict: Verdict, message: str, where: str = "", offset: int | None = None) -> None:
        """Record a reason once per kind, message and member."""
        if self._has_no_room(verdict):
            return
        key = (kind, message, where)
        if key in self._seen:
            return
        if offset is not None:
            where = f"{where} @ byte {offset}" if where else f"byte {offset}"
        self._keep(Reason(kind=kind, verdict=verdict, message=message, where=where), key)

    def _has_no_room(self, verdict: Verdict) -> bool:
        return len(self.reasons) >= self.limits.reasons and (verdict != UNSAFE or self.verdict == UNSAFE)

    def _keep(self, reason: Reason, key: tuple[str, str, str]) -> None:
        """Keep a reason; beyond the limit only the first unsafe one, in place of the last."""
        if self._has_no_room(reason.verdict):
            return
        if len(self.reasons) >= self.limits.reasons:
            self.reasons.pop()
        self._seen.add(key)
        self.reasons.append(reason)
        self.verdict = worst([self.verdict, reason.verdict])

    def unsafe(self, kind: str, message: str, where: str = "", offset: int | None = None) -> None:
        """Record a reason that makes the file unsafe."""
        self.add(kind, UNSAFE, message, where, offset)

    def unknown(self, kind: str, message: str, where: str = "", offset: int | None = None) -> None:
        """Record that something was not read or not understood."""
        self.complete = False
        self.add(kind, UNKNOWN, message, where, offset)

    def limit(self, name: str, where: str = "") -> LimitReached:
        """Record that the limit `name` was reached and return the exception to raise."""
        self.complete = False
        if not self._has_no_room(UNKNOWN):
            self.unknown("limit", f"limit {name} = {getattr(self.limits, name)} reached", where)
        return LimitReached(name)

    def call(self, call: Call) -> None:
        """Record a node of the call graph."""
        if len(self.calls) < self.limits.calls:
            self.calls.append(call)

    def imported(self, name: str) -> None:
        """Record a dotted name that loading would import."""
        if len(self._imports) < self.limits.imports:
            self._imports.add(name)

    def member(self, path: str) -> None:
        """Count a container's member.

        Raises:
            LimitReached: There are more than `Limits.members`.
        """
        self.n_members += 1
        if self.n_members > self.limits.members:
            raise self.limit("members")
        if len(self.members) < self.limits.listed_members:
            self.members.append(path)

    def nodes(self, n: int, where: str = "") -> None:
        """Count visited values of a document or a graph.

        Raises:
            LimitReached: There are more than `Limits.nodes`.
        """
        self.n_nodes += n
        if self.n_nodes > self.limits.nodes:
            raise self.limit("nodes", where)

    def judges(self, n: int, where: str = "") -> None:
        """Count work on pickles that is not an opcode's.

        Raises:
            LimitReached: It is more than `Limits.judged`.
        """
        self.n_judged += n
        if self.n_judged > self.limits.judged:
            raise self.limit("judged", where)

    def searches(self, n_chars: int) -> bool:
        """Count characters about to be searched for evidence; False, with a reason, beyond the limit."""
        was_within = self.n_evidence_chars <= self.limits.evidence_chars
        self.n_evidence_chars += n_chars
        is_within = self.n_evidence_chars <= self.limits.evidence_chars
        if was_within and not is_within:
            self.limit("evidence_chars")
        return is_within

    def is_credible(self) -> bool:
        """Whether an unsafe reason stands here that arbitrary bytes read as opcodes do not give by chance."""
        return any(reason.verdict == UNSAFE and reason.kind in CREDIBLE for reason in self.reasons)

    def fork(self) -> Ledger:
        """An empty ledger with what is left of the limits on work, for a reading that may be discarded."""
        left = replace(
            self.limits,
            opcodes=max(0, self.limits.opcodes - self.n_opcodes),
            judged=max(0, self.limits.judged - self.n_judged),
            evidence_chars=max(0, self.limits.evidence_chars - self.n_evidence_chars),
            expanded_bytes=max(0, self.limits.expanded_bytes - self.n_expanded_bytes),
        )
        return Ledger(left)

    def spend(self, other: Ledger) -> None:
        """Count the work on a reading that was discarded."""
        self.n_opcodes += other.n_opcodes
        self.n_judged += other.n_judged
        self.n_evidence_chars += other.n_evidence_chars

    def absorb(self, other: Ledger) -> None:
        """Take over everything that `other` found."""
        for reason in other.reasons:
            key = (reason.kind, reason.message, reason.where)
            if key not in self._seen:
                self._keep(reason, key)
        self.calls.extend(other.calls[: self.limits.calls - len(self.calls)])
        self.members.extend(other.members)
        self._imports |= other._imports
        self.n_members += other.n_members
        self.spend(other)
        self.n_bytes_read += other.n_bytes_read
        self.n_expanded_bytes += other.n_expanded_bytes
        self.complete = self.complete and other.complete

    def reading(self, path: str, slug: str) -> Reading:
        """Close the account."""
        verdict = self.verdict
        if verdict == SAFE and not self.complete:
            verdict = UNKNOWN
        return Reading(
            path=path,
            format=slug,
            verdict=verdict,
            reasons=tuple(self.reasons),
            calls=tuple(self.calls),
            n_opcodes=self.n_opcodes,
            n_bytes_read=self.n_bytes_read,
            members=tuple(self.members),
            complete=self.complete,
            imports=tuple(sorted(self._imports)),
        )
