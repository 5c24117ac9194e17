"""Some rows hold values that the schema does not allow.

What it means:
    A schema says which columns there are, of which kind, in which range, with which categories, and which may be
    empty. Rows break it; the finding counts them and names the first hundred.

Why it matters:
    A model is only tested for inputs like those it was trained on. Values outside are mistakes upstream or attempts to
    reach behaviour that nobody measured.

How it is found:
    pandera checks every row; the share of broken rows has a Wilson interval. Rows are counted from 0 without the
    header.

What to do:
    Correct the rows at their source, or, if they are right, infer the schema anew from data that has such values.

Limits:
    A schema inferred from data is as complete as that data.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-035",
        name="data-schema",
        threat="supply_chain",
        title="Rows of a data set do not fit its schema",
        severity=Severity.HIGH,
        remedy="Correct the rows at their source, or infer the schema anew.",
        references=(
            "cwe:1287",
            "cwe:1284",
            "owasp:ML01",
        ),
    ),
    module=__name__,
    doc=__doc__,
)
