"""Somebody learns from the model's answers who or what was in its training data.

The first question is membership: can records of the training data be told from others? An AUC of 0.5 is guessing. The
average hides people at risk, so true positives at one false positive in a hundred are given beside it.
"""

from __future__ import annotations

from redan.core.catalogue import threat
from redan.core.finding import Severity
from redan.core.threat import Scale, Threat

THREAT = threat(
    Threat(
        id="privacy",
        question="Can somebody learn who was in the training data?",
        applies_when="the training data describes people or holds secrets, and somebody outside can ask the model",
        references=("atlas:AML.T0024.000", "owasp:ML04"),
        scales=(
            Scale(
                quantity="membership_auc",
                steps=((0.80, Severity.HIGH), (0.65, Severity.MEDIUM), (0.55, Severity.LOW)),
            ),
            Scale(quantity="dp_promises_broken", steps=((1.0, Severity.HIGH),)),
            Scale(quantity="dp_numbers_from_data", steps=((1.0, Severity.MEDIUM),)),
            Scale(
                quantity="epsilon_shown",
                steps=((5.0, Severity.HIGH), (2.0, Severity.MEDIUM), (0.5, Severity.LOW)),
            ),
            Scale(
                quantity="members_caught_at_0.01_fpr",
                steps=((0.25, Severity.HIGH), (0.10, Severity.MEDIUM), (0.03, Severity.LOW)),
            ),
            Scale(
                quantity="attribute_advantage",
                steps=((0.25, Severity.HIGH), (0.10, Severity.MEDIUM), (0.05, Severity.LOW)),
            ),
            Scale(quantity="classes_recognised", steps=((0.90, Severity.MEDIUM), (0.50, Severity.LOW))),
            Scale(
                quantity="rows_reconstructed",
                steps=((0.50, Severity.HIGH), (0.20, Severity.MEDIUM), (0.05, Severity.LOW)),
            ),
            Scale(
                quantity="canary_exposure", steps=((8.0, Severity.HIGH), (5.0, Severity.MEDIUM), (3.0, Severity.LOW))
            ),
            Scale(
                quantity="singling_out_risk",
                steps=((0.30, Severity.HIGH), (0.10, Severity.MEDIUM), (0.0, Severity.LOW)),
            ),
            Scale(
                quantity="linkability_risk", steps=((0.30, Severity.HIGH), (0.10, Severity.MEDIUM), (0.0, Severity.LOW))
            ),
            Scale(
                quantity="rows_below_k", steps=((0.20, Severity.HIGH), (0.05, Severity.MEDIUM), (0.02, Severity.LOW))
            ),
            Scale(quantity="spare_column_share", steps=((0.5, Severity.MEDIUM), (1e-9, Severity.LOW))),
            Scale(
                quantity="inference_risk", steps=((0.30, Severity.HIGH), (0.10, Severity.MEDIUM), (0.0, Severity.LOW))
            ),
        ),
    ),
    module=__name__,
    doc=__doc__,
)
