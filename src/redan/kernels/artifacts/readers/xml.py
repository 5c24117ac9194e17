"""XML documents, PMML among them: external entities that a parser would fetch. Source: the DMG's PMML 4.4; CWE-611."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_EXTERNAL = re.compile(
    # a document type by public identifier, or by a plain name beside the file, is how honest documents begin
    r"<!ENTITY\s+(?:%\s+)?[\w:.-]+\s+(?:SYSTEM|PUBLIC)\b"
    r"|<!DOCTYPE\s+[\w:.-]+\s+SYSTEM\s+[\"'](?:\w+://|file:|/|\.\.|[A-Za-z]:)"
)
_DOCTYPE = re.compile(r"<!DOCTYPE\s+[\w:.-]+\s+(?:SYSTEM|PUBLIC)\b")
_ENTITY = re.compile(r"<!ENTITY\b")
_INCLUDE = re.compile(r"<(?:\w+:)?include\b[^>]{0,500}\bhref\s*=")
_STYLESHEET = re.compile(r"<\?xml-stylesheet\b|<(?:xsl|xalan|msxsl):(?:stylesheet|script|transform)\b")

MOST_ENTITIES = 20
"""Internal entities of an honest document; more multiply."""


def read_xml(source: Source, text: str) -> str:
    """Look for what makes a parser read, fetch, run or multiply."""
    slug = (
        "pmml"
        if re.search(r"<(?:\w+:)?PMML\b", text[: 1 << 16])
        else "html"
        if "<html" in text[:4096].lower()
        else "xml"
    )
    external = _EXTERNAL.search(text) or (_DOCTYPE.search(text) if slug == "pmml" else None)
    if external is not None:
        source.unsafe("external-entity", f"{external[0]!r} makes a parser read another file", external.start())
    elif len(_ENTITY.findall(text)) > MOST_ENTITIES:
        source.unsafe("entity-expansion", "the entities of the document multiply")
    include = _INCLUDE.search(text) if slug != "html" else None
    if include is not None:
        source.unsafe("external-entity", "an inclusion makes a parser read another file", include.start())
    if slug == "pmml" and _STYLESHEET.search(text):
        source.unsafe("embedded-script", "the document carries a stylesheet or a script")
    return slug
