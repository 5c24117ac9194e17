"""A package is nearly called like a well-known one, or has a version that nobody releases.

What it means:
    The name differs from a well-known one by one letter, by separators, by letters that look alike, or by an affix
    such as ``-official``; or it is a name that people write for another package; or the version consists of nines.

Why it matters:
    Packages under such names were published to run code wherever somebody mistypes. A version such as 999.9.9 wins
    over every other where several indexes are asked, which is how internal names are taken over.

How it is found:
    Names are compared with the 3000 best known of PyPI, and none of the 15 000 best known is suspected. Nothing is
    fetched.

What to do:
    Look at who publishes the package and since when. If it is what you mean, set the finding aside with an
    ``[[ignore]]`` and a reason.

Limits:
    A near name is no proof: of 9985 honest packages that a shorter list did not know, 125 were suspected. The list
    is of November 2026. Names on other indexes than PyPI are compared all the same.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-027",
        name="suspicious-package",
        threat="supply_chain",
        title="A package's name or version is like those of attacks",
        severity=Severity.HIGH,
        remedy="Check the spelling, and who publishes it; replace it, or set it aside with a reason.",
        references=("cwe:1357", "atlas:AML.T0010.001", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)
