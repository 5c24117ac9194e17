"""What every mitigation promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from redan.core.budget import Budget
from redan.core.errors import BudgetSpent, RedanError, UsageError
from redan.core.inputs import Dataset, Inputs
from redan.core.params import Params
from redan.core.progress import SILENT
from redan.core.subject import missing
from redan.testing import described, world
from redan.testing.case import breakages, rows, with_role
from redan.testing.promise import Broken, Check, checks, insist
from redan.testing.spending import StopAfter

MADE_OF = frozenset({"trees", "refittable"})
"""Capabilities that say what a subject is made of, which something put in front of it may hide."""


@dataclass(kw_only=True)
class MitigationCase:
    """A mitigation with something to improve.

    Attributes:
        thing: the mitigation's class.
        make_subject: returns a subject that offers what the mitigation needs; called anew for each use.
        make_inputs: returns the data roles that it needs, small.
        params: parameters that differ from the defaults, to make it quick.
    """

    thing: Any
    make_subject: Callable[[], Any]
    make_inputs: Callable[[], Inputs]
    params: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "mitigation"

    @property
    def name(self) -> str:
        """Name of the class."""
        return str(self.thing.__name__)

    def parameters(self, **more: Any) -> Params:
        """Return the parameter set."""
        made: Params = self.thing.Params.of({**self.params, **more})
        return made

    def apply(
        self, *, subject: Any = None, inputs: Inputs | None = None, budget: Budget | None = None, seed: int = 0
    ) -> Any:
        """Apply the mitigation once, with whatever is given in place of what the case has."""
        return self.thing().apply(
            self.make_subject() if subject is None else subject,
            self.make_inputs() if inputs is None else inputs,
            self.parameters(),
            budget=budget or Budget(),
            seed=seed,
            observe=SILENT,
        )

    def roles(self) -> list[str]:
        """Return the data roles that the mitigation declares and the case has as data sets."""
        inputs = self.make_inputs()
        return [role for role in self.thing.spec.data if isinstance(getattr(inputs, role), Dataset)]


def a_new_subject_with_its_lineage(case: MitigationCase) -> None:
    """The result has another digest, the same name, and the one given in its lineage."""
    given = case.make_subject()
    lacking = missing(given, case.thing.spec.needs)
    insist(not lacking, f"make_subject() offers no {', '.join(lacking)}", "give a subject that fits spec.needs")
    made = case.apply(subject=given)
    mend = "return subject.rebuilt(module, note=…), around a copy"
    insist(made is not given, "the subject given came back", mend)
    insist(made.ref.digest != given.ref.digest, "the result has the digest of the subject given", mend)
    insist(
        made.ref.name == given.ref.name, f"the result is called {made.ref.name!r}", "keep the name: reports match by it"
    )
    insist(given.ref.digest in made.ref.lineage, "the subject given is not in the lineage of the result", mend)
    lost = sorted(set(given.capabilities) - set(made.capabilities) - MADE_OF)
    insist(not lost, f"the result no longer offers {', '.join(lost)}", "return a subject of the same kind")


def same_seed_same_subject(case: MitigationCase) -> None:
    """Two applications with one seed give the same digest, whatever the state of global random generators."""
    with world.stirred(1):
        first = case.apply(seed=7).ref.digest
    with world.stirred(2):
        again = case.apply(seed=7).ref.digest
    insist(
        first == again,
        "the same seed gave two different subjects",
        "draw from generators of your own, seeded with redan.core.seeds.derive(seed, spec.id, …)",
    )


def leaves_the_world_as_it_was(case: MitigationCase) -> None:
    """The subject given, the data and global state are the same before and after."""
    subject, inputs = case.make_subject(), case.make_inputs()
    with world.untouched(subject, inputs):
        case.apply(subject=subject, inputs=inputs)


def a_spent_budget_is_respected(case: MitigationCase) -> None:
    """With nothing to spend it says that the budget is spent; in the middle it does so or returns what it has."""
    full = StopAfter()
    case.apply(budget=full)
    insist(full.asked > 0, "the budget is never asked", "ask budget.stop() between steps")
    try:
        case.apply(budget=StopAfter(0))
    except BudgetSpent as err:
        insist(bool(err.message), "it raises BudgetSpent without words", "say what was not reached")
    else:
        insist(
            kept=False, what="with a spent budget it returns a subject", mend="raise BudgetSpent before the first step"
        )
    subject, inputs = case.make_subject(), case.make_inputs()
    with world.untouched(subject, inputs):
        _tried(case, "a stop in the middle", subject=subject, inputs=inputs, budget=StopAfter(full.asked // 2))


def broken_data_are_errors_with_words(case: MitigationCase) -> None:
    """No rows, one row, wrong shapes, NaN and labels that do not exist give a subject or a deliberate error."""
    for role in case.roles():
        data = getattr(case.make_inputs(), role)
        few = [(f"{size} rows", rows(data, range(size))) for size in (0, 1)]
        for what, broken in (*few, *breakages(data)):
            _tried(case, f"{what} in {role} data", inputs=with_role(case.make_inputs(), role, broken))


def missing_data_are_named(case: MitigationCase) -> None:
    """Without a data role that it declares the mitigation says which one is missing."""
    for role in case.thing.spec.data:
        try:
            case.apply(inputs=with_role(case.make_inputs(), role, None))
        except UsageError as err:
            insist(role in err.message, f"without {role} data it says {err.message!r}", f"use inputs.role({role!r})")
        else:
            insist(kept=False, what=f"{role} data are declared and not used", mend="leave the role out of spec.data")


def _tried(case: MitigationCase, what: str, **given: Any) -> None:
    """Apply to something broken and let only deliberate errors pass."""
    try:
        case.apply(**given)
    except RedanError as err:
        insist(bool(err.message), f"{what} raises an error without words", "say what happened and what was expected")
    except Exception as err:
        raise Broken(
            f"{what} raises {type(err).__name__}: {err}",
            "check what comes in, or wrap the call, and raise a RedanError that says what was expected",
        ) from err


def mitigation_checks() -> tuple[Check, ...]:
    """Return every check of a mitigation, each to be called with a `MitigationCase`."""
    return checks(
        described.specification_is_complete,
        described.source_is_named,
        described.references_are_known,
        described.docstring_follows_the_template,
        described.parameters_are_frozen_scalars,
        a_new_subject_with_its_lineage,
        same_seed_same_subject,
        leaves_the_world_as_it_was,
        a_spent_budget_is_respected,
        broken_data_are_errors_with_words,
        missing_data_are_named,
    )


def check_mitigation(
    mitigation_class: Any,
    make_subject: Callable[[], Any],
    make_inputs: Callable[[], Inputs],
    *,
    params: Mapping[str, Any] | None = None,
) -> None:
    """Check everything that a mitigation promises, and stop at the first promise that is broken.

    Example:
        >>> def test_smoothing_keeps_its_promises():
        ...     check_mitigation(Smoothing, make_subject, make_inputs, params={"epochs": 1})

    Args:
        mitigation_class: the class under ``@mitigation``.
        make_subject: returns a small subject that offers what ``spec.needs`` names.
        make_inputs: returns small data for the roles in ``spec.data``.
        params: parameters that differ from the defaults, to make it quick.

    Raises:
        AssertionError: naming the promise, what was seen, and how to mend it.
    """
    case = MitigationCase(
        thing=mitigation_class, make_subject=make_subject, make_inputs=make_inputs, params=params or {}
    )
    for check in mitigation_checks():
        check(case)
