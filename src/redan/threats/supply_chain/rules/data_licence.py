"""Nothing says under which licence the data may be used.

What it means:
    The card in the manifest has no licence.

Why it matters:
    Without one, use is not permitted in most countries; a model trained on it inherits the question.

How it is found:
    The field ``licence`` of the manifest's card is empty.

What to do:
    Ask the source, and make the manifest anew with ``--licence``, an SPDX identifier where there is one.

Limits:
    Whether the stated licence is true or permits the use is not judged.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-037",
        name="data-licence",
        threat="supply_chain",
        title="The manifest of a data set names no licence",
        severity=Severity.LOW,
        remedy="State the licence: redan data manifest DATA --licence CC-BY-4.0",
        references=("owasp:ML06",),
    ),
    module=__name__,
    doc=__doc__,
)
