"""Whether synthetic rows link two halves of a real person's record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, UnknownName, UsageError
from redan.core.finding import Table
from redan.core.probe import Spec
from redan.core.report import Examined
from redan.core.seeds import derive
from redan.threats.privacy.synthetic import finding, quantity, rate, tables

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.finding import Finding, Quantity
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.threats.privacy.synthetic import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkabilityParams(core_params.Params):
    """What to compare, and how.

    Attributes:
        original: path of the data that the synthetic data were made from.
        control: path of rows of the same population that they were not made from.
        rows: most rows of the original and of the control.
        known: columns of one half with commas between; every other column when empty.
        neighbours: nearest synthetic rows that are looked at for each half.
    """

    original: str = ""
    control: str = ""
    rows: int = 1000
    known: str = ""
    neighbours: int = 1


@probe(
    Spec(
        id="RDN-PRI-035",
        name="linkability",
        threat="privacy",
        title="Linkability: two halves of a record that lead to the same synthetic row",
        source="Giomi et al. 2023, PoPETs, section 3.2",
        needs=("bytes",),
        cost="seconds",
        references=("atlas:AML.T0024", "arxiv:2211.10459", "doi:10.56553/popets-2023-0055"),
        default=False,
    )
)
class Linkability:
    """Measures whether synthetic rows join what somebody knows about a person from two sources.

    What it measures:
        The share of original rows whose two halves, each with some of the columns, have the same nearest synthetic row,
        against rows of a control that the synthetic data were not made from, and against rows at random.

    Why it matters:
        Two data sets about the same people, without names, become one where a third lies between them.

    How:
        Gower's distance over the columns of each half; the halves are every other column unless columns are named.

    Shapes:
        Three tables with columns of the same names, numbers and categories mixed; missing cells are allowed.

    Units:
        Fractions of rows; the risk is the difference to the control as a share of what the control leaves.

    Error of the estimate:
        Newcombe's 95 % interval for the difference, Fisher's exact test for chance.

    Cost:
        Two distances between each of 2000 rows and every synthetic row: a few seconds for 50 000 of them.

    Sources:
        Giomi, Boenisch, Wehmeyer & Tasnádi 2023, "A unified framework for quantifying privacy risk in synthetic data";
        Gower 1971.

    Limits:
        Which columns a half has decides what is found: name those that others hold. The control must be drawn like the
        original and share no row with it.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = LinkabilityParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: LinkabilityParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined]:
        """Link rows and yield one finding."""
        if params.neighbours < 1:
            raise UsageError(f"neighbours is {params.neighbours}; expected 1 or more")
        found = tables(subject, params.original, params.control, params.rows, derive(seed, self.spec.id))
        halves = _halves(found.data.names, params.known)
        if why := budget.stop():
            raise BudgetSpent(why)
        observe.started("linkability", 1)
        yield _told(self.spec, subject, params, found, halves)
        for _, shown in subject.files():
            yield Examined(path=shown, format="data", by=("linkability",))
        observe.finished("linkability")


def _halves(names: tuple[str, ...], known: str) -> tuple[list[int], list[int]]:
    """Return the places of the columns of each half.

    Raises:
        UnknownName: no such column.
        UsageError: one half is empty.
    """
    asked = [name for name in known.split(",") if name]
    if unknown := next((name for name in asked if name not in names), None):
        raise UnknownName.among("column", unknown, list(names))
    one = [names.index(name) for name in asked] or list(range(0, len(names), 2))
    other = [place for place in range(len(names)) if place not in one]
    if not other:
        raise UsageError("every column is named as known, so there is nothing to link with", hint="name fewer columns")
    return one, other


def _told(
    spec: Spec, subject: Files, params: LinkabilityParams, found: Tables, halves: tuple[list[int], list[int]]
) -> Finding:
    from redan.kernels.synthetic.comparing import risk
    from redan.kernels.synthetic.linking import linked, linked_blindly

    n, k = len(found.original), min(params.neighbours, len(found.synthetic))
    hits = int(linked(found.data, found.original, found.synthetic, halves, k).sum())
    blind = int(linked_blindly(n, len(found.synthetic), k, found.draws).sum())
    rows: list[tuple[Any, ...]] = [("original rows", n, hits / n), ("rows at random", n, blind / n)]
    numbers: tuple[Quantity, ...] = (rate("linked_rate", hits, n), rate("blind_rate", blind, n))
    gain = None
    title = f"{hits / n:.1%} of {n} records are linked through the synthetic rows"
    if found.control is not None:
        others = int(linked(found.data, found.control, found.synthetic, halves, k).sum())
        gain = risk((hits, n), (others, n))
        rows.insert(1, ("control rows", n, others / n))
        numbers = (quantity("linkability_risk", gain, n), *numbers, rate("control_rate", others, n))
        title += f", {gain.value:+.1%} beyond the control"
    first = ", ".join(found.data.names[place] for place in halves[0])
    detail = (
        f"For {hits / n:.1%} of {n} original rows the columns {first} and all others have the same nearest synthetic "
        f"row{'' if k == 1 else f' among {k}'}; rows at random agree for {blind / n:.1%}."
    )
    table = Table(name="linked", columns=("rows", "n", "linked"), rows=tuple(rows))
    return finding(spec, subject, params, gain, numbers, title=title, detail=detail, table=table)
