"""An XML parser is told to resolve external entities, or to read without limits.

What it means:
    ``resolve_entities=True``, ``no_network=False`` and ``huge_tree=True`` of lxml, and the external entities of
    ``xml.sax``, let a document read files and addresses or fill the memory.

Why it matters:
    PMML models, annotations and office documents are XML that comes from others.

How it is found:
    Constant arguments of lxml's parsers and ``setFeature`` of SAX parsers.

What to do:
    Use the defaults of lxml 5, or defusedxml.

Bad:
        from lxml import etree
        parser = etree.XMLParser(resolve_entities=True, no_network=False)

Good:
        from lxml import etree
        parser = etree.XMLParser(resolve_entities=False)

Limits:
    Versions of lxml before 5 resolve entities by default; that is not told.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-076",
        name="lxml-entities",
        threat="supply_chain",
        title="XML entities of others are resolved",
        severity=Severity.MEDIUM,
        remedy="Leave resolve_entities off and no_network on.",
        references=(
            "cwe:611",
            "cwe:776",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

PARSERS = ("lxml.etree.XMLParser", "lxml.etree.ETCompatXMLParser", "lxml.etree.iterparse", "lxml.etree.XMLPullParser")


def check(module: Module) -> Iterator[Match]:
    """Yield the parsers that go too far."""
    for call in module.called(*PARSERS):
        if call.value("no_network") is False or call.value("load_dtd") is True:
            yield Match(line=call.line, says="lxml fetches what a document names")
        elif call.value("resolve_entities") is True:
            yield Match(line=call.line, says="lxml resolves external entities")
        elif call.value("huge_tree") is True:
            yield Match(line=call.line, says="lxml reads documents without limits", confidence="likely")
    for name, call in module.ending(".setFeature"):
        feature = call.argument("name", 0)
        external = feature is not None and any(n.endswith("feature_external_ges") for n in module.names(feature))
        if external and call.value("state", 1) in (True, 1):
            yield Match(line=call.line, says=f"{name.rpartition('.')[2]} lets SAX resolve external entities")
