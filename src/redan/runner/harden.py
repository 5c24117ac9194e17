"""Try mitigations within a budget, measure each on rows held out, and take one by a stated rule.

No row that is measured at the end takes part in any choice. Against evasion candidates are compared on training rows
that none of them saw; where a probe needs rows that the original has not seen either, on half of the test rows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from redan.core import catalogue
from redan.core.budget import Budget, Limits
from redan.core.errors import BudgetSpent, RedanError, Skipped, UsageError
from redan.core.seeds import derive
from redan.runner.harden_candidates import Candidate, Untried, candidates, craft, yardsticks
from redan.runner.harden_measuring import Measured, doubt, latencies, measured
from redan.runner.harden_pareto import ORIGINAL, Alternative, choose, front, shown
from redan.runner.run import Session
from redan.runner.split import held_out
from redan.runner.target import Target

if TYPE_CHECKING:
    from redan.core.inputs import Dataset, Inputs
    from redan.core.subject import Subject

CLEAN_LOSS = 0.1
"""Most clean accuracy to give up when nobody says."""
VALIDATION_SHARE = 5
"""One training row in so many is held out to compare candidates on …"""
MOST_VALIDATION = 500
"""… and at most so many of them are used."""
FEWEST_VALIDATION = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asked for.

    Attributes:
        against: threat to reduce.
        mitigations: exactly these; when empty those that run by default, and with a budget every one that fits.
        clean_loss: most clean accuracy to give up, a fraction.
        params: parameters of mitigations and of the probe that measures them, by name.
    """

    against: str
    mitigations: tuple[str, ...] = ()
    clean_loss: float = CLEAN_LOSS
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardened(Target):
    """The subject that was taken, with what it was taken from.

    Attributes:
        tried: the original and every candidate that was measured, in the order of work.
        taken: the one of them that this target's subject is.
        untried: what was not tried, or not to its end, and why.
        probe: what measured them.
    """

    tried: tuple[Alternative, ...]
    taken: Alternative
    untried: tuple[Untried, ...] = ()
    probe: str = ""

    @property
    def front(self) -> tuple[Alternative, ...]:
        """Those that no other beats in clean accuracy or in worth without being worse in the other."""
        return front(self.tried)


def search(net: Target, wanted: Wanted, session: Session) -> Hardened:
    """Try every candidate within the session's budget.

    Args:
        net: what is hardened; it stays as it was.
        wanted: against what, with which mitigations and parameters.
        session: budget, seed and observer.

    Raises:
        UsageError: nothing fits, or too few rows.
        BudgetSpent: no candidate was finished within the budget.
        SubjectError: the subject itself cannot be measured.
    """
    if not 0 <= wanted.clean_loss <= 1:
        raise UsageError(f"the clean accuracy to give up is {wanted.clean_loss:g}; expected a fraction from 0 to 1")
    inputs, notes = held_out(net.inputs, session.seed)
    where = craft(wanted.against).compares_on
    limited = session.budget.limits != Limits()
    chosen, untried = candidates(
        wanted.against, net.subject, inputs, wanted.params, named=wanted.mitigations, every=limited
    )
    if where == "training rows":
        fitting, validation = _apart(inputs, session.seed)
    else:
        validation, inputs = _halves(inputs, session.seed)
        fitting = replace(inputs, test=validation.test)
    work, seen = _yardstick(wanted, session, net.subject, validation)
    made = [_Made(name=ORIGINAL, rule="", subject=net.subject, seen=seen, training_cpu_s=0.0, note="")]
    left_out = list(untried)
    for number, candidate in enumerate(chosen):
        found = work.attempt(candidate, net.subject, fitting, validation, last=number == len(chosen) - 1)
        (made if isinstance(found, _Made) else left_out).append(found)  # type: ignore[arg-type]  # told apart here
    if len(made) == 1:
        told = "; ".join(f"{u.name}: {u.why}" for u in left_out)
        raise BudgetSpent(f"no mitigation was tried to its end: {told}", hint="give a larger --budget or fewer rows")
    tried = _alternatives(made, validation.role("test"))
    taken, doubted = work.believed(tried, validation)
    return Hardened(
        subject=taken.subject,
        inputs=inputs,
        notes=(*net.notes, *notes, *_note(taken, validation, where)),
        tried=tuple(one for one in tried if one.name not in {out.name for out in doubted}),
        taken=taken,
        untried=(*left_out, *doubted),
        probe=work.probe,
    )


def _yardstick(wanted: Wanted, session: Session, subject: Subject, validation: Inputs) -> tuple[_Work, Measured]:
    """Measure the subject as it is with the first probe that is a case for it.

    Raises:
        Skipped: none is.
    """
    names = yardsticks(wanted.against, subject, validation)
    for name in names[:-1]:
        work = _Work(wanted=wanted, session=session, probe=name)
        try:
            return work, work.measure(subject, validation)
        except Skipped as err:
            session.observe.note(err.message)
    work = _Work(wanted=wanted, session=session, probe=names[-1])
    return work, work.measure(subject, validation)


def share_of(budget: Budget, share: float) -> Limits:
    """Return a share of what is left of a budget, as limits of its own."""
    limits = budget.limits
    return Limits(
        cpu_s=None if limits.cpu_s is None else max(0.0, limits.cpu_s - budget.cpu_s) * share,
        wall_s=None if limits.wall_s is None else max(0.0, limits.wall_s - budget.wall_s) * share,
        queries=None if limits.queries is None else int(max(0, limits.queries - budget.queries) * share),
        tokens=None if limits.tokens is None else int(max(0, limits.tokens - budget.tokens) * share),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Made:
    """A subject that was made and attacked, and not yet timed."""

    name: str
    rule: str
    subject: Subject
    seen: Measured
    training_cpu_s: float
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    wanted: Wanted
    session: Session
    probe: str

    def measure(self, subject: Subject, validation: Inputs) -> Measured:
        params = {"plan": "quick", **self.wanted.params}
        return measured(
            self.probe, subject, validation, params, replace(self.session, budget=self.session.budget.child())
        )

    def attempt(
        self, candidate: Candidate, subject: Subject, fitting: Inputs, validation: Inputs, *, last: bool
    ) -> _Made | Untried:
        """Apply one mitigation within half of what is left of the budget, the last one within all of it; measure it."""
        entry, session = candidate.entry, self.session
        if reason := session.budget.stop():
            return Untried(rule=entry.id, name=entry.name, why=f"not started: {reason}")
        session.observe.note(f"trying {entry.name}")
        begun = time.process_time()
        try:
            better = catalogue.load(entry)().apply(
                subject,
                fitting,
                candidate.params,
                budget=session.budget.child(share_of(session.budget, 1.0 if last else 0.5)),
                seed=session.seed,
                observe=session.observe,
            )
            spent_s = time.process_time() - begun
            seen = self.measure(better, validation)
        except RedanError as err:
            why = f"{err.message}; {err.hint}" if err.hint else err.message
            return Untried(rule=entry.id, name=entry.name, why=why)
        if seen.partial:
            return Untried(rule=entry.id, name=entry.name, why=f"made, and not measured to the end: {seen.partial}")
        note = better.ref.binding.detail
        return _Made(name=entry.name, rule=entry.id, subject=better, seen=seen, training_cpu_s=spent_s, note=note)

    def believed(self, tried: Sequence[Alternative], validation: Inputs) -> tuple[Alternative, list[Untried]]:
        """Choose, and choose again without it where a probe says that its number cannot be believed."""
        left, doubted = list(tried), []
        best = choose(left, clean_loss=self.wanted.clean_loss)
        while best.name != ORIGINAL and (why := self._doubt(best.subject, validation)):
            left.remove(best)
            doubted.append(Untried(rule=best.rule, name=best.name, why=f"its {shown(best.worth)} is in doubt: {why}"))
            best = choose(left, clean_loss=self.wanted.clean_loss)
        return best, doubted

    def _doubt(self, subject: Subject, validation: Inputs) -> str:
        session = replace(self.session, budget=self.session.budget.child())
        return doubt(craft(self.wanted.against).doubts, subject, validation, self.wanted.params, session)


def _alternatives(made: Sequence[_Made], data: Dataset) -> list[Alternative]:
    return [
        Alternative(
            name=one.name,
            rule=one.rule,
            subject=one.subject,
            clean=one.seen.clean,
            worth=one.seen.worth,
            latency_s=latency_s,
            training_cpu_s=one.training_cpu_s,
            note=one.note,
        )
        for one, latency_s in zip(made, latencies([one.subject for one in made], data.x), strict=True)
    ]


def _apart(inputs: Inputs, seed: int) -> tuple[Inputs, Inputs]:
    """Return the inputs with fewer training rows, and inputs whose test rows are the training rows left out.

    Raises:
        UsageError: too few training rows.
    """
    train = inputs.role("train")
    out = [derive(seed, "harden", int(index)) % VALIDATION_SHARE == 0 for index in train.indices]
    compared = [i for i, away in enumerate(out) if away]
    if len(compared) < FEWEST_VALIDATION:
        raise UsageError(
            f"{len(train)} training rows leave {len(compared)} to compare candidates on; expected at least "
            f"{FEWEST_VALIDATION}",
            hint="give more training data",
        )
    fitting = replace(inputs, train=train.rows([i for i, away in enumerate(out) if not away]))
    return fitting, replace(inputs, test=train.rows(compared[:MOST_VALIDATION]))


def _halves(inputs: Inputs, seed: int) -> tuple[Inputs, Inputs]:
    """Return the inputs twice, each with its own half of the test rows: one to compare on, one to measure on.

    Raises:
        UsageError: too few test rows.
    """
    test = inputs.role("test")
    first = [derive(seed, "harden", int(index)) & 1 == 0 for index in test.indices]
    compared = [i for i, chosen in enumerate(first) if chosen]
    measured = [i for i, chosen in enumerate(first) if not chosen]
    if min(len(compared), len(measured)) < FEWEST_VALIDATION:
        raise UsageError(
            f"{len(test)} test rows leave {len(compared)} to compare on and {len(measured)} to measure on; expected at "
            f"least {FEWEST_VALIDATION} of each",
            hint="give more test data",
        )
    return replace(inputs, test=test.rows(compared)), replace(inputs, test=test.rows(measured))


def _note(taken: Alternative, validation: Inputs, where: str) -> tuple[str, ...]:
    n = len(validation.role("test"))
    if where == "training rows":
        told = (
            f"candidates were compared on {n} training rows that none of them was trained on; the model as it was may "
            "have been trained on them, which can only flatter it"
        )
    else:
        told = f"candidates were compared on {n} test rows that are not among those measured at the end"
    nothing = ("nothing that was tried is better than the model as it was",) if taken.name == ORIGINAL else ()
    return (told, *nothing)
