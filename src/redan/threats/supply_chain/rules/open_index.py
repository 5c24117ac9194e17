"""The installer may take a package from an index that somebody else can publish to.

What it means:
    A further index is asked beside the default one (``--extra-index-url``), certificates are not checked
    (``--trusted-host``, ``verify_ssl = false``), or an index is reached over plain HTTP.

Why it matters:
    pip takes the highest version of any index, so a stranger who publishes your internal name on the public index with
    version 99 is installed (dependency confusion; in December 2022 ``torchtriton`` reached users of PyTorch's nightly
    builds this way). Without certificate checks anybody on the network can answer in the index's place.

How it is found:
    Options of requirements files, Pipfiles, Dockerfiles and notebooks, and the sources of Poetry, PDM and uv. A further
    index is not counted where every package of the file has a hash, nor where the tool itself prefers one index.

What to do:
    Use one index that mirrors the others, or an index bound to the packages it serves (uv ``explicit``, Poetry
    ``explicit``); else pin every package with its hash. Use HTTPS with a certificate that can be checked.

Limits:
    Settings of the machine (``pip.conf``, environment variables) are not seen.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-023",
        name="open-index",
        threat="supply_chain",
        title="Packages may come from an index that somebody else can publish to",
        severity=Severity.HIGH,
        remedy="Use one index over HTTPS, or pin every package with its hash.",
        references=(
            "cwe:427",
            "cwe:829",
            "cwe:295",
            "atlas:AML.T0010.001",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)
