"""Nobody can say why the model decided as it did, or an explanation is given that says nothing.

Whoever is decided about may ask for reasons, and whoever guards a model looks at reasons to find shortcuts, leaks and
triggers. An explanation is measured like anything else: what it calls important is taken away, and the answer must fall
further than when values are taken away at random.
"""

from __future__ import annotations

from redan.core.catalogue import threat
from redan.core.finding import Severity
from redan.core.threat import Scale, Threat

THREAT = threat(
    Threat(
        id="opacity",
        question="Can somebody say why the model decided so?",
        applies_when="outputs change what happens to people, or somebody must account for them",
        references=(
            "nist:ai-rmf-measure-2.9",
            "https://eur-lex.europa.eu/eli/reg/2024/1689/oj",
            "https://eur-lex.europa.eu/eli/reg/2016/679/oj",
        ),
        scales=(
            Scale(quantity="faithfulness", steps=((0.001, Severity.MEDIUM), (0.02, Severity.LOW))),
            Scale(quantity="surrogate_fidelity", steps=((0.6, Severity.LOW),)),
        ),
    ),
    module=__name__,
    doc=__doc__,
)
