"""A column, the missing cells or the data as a whole lie further from the reference than chance explains.

What it means:
    Values are distributed otherwise than in the reference. Small, medium and large are judged by the effect, on
    Cohen's scale (0.2, 0.5, 0.8 standard deviations, or w of 0.1, 0.3, 0.5), never by the p-value. The severity is
    that of the size: low, medium, high.

Why it matters:
    Measured accuracy, robustness and fairness hold for data like the reference. Drift is also what a slow poisoning or
    a probing of the model looks like from afar.

How it is found:
    Numbers: Kolmogorov-Smirnov distance, population stability index, Wasserstein distance. Categories: Cramér's V
    without its bias. Missing cells: difference of rates. All columns together: the AUC of a classifier on unseen rows.
    P-values are adjusted by Holm's method over all of them, so that one comparison in twenty at most raises a false
    alarm.

What to do:
    Find the cause upstream. Measure the model again on the new data before trusting earlier numbers.

Limits:
    Rows must be independent: repeated or ordered rows make chance look like drift. Order in time is not looked at.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-036",
        name="data-drift",
        threat="supply_chain",
        title="A data set has drifted from its reference",
        severity=Severity.MEDIUM,
        remedy="Find the cause, and measure the model again on the new data.",
        references=(
            "atlas:AML.T0020",
            "owasp:ML02",
        ),
    ),
    module=__name__,
    doc=__doc__,
)
