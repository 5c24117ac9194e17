"""YAML is loaded with a loader that builds Python objects.

What it means:
    ``yaml.load`` with the unsafe loader calls whatever a tag names; the full loader did so too before PyYAML 5.4
    (CVE-2020-14343).

Why it matters:
    Training and serving settings are YAML files that are copied from repositories; a tag in one of them runs code.

How it is found:
    Calls of ``yaml.load`` without a loader or with an unsafe one, ``unsafe_load``, ``full_load``, and
    ``YAML(typ='unsafe')`` of ruamel.yaml.

What to do:
    Use ``yaml.safe_load``; a loader of your own should derive from ``SafeLoader``.

Bad:
        import yaml
        config = yaml.load(open("config.yaml"), Loader=yaml.Loader)

Good:
        import yaml
        config = yaml.safe_load(open("config.yaml"))

Limits:
    A loader that cannot be told is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-047",
        name="yaml-unsafe-load",
        threat="supply_chain",
        title="YAML is loaded with tags that build any object",
        severity=Severity.HIGH,
        remedy="Use yaml.safe_load.",
        references=(
            "cwe:502",
            "cwe:20",
            "atlas:AML.T0010",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

UNSAFE = frozenset(
    {"yaml.Loader", "yaml.UnsafeLoader", "yaml.CLoader", "yaml.loader.Loader", "yaml.loader.UnsafeLoader"}
)
FULL = frozenset({"yaml.FullLoader", "yaml.loader.FullLoader"})


def check(module: Module) -> Iterator[Match]:
    """Yield the calls that build objects."""
    for call in module.called("yaml.load", "yaml.load_all"):
        loader = call.argument("Loader", 1)
        names = set(module.names(loader)) if loader is not None else set()
        if loader is None and not call.open:
            yield Match(
                line=call.line, says="yaml.load without a loader builds any object before PyYAML 6", confidence="likely"
            )
        elif names & UNSAFE:
            yield Match(line=call.line, says=f"yaml.load with {min(names & UNSAFE)} builds any object")
        elif names & FULL:
            yield Match(
                line=call.line,
                says="yaml.load with the full loader builds objects before PyYAML 5.4",
                confidence="possible",
            )
    for call in module.called("yaml.unsafe_load", "yaml.unsafe_load_all"):
        yield Match(line=call.line, says="yaml.unsafe_load builds any object that a tag names")
    for call in module.called("yaml.full_load", "yaml.full_load_all"):
        yield Match(line=call.line, says="yaml.full_load builds objects before PyYAML 5.4", confidence="possible")
    for call in module.called("ruamel.yaml.YAML"):
        if call.value("typ") == "unsafe":
            yield Match(line=call.line, says="ruamel.yaml builds any object that a tag names")
