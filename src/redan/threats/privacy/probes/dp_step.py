"""Whether a training step that claims differential privacy keeps what its ε rests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, UsageError
from redan.core.finding import Finding, Location, Quantity, Table
from redan.core.probe import Spec
from redan.subjects.failures import needing
from redan.threats.privacy.threat import THREAT
from redan.threats.privacy.victims import victims

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject, Trainable
    from redan.kernels.dp.conformance.contract import Check, Factory

    class WhiteBox(Subject, Trainable):
        """A subject whose network can be trained."""


RECORDS = 12
LEAST_RECORDS = 2
OURS = "Redan's own DP-SGD step over this model"
REMEDIES = (
    "clip the gradient of each record by itself, before any sum or mean",
    "draw the noise of every step afresh, with noise multiplier · clipping norm on every coordinate of the sum",
    "draw each record on its own with a public probability (Poisson sampling), and take steps that drew nobody too",
    "replace layers in which records see each other: group normalisation for batch normalisation",
    "take sampling rate and normaliser from a public number, never from the number of records",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DpStepParams(core_params.Params):
    """What to test.

    Attributes:
        step: ``MODULE.py:FUNCTION`` that is called as ``make(n_rows, seed)`` and returns the step; empty for ours.
        clip: clipping norm that our step is given.
        noise_multiplier: noise multiplier that our step is given.
        sampling_rate: sampling rate that our step is given.
    """

    step: str = ""
    clip: float = 1.0
    noise_multiplier: float = 1.0
    sampling_rate: float = 0.05


@probe(
    Spec(
        id="RDN-PRI-021",
        name="dp-step",
        threat="privacy",
        title="White-box test of a training step that claims differential privacy",
        source="Abadi et al. 2016, algorithm 1; the tests are our own",
        needs=("trainable",),
        data=("test",),
        cost="seconds",
        references=("arxiv:1607.00133", "arxiv:2202.12219", "cwe:330"),
        default=False,
    )
)
class DpStep:
    """Tests what the ε of a private training rests on, in the training step itself.

    What it measures:
        How many of seven promises are broken: one record moves the sum by at most the clipping norm; its share does not
        depend on other records; the noise is as wide as promised on every coordinate, fresh in each step, and there
        when nobody was drawn; records are drawn by Poisson sampling; no number follows the count of records.

    Why it matters:
        An accountant prices the step that was described. Trainings whose step differs (clipping by the batch, noise
        that is too small or repeated, shuffled batches, batch normalisation) have no ε at all, and nothing shows it.

    How:
        Two steps with the same seed have the same noise, so their difference shows what a record does, exactly, also
        a record a thousand times too large. Two steps with other seeds have the same gradients, so their difference
        shows the noise: chi-square tests of its width in all and in 16 parts, and its correlation with later steps.
        Sizes of batches, shares of records and repetitions are held against Poisson sampling.

    Shapes:
        x: (n, …) numbers, y: (n,) class indices; at least two records. The step of another library is named by
        ``--param step=MODULE.py:FUNCTION``, called as ``make(n_rows, seed)``, and returns an object with ``clip``,
        ``noise_multiplier``, ``sampling_rate``, ``normaliser``, ``rows()`` and ``update(x, y)``.

    Units:
        A count of promises.

    Error of the estimate:
        A step that keeps all promises is accused in at most 1 of 1000 runs: 26 statistics share that rate (Bonferroni).
        Noise that is 3 % too small is seen in 40 000 numbers almost surely.

    Cost:
        Some hundred steps over a few records: a second for a small network.

    Sources:
        Abadi et al. 2016, "Deep learning with differential privacy"; Tramèr et al. 2022, "Debugging differential
        privacy", for the bugs that such tests must find.

    Limits:
        The step is tested as it answers here; what wraps it may sample or update otherwise. Whether the noise can be
        guessed, and what its last bits say, is not tested. A number that follows the count of records matters where
        neighbours differ by a record that is added; it is counted by itself.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = DpStepParams

    def run(
        self,
        subject: WhiteBox,
        inputs: Inputs,
        params: DpStepParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Test the step and yield one finding."""
        data = victims(inputs.role("test"), RECORDS, least=LEAST_RECORDS)
        if why := budget.stop():
            raise BudgetSpent(why)
        with needing("testing a private step"):
            from redan.kernels.dp.conformance.contract import Records
            from redan.kernels.dp.conformance.examining import N_CHECKS, examine

            make, name = _factory(subject, params)
        observe.started("dp-step", N_CHECKS)
        checks: list[Check] = []
        for check in examine(make, Records(x=data.x, y=data.y), seed, budget.stop):
            checks.append(check)
            observe.advanced("dp-step", len(checks), N_CHECKS, check.name)
        observe.finished("dp-step")
        if not checks:
            raise BudgetSpent("the budget ended before a promise was tested", hint="give a larger budget")
        yield _finding(subject, params, data, name, checks, partial=len(checks) < N_CHECKS)


def _factory(subject: WhiteBox, params: DpStepParams) -> tuple[Factory, str]:
    """Return what makes the step, and what it is called.

    Raises:
        UsageError: the parameter names no function.
    """
    if params.step:
        from redan.subjects.factory import named_in, split_factory

        found = split_factory(params.step)
        if found is None:
            raise UsageError(f"{params.step!r} names no step", hint="--param step=MODULE.py:FUNCTION")
        return named_in(*found), f"{found[0].name}:{found[1]}"
    from torch.nn.functional import cross_entropy

    from redan.kernels.dp.conformance.own import own_factory
    from redan.kernels.dp.step import Privacy

    privacy = Privacy(
        noise_multiplier=params.noise_multiplier,
        clip=params.clip,
        sampling_rate=params.sampling_rate,
        batch_size=1000 * params.sampling_rate,
        steps=1,
    )
    return own_factory(subject.module, lambda net, y: cross_entropy(net, y, reduction="none"), privacy), OURS


def _finding(
    subject: WhiteBox, params: DpStepParams, data: Dataset, name: str, checks: list[Check], *, partial: bool
) -> Finding:
    from redan.kernels.dp.conformance.examining import FALSE_ALARM_RATE, PUBLIC

    shown = [c for c in checks if c.verdict != "not shown"]
    broken = [c for c in shown if c.verdict == "broken"]
    steps = _count("dp_promises_broken", [c for c in shown if c.name != PUBLIC], partial)
    numbers = _count("dp_numbers_from_data", [c for c in shown if c.name == PUBLIC], partial)
    quantities = tuple(q for q in (steps, numbers) if q.n)
    title = f"{name} breaks {', '.join(c.name for c in broken)}" if broken else f"{name} keeps {len(shown)} promises"
    silent = [c.name for c in checks if c.verdict == "not shown"]
    detail = " ".join(
        [
            "; ".join(f"{c.name}: {c.seen}" for c in broken or shown) + ".",
            "The ε that was computed for this training does not hold." if any(c.name != PUBLIC for c in broken) else "",
            f"Nothing was shown about {', '.join(silent)}." if silent else "",
            f"A step that keeps every promise is accused in at most {FALSE_ALARM_RATE:.1%} of runs.",
        ]
    )
    return Finding(
        rule=DpStep.spec.id,
        threat=DpStep.spec.threat,
        subject=subject.ref.name,
        title=title,
        severity=max(THREAT.severity(q) for q in quantities),
        status="inconclusive" if partial and not broken else "open",
        detail=detail,
        params=params.as_dict(),
        quantities=quantities,
        tables=(_table(checks),),
        locations=(Location(uri=params.step or data.name),),
        remedies=REMEDIES if broken else (),
        references=DpStep.spec.references,
    )


def _count(name: str, checks: list[Check], partial: bool) -> Quantity:
    k = float(sum(c.verdict == "broken" for c in checks))
    return Quantity(name=name, value=k, unit="count", n=len(checks), low=k, high=k, better="lower", partial=partial)


def _table(checks: list[Check]) -> Table:
    rows = tuple((c.name, c.verdict, c.seen, c.p) for c in checks)
    return Table(name="promises", columns=("promise", "verdict", "seen", "p"), rows=rows)
