"""The manifest is not signed, or by a key that nobody was told to trust.

What it means:
    The data fits its manifest, and the manifest itself is not signed, was signed by a key that was not given, or
    carries a signature that the given keys refuse. The last is of high severity.

Why it matters:
    Whoever changes the data can then change the manifest too.

How it is found:
    The signature of the envelope is checked with the public keys in the parameter ``keys``.

What to do:
    ``redan data manifest DATA -o FILE --key KEY``, and ``redan scan DATA --param keys=KEY.pub``.

Limits:
    None.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-034",
        name="data-unproven",
        threat="supply_chain",
        title="Nobody answers for the manifest of a data set",
        severity=Severity.LOW,
        remedy="Sign the manifest, and give the public key when scanning.",
        references=(
            "cwe:347",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)
