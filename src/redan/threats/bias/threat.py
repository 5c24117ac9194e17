"""The model decides about people, and groups of them fare differently.

Every rate is counted by group and by intersection of groups, with its interval; a group too small to judge is said
to be not tested, never fair.
"""

from __future__ import annotations

from redan.core.catalogue import threat
from redan.core.threat import Threat

THREAT = threat(
    Threat(
        id="bias",
        question="Does the model treat groups of people differently?",
        applies_when="outputs change what happens to people",
        references=("eu-ai-act:10", "nist-ai-rmf:MEASURE-2.11"),
        scales=(),
    ),
    module=__name__,
    doc=__doc__,
)
