"""A package is named in a version that has a published vulnerability.

What it means:
    A record of the OSV dump says that this version is affected: it is in the record's list, or in a range from the
    version that introduced the weakness up to the one that mended it. A malicious package is one that was published
    as an attack.

Why it matters:
    Published weaknesses are tried everywhere by machines. In this field several of them let a model file run code
    where loading it was thought to be safe.

How it is found:
    Versions are compared by PEP 440, local build parts left out; records that share an identifier count once. The
    severity is the worst that the records give, by CVSS 3 vector or by the database's own word; where nobody has
    said, it counts as medium and the title says that it is unknown.

What to do:
    Upgrade; `redan bom fix` proposes the smallest set of upgrades. Where the weak code is not reached, say so in a
    VEX document (`redan bom vex`), which sets the finding aside visibly for half a year.

Limits:
    Whether the weak code is reached is not judged. Ranges of commits are not used.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-026",
        name="vulnerable-package",
        threat="supply_chain",
        title="A package is named in a version that has a published vulnerability",
        severity=Severity.HIGH,
        remedy="Upgrade it; redan bom fix proposes the smallest set of upgrades.",
        references=("cwe:1395", "atlas:AML.T0010.001", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)
