"""An upload keeps the path in its name.

What it means:
    A file name with a path in it comes back unchanged.

Why it matters:
    Uploads can overwrite code, models or settings of the server.

How it is found:
    One small text file with a path in its name is sent; it may be deleted.

What to do:
    Store uploads under a name of your own, and allow endings by list.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-094",
        name="upload-keeps-path",
        threat="supply_chain",
        title="An upload keeps the path in its name",
        severity=Severity.HIGH,
        remedy="Store uploads under a name of your own, and allow endings by list.",
        references=("cwe:22", "cwe:434"),
    ),
    module=__name__,
    doc=__doc__,
)
