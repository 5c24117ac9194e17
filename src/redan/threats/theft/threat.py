"""Somebody copies the model by asking it, or takes its weights and calls them his own.

What a copy costs is counted in queries; whose model it is is said by a watermark or fingerprint with a p-value.
"""

from __future__ import annotations

from redan.core.catalogue import threat
from redan.core.finding import Severity
from redan.core.threat import Scale, Threat

THREAT = threat(
    Threat(
        id="theft",
        question="How many queries does it take to copy the model?",
        applies_when="the weights are secret and somebody outside can ask the model",
        references=("atlas:AML.T0024.002", "atlas:AML.T0005", "owasp:ML05"),
        scales=(
            Scale(
                quantity="fidelity",
                steps=((0.95, Severity.MEDIUM), (0.80, Severity.LOW)),
            ),
            # that somebody else's model was made from one's own, or a text by one's own generator
            Scale(quantity="p_value", steps=((1e-6, Severity.HIGH), (1e-3, Severity.MEDIUM))),
        ),
    ),
    module=__name__,
    doc=__doc__,
)
