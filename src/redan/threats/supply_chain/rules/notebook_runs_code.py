"""A cell downloads and runs something, or changes the machine, when the notebook is run.

What it means:
    A shell line or a magic fetches code from an address and runs it, installs a package from an address or another
    index, opens a shell to somewhere, or deletes outside its folder.

Why it matters:
    Notebooks are run from top to bottom without being read. What stands behind an address today may be something else
    tomorrow, and it runs with the rights and tokens of the reader.

How it is found:
    Lines with ``!`` and ``%``, cells of ``%%bash`` and its like, and calls of ``get_ipython()`` are compared with a
    list of forms. Nothing is run. Python code itself is judged by the code rules.

What to do:
    Pin what is installed by version and hash, keep scripts beside the notebook, and read before running.

Limits:
    Commands put together at run time are not followed.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-016",
        name="notebook-runs-foreign-code",
        threat="supply_chain",
        title="A notebook cell runs code from elsewhere or harms the machine",
        severity=Severity.HIGH,
        remedy="Pin by version and hash, keep scripts beside the notebook.",
        references=("cwe:494", "cwe:829", "atlas:AML.T0011"),
    ),
    module=__name__,
    doc=__doc__,
)
