"""A notebook tells about the machine and the people it was written on, or was not run in order.

What it means:
    Outputs or metadata hold home folders, names of hosts or of kernels outside the usual ones; or the counters of the
    cells show that they ran in another order than they stand in.

Why it matters:
    Names of people and machines help an attacker to aim. A notebook that was run out of order may not give the results
    that it shows.

How it is found:
    Home folders of Linux, macOS and Windows in outputs and metadata, kernels that are started from a path, and falling
    execution counts. Accounts that everyone has (``root``, ``jovyan``, ``user``) do not count.

What to do:
    Restart, run all, and clear what is not needed: ``redan redact --outputs drop``.

Limits:
    Whether a name is a person's is not known.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-018",
        name="notebook-tells-too-much",
        threat="supply_chain",
        title="A notebook tells about its machine, or was not run in order",
        severity=Severity.LOW,
        remedy="Restart, run all cells in order, clear outputs that are not needed.",
        references=("cwe:200",),
    ),
    module=__name__,
    doc=__doc__,
)
