"""Documents from strangers: records, statements, licences. Whatever they hold, they are read or refused in words."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from redan.core.errors import Unreadable
from redan.kernels.advisories.cvss import base_score
from redan.kernels.advisories.merging import known
from redan.kernels.advisories.record import NotRecordError, parse
from redan.kernels.advisories.upgrading import first_clean
from redan.kernels.advisories.vex import read_statements
from redan.kernels.licences.judging import judge
from redan.kernels.licences.texts import licence_of_text
from redan.kernels.names.lookalike import lookalike, popular_of

_words = st.sampled_from(
    ["PyPI", "torch", "1.0", "0", "2.0-x", "ECOSYSTEM", "GIT", "CVE-1", "HIGH", "CVSS:3.1/AV:N", "not_affected",
     "pkg:pypi/torch@1.0", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59+14:00", "0001-01-01", ""]
)  # fmt: skip
_keys = st.sampled_from(
    ["id", "aliases", "affected", "package", "ecosystem", "name", "ranges", "type", "events", "introduced", "fixed",
     "last_affected", "versions", "severity", "score", "database_specific", "cwe_ids", "references", "url", "withdrawn",
     "modified", "summary", "@context", "statements", "products", "@id", "vulnerability", "status", "timestamp",
     "justification", "identifiers", "purl", "subcomponents", "bomFormat", "components", "bom-ref", "vulnerabilities",
     "analysis", "state", "affects", "ref", "metadata"]
)  # fmt: skip
_any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _words | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=6),
    max_leaves=25,
)


@given(_any, st.sampled_from(["1.0", "0", "what", "1.0+x"]))
def test_any_record_is_read_or_refused(document: Any, version: str) -> None:
    whole = {"id": "X-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "x"}, "ranges": document}]}
    for each in (document, {"id": "X-1", "affected": document}, whole):
        try:
            records = parse(json.dumps(each).encode())
        except NotRecordError:
            continue
        known(records, version)
        first_clean(records, version)


@given(_any)
def test_any_statements_are_read_or_refused(tmp_path_factory: Any, document: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    for each in (
        document,
        {"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2026-01-01", "statements": document},
        {"bomFormat": "CycloneDX", "metadata": {"timestamp": "2026-01-01"}, "vulnerabilities": document},
    ):
        path.write_text(json.dumps(each), encoding="utf-8")
        try:
            statements = read_statements(path)
        except Unreadable:
            continue
        for said in statements.said:
            statements.covering(said.package, said.version, tuple(said.ids))


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["MIT", "AND", "OR", "WITH", "(", ")", "GPL-2.0+", ","])).map(" ".join)
)
def test_any_words_about_licences_are_judged(text: str) -> None:
    judge(text, frozenset({"mit"}))
    licence_of_text(text)
    base_score(text)
    lookalike(text, popular_of(["torch", "numpy"]))
