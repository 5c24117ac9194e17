"""A dependency comes from an address, a branch or a folder, and nothing says what exactly is meant.

What it means:
    A requirement names a URL without a hash, a repository without a full commit, or a folder outside the project.

Why it matters:
    What lies at the address can change after it was reviewed, by its owner or by whoever takes over the account, the
    domain or the tag. A folder outside the project is in nobody's digest.

How it is found:
    Requirements, project files and lock files are read; a full commit has 40 or 64 hexadecimal digits, and a hash
    stands in the fragment of the address or behind ``--hash``.

What to do:
    Add ``#sha256=…`` to the address, name the full commit, or publish the package on an index and pin it by hash.

Limits:
    Whether the address still answers is not tried.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-022",
        name="unverified-source",
        threat="supply_chain",
        title="A dependency comes from an address that can change",
        severity=Severity.MEDIUM,
        remedy="Name the full commit, or add the hash of the archive to its address.",
        references=(
            "cwe:494",
            "cwe:829",
            "atlas:AML.T0010.001",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)
