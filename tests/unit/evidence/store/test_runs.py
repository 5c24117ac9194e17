"""Runs, findings, statements and checkpoints: what was added is found again, and only by what may stand in clear."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.evidence.store.conftest import KEY
from tests.unit.evidence.store.reports import PICTURE, at_hand, finding, located, report, statement

from redan.core.errors import ConfigError, EvidenceError, SignatureRefused, UnknownName, Unreadable, UsageError
from redan.core.finding import Severity
from redan.evidence.blobs import MemoryBlobs
from redan.evidence.dsse import opened as envelope_opened
from redan.evidence.dsse import seal
from redan.evidence.keys import generate
from redan.evidence.store import checkpoints, findings, runs, statements
from redan.evidence.store.blobs import StoreBlobs
from redan.evidence.store.checkpoints import Checkpoint
from redan.evidence.store.clear import LONGEST, read_us, searchable, shown_time, to_us
from redan.evidence.store.opening import Store, opened


def test_a_run_comes_back_with_its_evidence(store: Store) -> None:
    given = report()
    added = runs.add(store, given.to_json(), evidence=at_hand())
    assert (added.new, added.n_blobs, added.n_missing) == (True, 1, 0)
    row = runs.found(store, added.id)
    back = runs.report(store, row)
    assert back == given
    assert back.evidence("picture") == PICTURE.payload
    assert runs.report_bytes(store, row) == given.to_json()
    assert (row.subject, row.verdict, row.gate, row.n_findings) == ("shop", "fail", 3, 1)
    assert row.subject_sha256 == given.subject.digest
    assert shown_time(row.started_us) == "2026-11-21T10:00:00Z"


def test_the_same_run_is_kept_once(store: Store) -> None:
    first = runs.add(store, report().to_json(), evidence=at_hand())
    again = runs.add(store, report().to_json(), evidence=at_hand())
    assert (again.id, again.new) == (first.id, False)
    assert len(runs.listed(store)) == len(findings.search(store)) == 1


def test_a_report_without_its_evidence_says_what_is_missing_until_it_comes(store: Store) -> None:
    bare = runs.add(store, report().to_json())
    assert (bare.n_blobs, bare.n_missing) == (0, 1)
    with pytest.raises(EvidenceError, match="is not in the store"):
        runs.report(store, runs.found(store, bare.id)).evidence("picture")
    assert runs.add(store, report().to_json(), evidence=at_hand()).n_missing == 0
    assert runs.report(store, runs.found(store, bare.id)).evidence("picture") == PICTURE.payload


def test_missing_evidence_keeps_the_run_out(store: Store) -> None:
    with pytest.raises(EvidenceError, match="there is no evidence"):
        runs.add(store, report().to_json(), evidence=MemoryBlobs())
    assert runs.listed(store) == []


def test_what_is_no_report_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError):
        runs.add(store, b"{}")
    with pytest.raises(UsageError, match="which is no time"):
        runs.add(store, report(started="yesterday").to_json())
    assert runs.listed(store) == []


def test_runs_are_found_by_subject_digest_time_and_the_beginning_of_their_name(store: Store) -> None:
    ids = {}
    for hour, subject in enumerate(("shop", "bank", "shop")):
        given = report(subject=subject, started=f"2026-11-21T1{hour}:00:00+00:00")
        ids[hour] = runs.add(store, given.to_json()).id
    assert [row.id for row in runs.listed(store)] == [ids[2], ids[1], ids[0]]
    assert [row.id for row in runs.listed(store, subject="shop")] == [ids[2], ids[0]]
    assert [row.id for row in runs.listed(store, since_us=read_us("2026-11-21T11:00Z", "t"))] == [ids[2], ids[1]]
    assert [row.id for row in runs.listed(store, limit=1)] == [ids[2]]
    assert len(runs.listed(store, digest=given.subject.digest)) == 3
    assert runs.listed(store, digest="0" * 64) == []
    assert runs.found(store, "latest").id == ids[2]
    assert runs.found(store, ids[1][:9]).id == ids[1]
    with pytest.raises(UsageError, match="several runs begin with ''"):
        runs.found(store, "")
    for words in ("zz", "%", "_" * 16, "' OR 1=1 --"):
        with pytest.raises(UnknownName):
            runs.found(store, words)


def test_findings_are_searched_without_opening_reports(encrypted: Store) -> None:
    first = report(
        finding(severity=Severity.LOW),
        finding("RDN-SUP-001", Severity.CRITICAL),
        finding("RDN-PRI-001", Severity.MEDIUM, "bank"),
    )
    later = report(finding("RDN-SUP-001", Severity.HIGH), started="2026-11-22T10:00:00+00:00")
    one, two = (runs.add(encrypted, given.to_json()).id for given in (first, later))
    store = opened(encrypted.database, encrypted.place, [])

    def seen(**wanted: object) -> list[tuple[str, int]]:
        return [(row.run, row.position) for row in findings.search(store, **wanted)]  # type: ignore[arg-type]

    assert seen() == [(two, 0), (one, 1), (one, 2), (one, 0)]
    assert seen(rule="RDN-SUP-001") == [(two, 0), (one, 1)]
    assert seen(severity=Severity.MEDIUM) == [(two, 0), (one, 1), (one, 2)]
    assert seen(subject="bank") == [(one, 2)]
    assert seen(fingerprint=first.findings[1].fingerprint) == [(two, 0), (one, 1)]
    assert seen(since_us=to_us(datetime(2026, 11, 22, tzinfo=UTC))) == [(two, 0)]
    assert seen(run=one, limit=2) == [(one, 1), (one, 2)]
    assert seen(rule="nothing") == []


def test_many_findings_of_one_run(store: Store) -> None:
    added = runs.add(store, report(*located(1500)).to_json())
    assert len(findings.search(store, run=added.id, limit=5000)) == 1500


@pytest.mark.parametrize("name", ["nul \0 here", "half \ud800 of a pair", "long " * 2000, "ünï ' \" ; --", ""])
def test_hostile_names_are_kept_and_found(store: Store, name: str) -> None:
    given = report(finding(subject=name), subject=name)
    added = runs.add(store, given.to_json())
    assert [row.id for row in runs.listed(store, subject=name)] == [added.id]
    assert len(findings.search(store, subject=name)) == 1
    assert runs.report(store, runs.found(store, added.id)).subject.name == name
    assert len(searchable(name)) <= LONGEST


def test_what_only_the_report_says_is_not_in_clear(encrypted: Store, tmp_path: Path) -> None:
    runs.add(encrypted, report().to_json(), evidence=at_hand())
    statements.add(encrypted, statement())
    if encrypted.database.is_sqlite:
        encrypted.close()
        for file in (file for file in tmp_path.rglob("*") if file.is_file()):
            for words in (
                b"what only the report says",
                b"what only the evidence says",
                b"what only the statement says",
            ):
                assert words not in file.read_bytes(), file


def test_statements_are_found_by_subject_type_key_and_time(store: Store) -> None:
    alice, bob = generate("ed25519"), generate("p256")
    first = statements.add(store, statement("aa" * 32, alice)).id
    second = statements.add(store, statement("bb" * 32, bob, "https://example.org/other/v1")).id
    assert {row.id for row in statements.search(store)} == {first, second}
    assert [row.id for row in statements.search(store, digest="AA" * 32)] == [first]
    assert [row.id for row in statements.search(store, predicate_type="https://example.org/other/v1")] == [second]
    assert [row.id for row in statements.search(store, key_id=alice.key_id)] == [first]
    assert statements.search(store, key_id=alice.key_id, digest="bb" * 32) == []
    assert len(statements.search(store, since_us=0)) == 2
    assert statements.search(store, since_us=2**60) == []
    assert envelope_opened(statements.envelope(store, second), [bob.verifier]) is bob.verifier
    with pytest.raises(UnknownName, match="the store has no statement"):
        statements.envelope(store, "0" * 16)


def test_the_same_statement_is_kept_once(store: Store) -> None:
    data = statement()
    assert statements.add(store, data).new
    assert not statements.add(store, data).new
    assert len(statements.search(store)) == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"{}",
        b'{"_type": "https://in-toto.io/Statement/v0.1"}',
        b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x", "subject": []}',
        b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": "x", "subject": [{"digest": {"sha256": 1}}]}',
        b'{"_type": "https://in-toto.io/Statement/v1", "predicateType": 1, "subject": [{"digest": {}}]}',
        b"[" * 100_000,
    ],
)
def test_an_envelope_around_something_else_is_refused(store: Store, payload: bytes) -> None:
    with pytest.raises(Unreadable):
        statements.add(store, seal(payload, generate("ed25519")).to_json())
    assert statements.search(store) == []


def test_checkpoints_notice_two_histories(store: Store) -> None:
    one = Checkpoint(origin="example.org/log", size=10, root_sha256="aa" * 32, note="signed")
    assert checkpoints.latest(store, one.origin) is None
    assert checkpoints.add(store, one)
    assert not checkpoints.add(store, one)
    assert checkpoints.add(store, replace(one, size=12))
    latest = checkpoints.latest(store, one.origin)
    assert latest is not None
    assert latest.size == 12
    for wrong in ({"size": -1}, {"size": 1 << 63}, {"note": "x" * 65537}, {"note": "\0"}):
        with pytest.raises(UsageError, match="an impossible size or note"):
            checkpoints.add(store, replace(one, **wrong))
    with pytest.raises(SignatureRefused, match="it has two histories"):
        checkpoints.add(store, replace(one, root_sha256="bb" * 32))


def test_a_store_without_its_key_still_lists(encrypted: Store) -> None:
    runs.add(encrypted, report().to_json(), evidence=at_hand())
    locked = opened(encrypted.database, encrypted.place, [])
    (row,) = runs.listed(locked)
    assert row.subject == "shop"
    with pytest.raises(EvidenceError, match=f"encrypted under key {KEY.key_id}"):
        runs.report(locked, row)
    assert StoreBlobs(opened(encrypted.database, encrypted.place, [KEY])).holds(PICTURE.sha256)
