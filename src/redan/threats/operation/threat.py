"""A model at work meets other inputs, answers otherwise, errs more often, or is used by somebody who should not.

What was measured before it was served holds for the inputs and the use of that time. Inputs drift, upstream systems
change a unit, truths show that it errs, a key is stolen and used from elsewhere, passwords are tried by the thousand.
None of these is an attack on the mathematics of a model, and each of them ends what was said about it.
"""

from __future__ import annotations

from redan.core.catalogue import threat
from redan.core.finding import Severity
from redan.core.threat import Scale, Threat

THREAT = threat(
    Threat(
        id="operation",
        question="Is it used, and does it answer, as when it was tested?",
        applies_when="the model is served",
        references=("nist:ai-rmf-measure-2.4", "owasp:ML05", "cwe:307"),
        scales=(
            # the usual reading of the index: 0.1 a change, 0.25 a large one
            Scale(
                quantity="stability_index",
                steps=((0.5, Severity.HIGH), (0.25, Severity.MEDIUM)),
                otherwise=Severity.LOW,
            ),
            Scale(
                quantity="accuracy_drop",
                steps=((0.1, Severity.HIGH), (0.05, Severity.MEDIUM)),
                otherwise=Severity.LOW,
            ),
        ),
    ),
    module=__name__,
    doc=__doc__,
)
