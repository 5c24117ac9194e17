"""Whether synthetic rows tell conditions that exactly one real person meets."""

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
    from redan.core.budget import Budget
    from redan.core.finding import Finding, Quantity
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.synthetic.singling_out import Guess, SingledOut
    from redan.threats.privacy.synthetic import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglingOutParams(core_params.Params):
    """What to compare, and how.

    Attributes:
        original: path of the data that the synthetic data were made from.
        control: path of rows of the same population that they were not made from.
        rows: most rows of the original and of the control.
        guesses: most guesses of each kind.
        width: columns in a guess of several, at least.
    """

    original: str = ""
    control: str = ""
    rows: int = 5000
    guesses: int = 500
    width: int = 3


@probe(
    Spec(
        id="RDN-PRI-034",
        name="singling-out",
        threat="privacy",
        title="Singling out: conditions learnt from synthetic rows that one real row alone meets",
        source="Giomi et al. 2023, PoPETs, section 3.1",
        needs=("bytes",),
        cost="seconds",
        references=("atlas:AML.T0024", "arxiv:2211.10459", "doi:10.56553/popets-2023-0055"),
        default=False,
    )
)
class SinglingOut:
    """Measures whether synthetic rows single out the people that they were made from.

    What it measures:
        How many conditions that hold for one synthetic row hold for exactly one row of the original, against as many
        rows of a control that the synthetic data were not made from. The difference, as a share of what the control
        leaves, is the risk.

    Why it matters:
        Data are anonymous only where nobody can be singled out; synthetic data that repeat rare rows do single out.

    How:
        Conditions on one column are its extremes and unique values, conditions on several come from one synthetic row:
        equality for categories, at least or at most for numbers. Original and control have the same number of rows.

    Shapes:
        Three tables with columns of the same names, numbers and categories mixed; missing cells are allowed.

    Units:
        Fractions of guesses; the risk is at most 1.

    Error of the estimate:
        The probability is that of random deals of all rows to original and control, given the guesses, which is exact
        however guesses depend on each other. The interval of the risk is at least as wide as these deals spread.

    Cost:
        A second for 5000 rows and 1000 guesses.

    Sources:
        Giomi, Boenisch, Wehmeyer & Tasnádi 2023, "A unified framework for quantifying privacy risk in synthetic data";
        the test by deals is our own.

    Limits:
        Other attackers know more. A gain below what the number of guesses can tell from chance is not seen. The control
        must be drawn like the original and share no row with it.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = SinglingOutParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: SinglingOutParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined]:
        """Guess from the synthetic rows and yield one finding."""
        found = tables(subject, params.original, params.control, params.rows, derive(seed, self.spec.id))
        if why := budget.stop():
            raise BudgetSpent(why)
        observe.started("singling-out", 1)
        yield _told(self.spec, subject, params, found)
        for _, shown in subject.files():
            yield Examined(path=shown, format="data", by=("singling-out",))
        observe.finished("singling-out")


def _told(spec: Spec, subject: Files, params: SinglingOutParams, found: Tables) -> Finding:
    from redan.kernels.synthetic.singling_out import blindly, by_columns, by_one_column, singled_out

    one = by_one_column(found.data, found.synthetic, params.guesses, found.draws)
    several = by_columns(found.data, found.synthetic, params.width, params.guesses, found.draws)
    every = [*one, *several]
    blind = list(blindly(found.data, every, found.synthetic, found.draws))
    n = len(every)
    if not n:
        return _nothing(spec, subject, params)
    hits = {name: _alone(guesses, found.original) for name, guesses in (("all", every), ("blind", blind))}
    rows: list[tuple[Any, ...]] = [("blind guesses", n, hits["blind"] / n, "")]
    numbers: tuple[Quantity, ...]
    judged: dict[str, SingledOut] = {}
    if found.control is None:
        gain = None
        rows.append(("guesses", n, hits["all"] / n, ""))
        numbers = (rate("singled_out_rate", hits["all"], n), rate("blind_rate", hits["blind"], n))
    else:
        kinds = (("one column", one), ("several columns", several), ("all", every))
        judged = {name: singled_out(kind, found.original, found.control, found.draws) for name, kind in kinds if kind}
        rows += [(name, each.n, each.original / each.n, each.control / each.n) for name, each in judged.items()]
        whole = judged["all"]
        gain = whole.gain
        numbers = (
            quantity("singling_out_risk", gain, n),
            rate("singled_out_rate", whole.original, n),
            rate("control_rate", whole.control, n),
            rate("blind_rate", hits["blind"], n),
        )
    detail = (
        f"{hits['all'] / n:.1%} of {n} guesses single out one of {len(found.original)} original rows; guesses of the "
        f"same form with values at random {hits['blind'] / n:.1%}."
    )
    if judged:
        detail += f" Of as many control rows they single out {judged['all'].control / n:.1%}."
    heads = ("guesses", "n", "single out an original row", "single out a control row")
    title = f"{hits['all'] / n:.1%} of {n} guesses from synthetic rows single out a real one"
    if gain is not None:
        title += f", {gain.value:+.1%} beyond the control"
    table = Table(name="guesses", columns=heads, rows=tuple(rows))
    return finding(spec, subject, params, gain, numbers, title=title, detail=detail, table=table)


def _alone(guesses: list[Guess], rows: Any) -> int:
    return sum(len(guess.holds(rows)) == 1 for guess in guesses)


def _nothing(spec: Spec, subject: Files, params: SinglingOutParams) -> Finding:
    """Say that no synthetic row stands out, so that there was nothing to guess."""
    return finding(
        spec,
        subject,
        params,
        None,
        (rate("singled_out_rate", 0, 0),),
        title="no synthetic row stands out by any condition, so none was tried",
        detail="Nothing was measured: every condition holds for several synthetic rows.",
        table=Table(name="guesses", columns=("guesses", "n"), rows=()),
    )
