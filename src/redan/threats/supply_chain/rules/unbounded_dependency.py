"""A dependency has no upper bound and no lock file, so the next release is installed unseen.

What it means:
    The file asks for a package in any version, or in any version from some point on, and neither a lock file beside
    it nor a constraints file says which. A container image without a tag or digest is the same.

Why it matters:
    Whoever publishes the next release, its owner or a thief of the owner's account, decides what runs beside your
    model; and a result measured today cannot be measured again tomorrow.

How it is found:
    The specifier of each requirement is read; nothing is resolved or fetched. Extras, dependency groups and build
    requirements are not counted.

What to do:
    Keep a lock file with hashes beside the project (uv, Poetry, PDM, pip-compile), or give each package an upper
    bound.

Limits:
    Libraries leave upper bounds open on purpose; for those, a lock file for their own tests ends this finding.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-021",
        name="unbounded-dependency",
        threat="supply_chain",
        title="Dependencies have no upper bound and no lock file",
        severity=Severity.LOW,
        remedy="Keep a lock file with hashes beside the project, or give each package an upper bound.",
        references=(
            "cwe:1357",
            "atlas:AML.T0010.001",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)
