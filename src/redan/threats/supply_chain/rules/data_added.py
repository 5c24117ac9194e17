"""There is a file in the data that the manifest does not list.

What it means:
    The folder of a data set holds a file that was not there when its manifest was made.

Why it matters:
    Training reads whole folders: an added image or table is learned like all others. It is the simplest way to poison.

How it is found:
    The files below the folder are compared with the list of the manifest. ``.git`` and ``.redan`` at the top are left
    out.

What to do:
    Find out who added it. Remove it, or make the manifest anew after a look at it.

Limits:
    Files in ``.git`` and ``.redan`` at the top of the folder are no data.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-032",
        name="data-added",
        threat="supply_chain",
        title="A data set holds a file that its manifest does not know",
        severity=Severity.HIGH,
        remedy="Remove the file, or review it and make the manifest anew.",
        references=(
            "atlas:AML.T0020",
            "cwe:353",
            "owasp:ML02",
        ),
    ),
    module=__name__,
    doc=__doc__,
)
