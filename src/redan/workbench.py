"""The Python interface: a handful of functions over the runner.

net = redan.subject(model, data=(x, y), bounds=(0, 1))
before = redan.attack(net, threats=["evasion", "privacy"], seed=0, budget="5m")
safer = redan.harden(net, against="evasion", budget="20m")
redan.compare(before, redan.attack(safer, like=before)).save("report.html")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.budget import Budget, parse_limits
from redan.core.codec import decode
from redan.core.constraints import Rules
from redan.core.inputs import Dataset, Inputs
from redan.core.policy import Policy
from redan.core.progress import SILENT, Observer
from redan.core.report import Report
from redan.core.subject import Subject
from redan.evidence.blobs import FolderBlobs
from redan.runner.opening import SAMPLE_ROWS, check_rules, dataset, fit
from redan.runner.plan import Choice, attacking, plan
from redan.runner.run import Session, run
from redan.runner.target import Target

if TYPE_CHECKING:
    from redan.runner.harden import Hardened
    from redan.subjects.options import Known

Data = Any
"""(x, y) arrays or tensors, a torch Dataset, a Dataset of ours, a built-in name, or a path."""


def subject(
    model: Any,
    *,
    data: Data = None,
    train: Data = None,
    bounds: tuple[float, float] | None = None,
    classes: Sequence[str] = (),
    name: str = "",
    kind: str = "auto",
    weights: str | Path = "",
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    limit: int = 0,
    offset: int = 0,
    trust: bool = False,
    constraints: Mapping[str, Any] | None = None,
    recipe: Any = None,
    sensitive: Sequence[str] = (),
    aside: Sequence[str] = (),
    reference: Data = None,
    canary: Data = None,
) -> Target:
    """Make something measurable.

    Args:
        model: a torch or Keras module, fitted estimator, booster, callable, file, folder, ``MODULE.py:FACTORY`` or
            address of a prediction endpoint. A model file is scanned before it is loaded.
        data: what it is measured on.
        train: what it was trained on, for privacy and hardening.
        bounds: lowest and highest legal input value; the data's own range when absent.
        classes: class names in the order of the outputs.
        name: what reports and fingerprints call it; keep it when you retrain.
        kind: adapter, when the right one is not found by itself.
        weights: state dict to load into what a factory returns.
        mean: channel means that the owner subtracts before the model, who then divides by ``std``.
        std: channel deviations.
        limit: most rows of data to use; 0 means all.
        offset: rows of data to skip first.
        trust: load a file that is not judged safe, in a sandbox, for labels and scores only.
        constraints: what may change in a row of a table, as ``[constraints]`` of redan.toml has it.
        recipe: function that trains such a model, called as ``fit(x, y, seed)``, or ``MODULE.py:FUNCTION``.
        sensitive: columns that describe people; those of words are no inputs of the model. Arrays come with theirs as
            ``(x, y, {column: values})``, and all of these count when none is named.
        aside: columns that the model is not given.
        reference: rows of the same kind that neither training nor test has seen.
        canary: rows that were planted.

    Raises:
        UsageError: a constraint that names no column or contradicts another.
        SubjectError: it cannot be loaded safely or measured, or model and data do not fit together.
        MissingDependency: an extra is not installed.
    """
    inputs = _inputs(data, train, limit, offset, tuple(sensitive), tuple(aside), constraints)
    inputs = replace(inputs, reference=dataset(reference), canary=dataset(canary))
    known = _known(inputs.test, name, tuple(classes), bounds, tuple(mean), tuple(std))
    return _opened(model, inputs, known, kind=kind, weights=str(weights), trust=trust, recipe=recipe)


def attack(
    net: Any,
    *,
    threats: Sequence[str] = (),
    probes: Sequence[str] = (),
    seed: int = 0,
    budget: str = "",
    like: Report | None = None,
    data: Data = None,
    observe: Observer = SILENT,
    policy: Policy | None = None,
    session: Session | None = None,
    **params: Any,
) -> Report:
    """Measure how weak a model is.

    Args:
        net: what `subject` returned, or anything it accepts (then with ``data``).
        threats: threats by name; all that have probes for this subject when empty.
        probes: exactly these probes; the defaults of the threats when empty.
        seed: root seed; the same seed, subject and data give the same report.
        budget: ``5m``, ``90s cpu``, ``10k queries``; a number cut short says so.
        like: repeat what an earlier report asked for; the arguments above are then taken from it.
        data: data, when ``net`` is not yet a subject with data.
        observe: told about progress.
        policy: what decides; gate ``high`` by default.
        session: replaces seed, budget, policy and observer at once (the command line uses it).
        **params: parameters of probes by name: ``norm="linf", eps=0.1, plan="quick"`` …

    Raises:
        UnknownName: no such threat, probe or parameter.
        SubjectError: the model and the data do not fit.
    """
    work = net if isinstance(net, Target) else subject(net, data=data)
    choice = Choice(threats=tuple(threats), probes=tuple(probes), params=_given(params))
    if like is not None:
        choice, seed, budget = _repeat(like)
    required = policy.required if policy else tuple(threats)
    session = session or Session(
        budget=Budget(limits=parse_limits(budget)),
        seed=seed,
        policy=replace(_today(policy), required=required),
        observe=observe,
        command=_python_call(choice, seed, budget),
    )
    asked = {"threats": choice.threats, "probes": choice.probes, "params": choice.params, "budget": budget}
    steps = plan([work.subject], work.inputs, attacking(choice))
    return run(steps, work.inputs, work.subject.ref, session, asked=asked, notes=work.notes)


def harden(
    net: Target,
    *,
    against: str,
    budget: str = "",
    seed: int = 0,
    mitigations: Sequence[str] = (),
    clean_loss: float | None = None,
    observe: Observer = SILENT,
    **params: Any,
) -> Hardened:
    """Make a better subject, with a new digest and this one in its lineage; the one given stays as it was.

    Candidates train on most of the training rows and are compared on the rest under a quick attack. Without training
    data the rows of the test data are split by the seed: one half trains, and the returned target is measured on the
    other half only.

    Args:
        net: what `subject` returned.
        against: threat to reduce.
        budget: most to spend on all candidates.
        seed: root seed.
        mitigations: exactly these; when empty those that run by default, and with a budget every one that fits.
        clean_loss: most clean accuracy to give up, a fraction; 0.1 when None.
        observe: told about progress.
        **params: parameters of mitigations: ``norm``, ``eps``, ``epochs`` …

    Returns:
        The target with the best candidate, or with the subject as it was where nothing is better; ``front`` and
        ``tried`` hold the alternatives.

    Raises:
        UsageError: nothing reduces that threat for this subject, or too few rows.
        UnknownName: no such mitigation or parameter.
        BudgetSpent: before any candidate was finished.
    """
    from redan.runner.harden import CLEAN_LOSS, Wanted, search

    wanted = Wanted(
        against=against,
        mitigations=tuple(mitigations),
        clean_loss=CLEAN_LOSS if clean_loss is None else clean_loss,
        params=_given(params),
    )
    return search(net, wanted, Session(budget=Budget(limits=parse_limits(budget)), seed=seed, observe=observe))


def check(config: Any = None, *, observe: Observer = SILENT) -> Report:
    """Do what redan.toml asks for: scan, attack, gate.

    Args:
        config: a Config, a path to redan.toml, or None for the nearest one.
        observe: told about progress.

    Raises:
        ConfigError: no redan.toml, or one that does not fit.
    """
    from redan.runner.check import check as run_check
    from redan.runner.check import configured

    return run_check(configured(config), observe=observe)


def open_report(path: str | Path) -> Report:
    """Open a report with its evidence from a run's folder, or a bare document without it.

    Raises:
        Unreadable: there is no report.
        ConfigError: it is of another schema.
    """
    place = Path(path)
    file = place / "report.json" if place.is_dir() else place
    report = Report.read(file)
    evidence = file.parent / "evidence"
    return replace(report, blobs=FolderBlobs(evidence)) if evidence.is_dir() else report


def _opened(
    model: Any,
    inputs: Inputs,
    known: Known,
    *,
    kind: str,
    weights: str,
    trust: bool,  # the façade's flag
    recipe: Any,
) -> Target:
    from redan.subjects.open import open_subject
    from redan.subjects.options import Options
    from redan.subjects.recipes import own_recipe

    sample = None if inputs.test is None else inputs.test.x[:SAMPLE_ROWS]
    opened = open_subject(model, kind=kind, weights=weights, trust=trust, sample=sample, **known)
    own = None if recipe is None else own_recipe(recipe, Options(**known))
    return _fitted(opened, replace(inputs, recipe=own))


def _inputs(
    data: Data,
    train: Data,
    limit: int,
    offset: int,
    sensitive: tuple[str, ...],
    aside: tuple[str, ...],
    constraints: Mapping[str, Any] | None,
) -> Inputs:
    load = partial(dataset, sensitive=sensitive, aside=aside)
    test = load(data, limit=limit, offset=offset)
    named = sensitive or (tuple(test.groups) if test is not None else ())
    return Inputs(test=test, train=load(train), sensitive=named, constraints=_rules(constraints, test))


def _known(
    test: Dataset | None,
    name: str,
    classes: tuple[str, ...],
    bounds: tuple[float, float] | None,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> Known:
    if test is not None:
        classes, bounds = classes or test.classes, bounds or test.bounds
    return {"name": name, "classes": classes, "bounds": bounds, "mean": mean, "std": std}


def _rules(constraints: Mapping[str, Any] | None, test: Dataset | None) -> Rules:
    rules = decode(Rules, constraints or {}, "constraints")
    check_rules(rules, test)
    return rules


def _fitted(opened: Subject, inputs: Inputs) -> Target:
    fit(opened, inputs)
    return Target(subject=opened, inputs=inputs)


def _today(policy: Policy | None) -> Policy:
    now: date = datetime.now(UTC).date()
    return replace(policy or Policy(), today=now)


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _repeat(like: Report) -> tuple[Choice, int, str]:
    asked = like.asked
    choice = Choice(
        threats=tuple(asked.get("threats", ())),
        probes=tuple(asked.get("probes", ())),
        params=dict(asked.get("params", {})),
    )
    return choice, like.run.seed, str(asked.get("budget", ""))


def _python_call(choice: Choice, seed: int, budget: str) -> str:
    words = [f"threats={list(choice.threats)!r}"] if choice.threats else []
    words += [f"probes={list(choice.probes)!r}"] if choice.probes else []
    words += [f"{name}={value!r}" for name, value in choice.params.items()]
    words += [f"budget={budget!r}"] if budget else []
    return f"redan.attack(net, {', '.join([*words, f'seed={seed}'])})"
