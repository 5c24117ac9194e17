"""Whether synthetic rows tell what is missing of a real person's record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent
from redan.core.finding import Table
from redan.core.probe import Spec
from redan.core.report import Examined
from redan.core.seeds import derive
from redan.threats.privacy.synthetic import finding, quantity, rate, tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.finding import Finding, Quantity
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.synthetic.comparing import Risk
    from redan.threats.privacy.synthetic import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticInferenceParams(core_params.Params):
    """What to compare.

    Attributes:
        original: path of the data that the synthetic data were made from.
        control: path of rows of the same population that they were not made from.
        rows: most rows of the original and of the control.
    """

    original: str = ""
    control: str = ""
    rows: int = 1000


@probe(
    Spec(
        id="RDN-PRI-036",
        name="synthetic-inference",
        threat="privacy",
        title="Inference: a column of a record taken from the nearest synthetic row",
        source="Giomi et al. 2023, PoPETs, section 3.3",
        needs=("bytes",),
        cost="seconds",
        references=("atlas:AML.T0024", "arxiv:2211.10459", "doi:10.56553/popets-2023-0055"),
        default=False,
    )
)
class SyntheticInference:
    """Measures whether synthetic rows fill in what somebody does not know about a person.

    What it measures:
        For each column, the share of original rows whose value is that of the nearest synthetic row by all other
        columns, against rows of a control that the synthetic data were not made from; the worst column is judged.

    Why it matters:
        Whoever knows most of a record learns the rest where the synthetic data repeat it. What the control gives away
        too holds for the population and is no leak.

    How:
        Gower's distance over all other columns. Categories count when equal, numbers within 5 % of the true value.

    Shapes:
        Three tables with columns of the same names, numbers and categories mixed; missing cells are allowed.

    Units:
        Fractions of rows; the risk is the difference to the control as a share of what the control leaves.

    Error of the estimate:
        Newcombe's interval for the difference and Fisher's exact test, both corrected for taking the worst column
        (Bonferroni).

    Cost:
        One distance between each of 2000 rows and every synthetic row: a few seconds for 50 000 of them.

    Sources:
        Giomi, Boenisch, Wehmeyer & Tasnádi 2023, "A unified framework for quantifying privacy risk in synthetic data".

    Limits:
        The attacker knows every other column. The control must be drawn like the original and share no row with it.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = SyntheticInferenceParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: SyntheticInferenceParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined]:
        """Infer every column and yield one finding."""
        found = tables(subject, params.original, params.control, params.rows, derive(seed, self.spec.id))
        if why := budget.stop():
            raise BudgetSpent(why)
        observe.started("synthetic-inference", 1)
        yield _told(self.spec, subject, params, found)
        for _, shown in subject.files():
            yield Examined(path=shown, format="data", by=("synthetic-inference",))
        observe.finished("synthetic-inference")


def _told(spec: Spec, subject: Files, params: SyntheticInferenceParams, found: Tables) -> Finding:
    from redan.kernels.synthetic.linking import agrees, inferred

    n, names = len(found.original), found.data.names
    ours = inferred(found.data, found.original, found.synthetic).sum(axis=0)
    picked = found.synthetic[found.draws.integers(0, len(found.synthetic), n)]
    blind = [int(agrees(found.data, picked[:, p], found.original[:, p], p).sum()) for p in range(len(names))]
    rows: list[tuple[Any, ...]]
    numbers: tuple[Quantity, ...]
    gain = None
    if found.control is None:
        worst = int((ours - blind).argmax())
        rows = [(name, n, int(ours[p]) / n, "", blind[p] / n) for p, name in enumerate(names)]
        numbers = (rate("inferred_rate", int(ours[worst]), n), rate("blind_rate", blind[worst], n))
    else:
        theirs = inferred(found.data, found.control, found.synthetic).sum(axis=0)
        gains = _gains(ours, theirs, n)
        worst = min(range(len(names)), key=lambda p: (gains[p].p, -gains[p].value))
        gain = gains[worst]
        rows = [(name, n, int(ours[p]) / n, int(theirs[p]) / n, blind[p] / n) for p, name in enumerate(names)]
        numbers = (
            quantity("inference_risk", gain, n),
            rate("inferred_rate", int(ours[worst]), n),
            rate("control_rate", int(theirs[worst]), n),
            rate("blind_rate", blind[worst], n),
        )
    title = f"{names[worst]!r} of {ours[worst] / n:.1%} of {n} records follows from the nearest synthetic row"
    if gain is not None:
        title += f", {gain.value:+.1%} beyond the control"
    detail = f"{names[worst]!r} is the worst of {len(names)} columns; values of synthetic rows at random are right for "
    detail += f"{blind[worst] / n:.1%}."
    heads = ("column", "n", "original", "control", "at random")
    table = Table(name="columns", columns=heads, rows=tuple(rows))
    return finding(spec, subject, params, gain, numbers, title=title, detail=detail, table=table)


def _gains(ours: NDArray[Any], theirs: NDArray[Any], n: int) -> list[Risk]:
    """Return the gain for each column, corrected for the number of columns."""
    from dataclasses import replace

    from redan.kernels.statistics import CONFIDENCE
    from redan.kernels.synthetic.comparing import risk

    several = len(ours)
    confidence = 1 - (1 - CONFIDENCE) / several
    found = [risk((int(a), n), (int(b), n), confidence) for a, b in zip(ours, theirs, strict=True)]
    return [replace(each, p=min(1.0, each.p * several)) for each in found]
