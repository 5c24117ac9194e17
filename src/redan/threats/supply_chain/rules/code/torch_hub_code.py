"""``torch.hub.load`` runs ``hubconf.py`` of a repository at whatever state its branch is in.

What it means:
    The function downloads a repository from GitHub and imports its code; without a commit that is the newest state
    of the default branch.

Why it matters:
    Whoever can push to the repository runs code wherever this line runs.

How it is found:
    ``torch.hub.load``, ``list`` and ``help`` whose repository is a constant without ``:commit``, or any repository
    with ``trust_repo=True``, unless ``source='local'``.

What to do:
    Name a full commit after the colon, or keep the code beside yours.

Bad:
        import torch
        model = torch.hub.load("pytorch/vision", "resnet50")

Good:
        import torch
        model = torch.hub.load("pytorch/vision:6279faa88a3fe7de49bf58284d31e3941b768522", "resnet50")

Limits:
    A repository's name that is computed is told only with ``trust_repo=True``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-050",
        name="torch-hub-code",
        threat="supply_chain",
        title="Code of a GitHub repository is fetched and run",
        severity=Severity.MEDIUM,
        remedy='Pin a commit (owner/repo:commit), or vendor the code and use source="local".',
        references=(
            "cwe:829",
            "cwe:494",
            "atlas:AML.T0010",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

COMMIT = re.compile(r".*:[0-9a-f]{40}")


def check(module: Module) -> Iterator[Match]:
    """Yield the calls that run what a branch holds."""
    for call in module.called("torch.hub.load", "torch.hub.list", "torch.hub.help"):
        repository = call.value("repo_or_dir", 0) if call.names[0].endswith("load") else call.value("github", 0)
        if call.value("source", default="github") != "github":
            continue
        if isinstance(repository, str) and not COMMIT.fullmatch(repository):
            yield Match(line=call.line, says=f"the code of {repository!r} is fetched without a commit and run")
        elif not isinstance(repository, str) and call.value("trust_repo") is True:
            yield Match(line=call.line, says="the code of any repository is trusted", confidence="likely")
