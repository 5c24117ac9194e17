"""What every probe promises."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from redan.core import catalogue
from redan.core.errors import RedanError, Skipped, UsageError
from redan.core.finding import Finding
from redan.core.inputs import Inputs
from redan.core.seeds import derive
from redan.core.subject import missing
from redan.testing import described, found, verdicts, world
from redan.testing.case import Item, ProbeCase, breakages, rows, with_role
from redan.testing.narrowed import Narrowed
from redan.testing.promise import Broken, Check, checks, insist
from redan.testing.spending import StopAfter

OTHER_SEED = 987_654_321


def yields_findings_one_by_one(case: ProbeCase) -> None:
    """``run`` is a generator of findings and verdicts, and yields at least one on the case's subject."""
    items = case.run()
    insist(hasattr(items, "__next__"), f"run returns a {type(items).__name__}", "make run a generator: yield findings")
    yielded = list(items)
    odd = sorted({type(item).__name__ for item in yielded if not isinstance(item, Item)})
    insist(not odd, f"run yields {', '.join(odd)}", "yield Finding, Artifact, Examined or Unexamined")
    insist(bool(yielded), "run yields nothing", "give the kit a subject on which there is something to say")


def findings_are_whole(case: ProbeCase) -> None:
    """Each finding names rule, threat and subject; each number has unit, n and interval; each blob its bytes."""
    subject = case.make_subject()
    rules = [e.id for e in catalogue.entries("rule") if e.threat == case.thing.spec.threat]
    for item in case.run(subject=subject):
        if isinstance(item, Finding):
            found.belongs(item, case.thing, subject, rules)
            for quantity in item.quantities:
                found.is_whole(quantity)
            for series in item.series:
                found.is_aligned(series)
            for table in item.tables:
                found.is_rectangular(table)
            for blob in item.evidence:
                found.is_replayable(blob)


def findings_survive_json(case: ProbeCase) -> None:
    """Everything that is yielded comes back from JSON as it was."""
    for item in case.complete():
        found.survives_json(item)


def same_seed_same_findings(case: ProbeCase) -> None:
    """Two runs with one seed yield the same, whatever the state of the global random generators."""
    with world.stirred(1):
        first = verdicts.text(case.run(seed=7))
    with world.stirred(2):
        again = verdicts.text(case.run(seed=7))
    insist(
        first == again,
        "the same seed gave different findings",
        "draw from redan.core.seeds.derive(seed, spec.id, sample index), never from global state, a clock or an id()",
    )


def other_seeds_keep_fingerprints(case: ProbeCase) -> None:
    """Another seed may find other numbers; it must not make another finding of the same measurement."""
    other = [f for f in case.run(seed=OTHER_SEED) if isinstance(f, Finding)]
    seeded = [f.rule for f in other if OTHER_SEED in f.params.values()]
    insist(not seeded, "the seed stands in a finding's params", "leave it out: the run records it")
    known = any(isinstance(f, Finding) for f in case.complete())
    insist(bool(other) or not known, "another seed yields nothing", "yield a finding whatever was drawn")


def order_changes_no_verdict(case: ProbeCase) -> None:
    """Samples in another order, with the same indices, give the same numbers."""
    inputs = case.make_inputs()
    for role in case.roles():
        data = getattr(inputs, role)
        order = sorted(range(len(data)), key=lambda row: derive(0, "order", row))
        inputs = with_role(inputs, role, rows(data, order))
    verdicts.insist_same(case.complete(), list(case.run(inputs=inputs)), "the order of the samples")


def batch_size_changes_no_verdict(case: ProbeCase) -> None:
    """Where a parameter sets the batch size it changes neither numbers nor fingerprints."""
    for name in ("batch_size", "batch"):
        if name in case.thing.Params.names():
            for size in (1, 7):
                changed = list(case.run(params=case.parameters(**{name: size})))
                verdicts.insist_same(case.complete(), changed, f"{name} = {size}")


def leaves_the_world_as_it_was(case: ProbeCase) -> None:
    """Weights, flags, gradients, data and global state are the same before and after."""
    subject, inputs = case.make_subject(), case.make_inputs()
    with world.untouched(subject, inputs):
        list(case.run(subject=subject, inputs=inputs))


def a_stopped_run_leaves_the_world_as_it_was(case: ProbeCase) -> None:
    """The same holds for a run that a caller abandons after the first finding."""
    subject, inputs = case.make_subject(), case.make_inputs()
    with world.untouched(subject, inputs):
        items = case.run(subject=subject, inputs=inputs)
        next(iter(items), None)
        if hasattr(items, "close"):
            items.close()


def a_spent_budget_is_respected(case: ProbeCase) -> None:
    """With nothing to spend it ends early, with nothing or with numbers that are marked as partial."""
    full, spent = StopAfter(), StopAfter(0)
    whole = list(case.run(budget=full))
    insist(full.asked > 0, "the budget is never asked", "ask budget.stop() between steps and end when it says why")
    cut = case.within(spent)
    less = spent.queries < full.queries if full.queries else len(cut) < len(whole)
    insist(
        less or not whole,
        f"a spent budget changes nothing: {spent.queries} of {full.queries} queries, {len(cut)} of {len(whole)} items",
        "ask budget.stop() before the first step, and charge what is spent with budget.charge(queries=…)",
    )
    verdicts.insist_marked(cut, whole)


def a_stop_in_the_middle_is_respected(case: ProbeCase) -> None:
    """Stopped in the middle it ends, and what was cut short says so."""
    full = StopAfter()
    whole = list(case.run(budget=full))
    for times in sorted({full.asked // 4, full.asked // 2, full.asked - 1} - {0}):
        budget = StopAfter(times)
        verdicts.insist_marked(case.within(budget), whole)
        insist(
            budget.queries <= full.queries,
            f"stopped at step {times} of {full.asked} it spent more than a whole run",
            "return as soon as budget.stop() gives a reason",
        )


def empty_and_single_batches_work(case: ProbeCase) -> None:
    """No rows and one row give findings or a deliberate error, and no number made of nothing."""
    for role in case.roles():
        for size in (0, 1):
            inputs = case.make_inputs()
            inputs = with_role(inputs, role, rows(getattr(inputs, role), range(size)))
            for item in _deliberate(case, f"{size} rows of {role} data", inputs=inputs):
                for quantity in item.quantities if isinstance(item, Finding) else ():
                    found.is_whole(quantity)


def broken_data_are_errors_with_words(case: ProbeCase) -> None:
    """Wrong shapes, NaN and labels that do not exist give findings or a deliberate error, never a crash."""
    for role in case.roles():
        for what, broken in breakages(getattr(case.make_inputs(), role)):
            inputs = with_role(case.make_inputs(), role, broken)
            list(_deliberate(case, f"{what} in {role} data", inputs=inputs))
    if "bytes" in case.thing.spec.needs:
        subject = case.make_subject()
        path = subject.root / "no-such-file"
        instead = {"files": lambda: ((path, path.name),), "left_out": lambda: (), "digest": lambda path: ""}
        gone = Narrowed(subject, ("bytes",), root=path, **instead)
        list(_deliberate(case, "a path that does not exist", subject=gone))


def missing_data_are_named(case: ProbeCase) -> None:
    """Without a data role that it declares the probe says which one is missing."""
    for role in case.thing.spec.data:
        try:
            list(case.run(inputs=with_role(case.make_inputs(), role, None)))
        except UsageError as err:
            insist(role in err.message, f"without {role} data it says {err.message!r}", f"use inputs.role({role!r})")
            continue
        except Exception as err:
            raise Broken(f"without {role} data it raises {type(err).__name__}", f"use inputs.role({role!r})") from err
        insist(kept=False, what=f"{role} data are declared and not used", mend="leave the role out of spec.data")


def only_declared_data_are_used(case: ProbeCase) -> None:
    """A run with nothing but the declared data roles works."""
    inputs = case.make_inputs()
    given = Inputs(**{role: getattr(inputs, role) for role in case.thing.spec.data})
    try:
        list(case.run(inputs=given))
    except UsageError as err:
        raise Broken(f"with only the declared data it says {err.message!r}", "add the role to spec.data") from err


def only_declared_capabilities_are_used(case: ProbeCase) -> None:
    """It asks nothing of the subject that ``needs`` does not declare, so that planning can trust it."""
    subject = case.make_subject()
    lacking = missing(subject, case.thing.spec.needs)
    insist(not lacking, f"make_subject() offers no {', '.join(lacking)}", "give the kit a subject that fits spec.needs")
    narrowed = Narrowed(subject, case.thing.spec.needs)
    # a probe that trains models of the kind may say that this one cannot be trained
    with suppress(Skipped):
        list(case.run(subject=narrowed))
    used = ", ".join(sorted(narrowed.undeclared))
    insist(not used, f"it uses {used} without declaring it", "add the capability to spec.needs")


def _deliberate(case: ProbeCase, what: str, **given: Any) -> Iterator[Item]:
    """Run on something broken and let only deliberate errors pass."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield from list(case.run(**given))
    except RedanError as err:
        insist(bool(err.message), f"{what} raises an error without words", "say what happened and what was expected")
    except Exception as err:
        raise Broken(
            f"{what} raises {type(err).__name__}: {err}",
            "check what comes in, or wrap the call, and raise a RedanError that says what was expected",
        ) from err


def probe_checks() -> tuple[Check, ...]:
    """Return every check of a probe, each to be called with a `ProbeCase`."""
    return checks(
        described.specification_is_complete,
        described.source_is_named,
        described.references_are_known,
        described.docstring_follows_the_template,
        described.parameters_are_frozen_scalars,
        yields_findings_one_by_one,
        findings_are_whole,
        findings_survive_json,
        same_seed_same_findings,
        other_seeds_keep_fingerprints,
        order_changes_no_verdict,
        batch_size_changes_no_verdict,
        leaves_the_world_as_it_was,
        a_stopped_run_leaves_the_world_as_it_was,
        a_spent_budget_is_respected,
        a_stop_in_the_middle_is_respected,
        empty_and_single_batches_work,
        broken_data_are_errors_with_words,
        missing_data_are_named,
        only_declared_data_are_used,
        only_declared_capabilities_are_used,
    )


def check_probe(
    probe_class: Any,
    make_subject: Callable[[], Any],
    make_inputs: Callable[[], Inputs],
    *,
    params: Mapping[str, Any] | None = None,
) -> None:
    """Check everything that a probe promises, and stop at the first promise that is broken.

    Example:
        >>> def test_margin_keeps_its_promises():
        ...     check_probe(Margin, make_subject, make_inputs, params={"batch": 16})

    Args:
        probe_class: the class under ``@probe``.
        make_subject: returns a small subject that offers what ``spec.needs`` names.
        make_inputs: returns small data for the roles in ``spec.data``; twenty to fifty rows are enough.
        params: parameters that differ from the defaults, to make it quick.

    Raises:
        AssertionError: naming the promise, what was seen, and how to mend it.
    """
    case = ProbeCase(thing=probe_class, make_subject=make_subject, make_inputs=make_inputs, params=params or {})
    for check in probe_checks():
        check(case)
