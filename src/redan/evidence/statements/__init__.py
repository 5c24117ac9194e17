"""Statements: signed claims about one model, made from reports, kept beside it, and judged before it is served.

    envelope = dsse.seal(statement([describe(model)], PROVENANCE, predicate), signer)
    append(beside(model), envelope)
    bundle = read(beside(model))

A statement is an in-toto attestation: a predicate of a declared type about resources known by their digests.
"""

from redan.evidence.statements.bundle import Bundle, append, beside, read
from redan.evidence.statements.resource import Resource, describe
from redan.evidence.statements.statement import Statement, canonical, parse, statement
from redan.evidence.statements.types import APPROVAL, BOM, PROVENANCE, REVOCATION, kind_of, type_of

__all__ = [
    "APPROVAL",
    "BOM",
    "PROVENANCE",
    "REVOCATION",
    "Bundle",
    "Resource",
    "Statement",
    "append",
    "beside",
    "canonical",
    "describe",
    "kind_of",
    "parse",
    "read",
    "statement",
    "type_of",
]
