"""``numpy.load(allow_pickle=True)``: arrays of objects are pickles.

What it means:
    With ``allow_pickle=True`` an array whose items are Python objects is unpickled, and that runs whatever it says.

Why it matters:
    NumPy turned the default off in 1.16.3 for this reason (CVE-2019-6446); data sets made before are often loaded
    with it on.

How it is found:
    Calls of ``numpy.load`` whose ``allow_pickle`` is constantly true.

What to do:
    Save arrays of numbers and strings with fixed lengths, or use Parquet; then the argument is not needed.

Bad:
        import numpy as np
        data = np.load("train.npy", allow_pickle=True)

Good:
        import numpy as np
        data = np.load("train.npy")

Limits:
    A value that is computed is not told.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-044",
        name="numpy-allow-pickle",
        threat="supply_chain",
        title="numpy.load may run code in the file",
        severity=Severity.MEDIUM,
        remedy="Leave allow_pickle out; save arrays without objects in them.",
        references=(
            "cwe:502",
            "atlas:AML.T0010",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield the calls that allow pickles."""
    for call in module.called("numpy.load", "numpy.lib.npyio.load", "numpy.lib.format.read_array"):
        if call.value("allow_pickle", 2) is True:
            yield Match(line=call.line, says="numpy.load(allow_pickle=True) runs code in arrays of objects")
