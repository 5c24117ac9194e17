"""A file that the manifest lists is not there.

What it means:
    The manifest lists a file, and nothing with that name or content lies in the data.

Why it matters:
    Leaving out what a model should not learn, for example all examples of one group or attack, changes the model as
    surely as adding does, and nothing in the rest of the data shows it.

How it is found:
    The list of the manifest is compared with the files below the folder.

What to do:
    Get the file again from its source, or make the manifest anew if it was removed on purpose.

Limits:
    None.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-033",
        name="data-missing",
        threat="supply_chain",
        title="A file of a data set is missing",
        severity=Severity.HIGH,
        remedy="Get the file again, or make the manifest anew if it was removed on purpose.",
        references=(
            "atlas:AML.T0020",
            "cwe:353",
            "owasp:ML02",
        ),
    ),
    module=__name__,
    doc=__doc__,
)
