"""Somebody changes what the model is made of: a file, a dependency, a notebook, a secret that leaks.

A model file can be a program. Pickles, and the many containers that hold them, call any importable function while
they are loaded; other formats name code, templates or files outside their folder. What a file would do is read from
its bytes, without loading it.
"""

from __future__ import annotations

from redan.core.catalogue import threat
from redan.core.threat import Threat

THREAT = threat(
    Threat(
        id="supply_chain",
        question="Does loading this model run somebody else's code?",
        applies_when="a model, its data or its code comes from a file",
        references=("atlas:AML.T0010", "atlas:AML.T0018", "cwe:502", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)
