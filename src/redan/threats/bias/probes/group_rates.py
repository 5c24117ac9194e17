"""Rates by group, and how far groups lie apart in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.finding import Finding, Location, Severity
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.threats.bias.comparing import ODDS, Compared
from redan.threats.bias.counting import CountParams, compared, counted, undecided
from redan.threats.bias.telling import curves, not_tested, quantities, tables
from redan.threats.bias.threat import THREAT

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.bias.asking import Labelled

REMEDIES = ("RDN-BIA-101 reweighing", "RDN-BIA-103 exponentiated-gradient", "RDN-BIA-104 threshold-optimiser")


@probe(
    Spec(
        id="RDN-BIA-001",
        name="group-rates",
        threat="bias",
        title="Rates by group: equalised odds, parity, predictive values",
        source="Hardt, Price & Srebro 2016, NIPS, definitions 2.1 and 2.2; Chouldechova 2017, Big Data, section 2",
        needs=("labels",),
        data=("test", "sensitive"),
        cost="seconds",
        references=("arxiv:1610.02413", "arxiv:1703.00056"),
    )
)
class GroupRates:
    """Counts what the model decides by group of people, and how far the groups lie apart.

    What it measures:
        For each sensitive column and each of its groups: selection rate, true and false positive and negative rates,
        positive and negative predictive value, accuracy and base rate. Between groups: the difference in equalised
        odds (the larger of the gaps in true and in false positive rate), equal opportunity, demographic parity,
        predictive parity and accuracy.

    Why it matters:
        A model can be right about most people and still turn down the good applicants of one group twice as often as
        those of another, and the average never shows it.

    How:
        One pass over the test rows; then everything follows from counts by group, true and answered class. Each group
        is compared with all others by Fisher's exact test, by a z test above 20,000 rows, and p-values are corrected
        by Holm and by Benjamini and Hochberg. A gap that the tests cannot tell from chance is told as such and has no
        severity. A rate of fewer than ``least`` rows is not tested.

    Shapes:
        test: (n, …) inputs with (n,) classes and (n,) groups by column. A column of numbers with more than 12 values is
        cut into four bands. Of more than two classes each is judged against the others, and the worst is told.

    Units:
        Fractions of rows; gaps are differences of fractions.

    Error of the estimate:
        Wilson intervals for rates. Gaps have bootstrap intervals made from the counts, which is the bootstrap of rows
        itself, symmetric about the value; their low end is zero unless the test excludes chance.

    Cost:
        One answer a row; counting and 1,000 resamples take a fraction of a second for a million rows.

    Sources:
        Hardt, Price & Srebro 2016, "Equality of opportunity in supervised learning"; Chouldechova 2017, "Fair
        prediction with disparate impact"; Efron 1979 for the bootstrap.

    Limits:
        Not all of these gaps can be zero at once where base rates differ; which of them matters is for people to say.
        Equal rates on this data say nothing about other data, nor whether the true classes are themselves unfair.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CountParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: CountParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Ask about every row and yield one finding a sensitive column, in the owner's order."""
        found = counted(subject, inputs, params, budget=budget, observe=observe, name=self.spec.name)
        if found is None:
            return
        for column in found.tally.columns:
            result = compared(found, (column,), ODDS, params, derive(seed, self.spec.id))
            yield odds_finding(self.spec, subject.ref.name, result, params, partial=found.partial)


def odds_finding(spec: Spec, name: str, found: Compared, params: CountParams, *, partial: bool) -> Finding:
    """Tell how far groups lie apart in equalised odds, and in everything else."""
    of = " and ".join(found.columns)
    measured = quantities(found, partial=partial)
    if not measured or measured[0].name != "equalised_odds_difference":
        why = f"fewer than two of {len(found.names)} groups have {params.least} rows of a class"
        return undecided(spec, name, found.columns, params, why)
    odds = measured[0]
    # a gap in one rate may be sure while the larger one, which is told, is noise
    sure = found.sure and odds.low > 0
    chance = (
        "" if sure else f" Chance may explain it (p = {found.p:.2g}), and a gap of {odds.high:.3f} is possible as well."
    )
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=name,
        title=f"{of}: groups lie {odds.value:.3f} apart in equalised odds" + ("" if sure else ", within chance"),
        severity=THREAT.severity(odds) if sure else Severity.INFO,
        confidence="confirmed" if sure else "possible",
        detail=(
            f"Groups of {of} differ by up to {odds.value:.3f} (95 % interval {odds.low:.3f} to {odds.high:.3f}) in "
            f"their true or false positive rate with class {found.favourable} as the positive one; {odds.n} rows."
            f"{chance}{not_tested(found, params.least)}"
        ),
        params=params.as_dict(),
        quantities=measured,
        series=curves(found),
        tables=tables(found),
        locations=(Location(uri="test data", address=of),),
        remedies=REMEDIES,
        references=spec.references,
    )
