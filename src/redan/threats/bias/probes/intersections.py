"""Groups that several columns describe together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import Skipped, UsageError
from redan.core.finding import Finding
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.threats.bias.comparing import ODDS
from redan.threats.bias.counting import CountParams, compared, counted
from redan.threats.bias.people import sensitive_columns
from redan.threats.bias.probes.group_rates import odds_finding

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.bias.asking import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class IntersectionsParams(CountParams):
    """Parameters of intersections.

    Attributes:
        together: most columns that intersect at a time.
    """

    together: int = 4


@probe(
    Spec(
        id="RDN-BIA-002",
        name="intersections",
        threat="bias",
        title="Rates by intersection of groups",
        source="Buolamwini & Gebru 2018, FAT*, section 4; Foulds et al. 2020, ICDE, section III",
        needs=("labels",),
        data=("test", "sensitive"),
        cost="seconds",
        references=("arxiv:1807.08362",),
    )
)
class Intersections:
    """Compares the groups that two or more sensitive columns describe together.

    What it measures:
        What ``group-rates`` measures, for every pair of sensitive columns, every three of them and so on: women over
        sixty, black men, and so forth.

    Why it matters:
        A model can treat women like men and old people like young ones, and still fail old women.

    How:
        The counts by intersection of all columns are added up to those of fewer columns, so that the model is asked
        once. A rate of fewer than ``least`` rows is not tested and the finding names the group.

    Shapes:
        test: (n, …) inputs with (n,) classes and (n,) groups of at least two and at most eight columns.

    Units:
        Fractions of rows.

    Error of the estimate:
        As in ``group-rates``; p-values are corrected within one set of columns.

    Cost:
        One answer a row; a set of columns takes milliseconds, and with eight columns there are 154 sets.

    Sources:
        Buolamwini & Gebru 2018, "Gender shades"; Foulds, Islam, Keya & Pan 2020, "An intersectional definition of
        fairness".

    Limits:
        Most intersections of many columns are too small to judge. With many sets of columns one in twenty of those
        without any bias shows a gap beyond chance.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = IntersectionsParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: IntersectionsParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Ask about every row and yield one finding a set of columns."""
        if params.together < 2:
            raise UsageError(f"together is {params.together}; expected at least two columns that intersect")
        if len(sensitive_columns(inputs)) < 2:
            raise Skipped("one sensitive column does not intersect with another", hint="name several: --sensitive")
        found = counted(subject, inputs, params, budget=budget, observe=observe, name=self.spec.name)
        if found is None:
            return
        columns = found.tally.columns
        for size in range(2, min(params.together, len(columns)) + 1):
            for some in combinations(columns, size):
                result = compared(found, some, ODDS, params, derive(seed, self.spec.id))
                yield odds_finding(self.spec, subject.ref.name, result, params, partial=found.partial)
