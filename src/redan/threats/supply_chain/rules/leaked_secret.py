"""A token, key or password of a known format lies in a file.

What it means:
    The text has the format of a provider's token, a private key, or an address with a password in it. Where the
    format has a checksum or a structure that can be decoded, it was checked, and the finding is ``confirmed``.

Why it matters:
    Whoever can read the file can act as its author: run jobs on the account, read private models and data, push
    changed weights. Notebooks are shared with their outputs, and version control keeps what was deleted.

How it is found:
    About ninety formats by prefix, alphabet, length and checksum; fixed shapes only beside their provider's name;
    escapes, entities, split literals and one level of base64 are undone first. The value is never shown: the title
    holds its first and last characters, and evidence holds nothing of it.

What to do:
    Revoke the token first, then remove it, then write a clean copy: ``redan redact NOTEBOOK -o clean.ipynb``. Read
    secrets from the environment or a vault. If the value is harmless, allow it by its SHA-256 with a reason and a date
    (``allow_secret`` in ``[scan]``).

Limits:
    Whether the token is still valid is not tried. Secrets inside pictures, archives and binary files are not seen.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-011",
        name="leaked-secret",
        threat="supply_chain",
        title="A token, key or password of a known format lies in a file",
        severity=Severity.CRITICAL,
        remedy="Revoke it, then remove it; read secrets from the environment or a vault.",
        references=("cwe:798", "cwe:312", "atlas:AML.T0055", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)
