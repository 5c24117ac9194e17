"""The content or the name of a file differs from what the manifest beside the data states.

What it means:
    A manifest lists every file of a data set with its SHA-256. The file that lies there now has another digest, or its
    content lies under another name.

Why it matters:
    Whoever can change training data decides what a model learns: a few rows are enough for a backdoor. A renamed file
    can change its class, where folders are classes.

How it is found:
    Every file is digested again and compared with the manifest; a missing file whose content lies under a new name is
    renamed.

What to do:
    Get the data again from its source, or, if the change was wanted, look at what changed and make the manifest anew:
    ``redan data manifest DATA -o FILE --key KEY``.

Limits:
    What was wrong when the manifest was made is not seen.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-031",
        name="data-changed",
        threat="supply_chain",
        title="A data set is not what its manifest says: content was changed or renamed",
        severity=Severity.HIGH,
        remedy="Get the data again, or review the change and make the manifest anew.",
        references=(
            "atlas:AML.T0020",
            "cwe:353",
            "owasp:ML02",
        ),
    ),
    module=__name__,
    doc=__doc__,
)
