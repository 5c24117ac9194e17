"""The lock file does not hold what the project asks for, or holds it without a hash.

What it means:
    A dependency of the project file is missing in the lock file beside it, is locked in a version that its specifier
    does not allow, or has no hash where others have one.

Why it matters:
    What is installed is then not what was reviewed: some installers lock anew without a word, others skip the check
    of hashes for the packages that have none.

How it is found:
    pyproject.toml is compared with uv.lock, poetry.lock, pdm.lock or pylock.toml beside it, Pipfile with Pipfile.lock,
    and a requirements ``.in`` file with its ``.txt``. Only dependencies without marker and group are compared.

What to do:
    Lock again (``uv lock``, ``poetry lock``, ``pdm lock``, ``pipenv lock``, ``pip-compile --generate-hashes``) and
    commit the result.

Limits:
    Poetry's own version signs (``^``, ``~``) are compared by name only.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-024",
        name="lock-mismatch",
        threat="supply_chain",
        title="The lock file is out of step with the project",
        severity=Severity.MEDIUM,
        remedy="Lock again, with hashes, and commit the result.",
        references=(
            "cwe:353",
            "cwe:1357",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)
