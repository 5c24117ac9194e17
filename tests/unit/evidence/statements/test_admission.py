"""Admission: what is enough is admitted, and nothing that was replayed, mixed up, forged or hidden is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from tests.unit.evidence.statements.conftest import (
    AT,
    CI,
    FRESH,
    ML,
    MODEL,
    OLD,
    OLDER,
    OTHER,
    ROBUST,
    STRANGER,
    claim,
    decision,
    judged,
    reasons,
    result,
    robust,
    stated,
    trusting,
)

from redan.core.errors import UsageError
from redan.core.settings import Requirement
from redan.evidence import dsse
from redan.evidence.dsse import Signature
from redan.evidence.statements import BOM, PROVENANCE, statement
from redan.evidence.statements.admission import ModelSignature, admission

BOTH = (ML.verifier, CI.verifier)
SCAN = Requirement(statement="scan")


def test_a_model_with_what_is_required_is_admitted() -> None:
    found = judged(robust(0.5))
    assert (found.verdict, found.admitted, found.exit_code, found.failures) == ("admitted", True, 0, ())
    assert found.met[0].endswith(f"eps=0.1, norm=linf): 0.5 (0.5 to 0.5, n=100), key {ML.key_id[:16]}…, 2026-05-31")
    document = json.loads(found.to_json())
    assert (document["admitted"], document["model"]["digest"]) == (True, MODEL.digest)


def test_the_same_statements_give_the_same_bytes() -> None:
    envelopes = (robust(0.3), decision("approval", CI))
    assert judged(*envelopes).to_json() == judged(*envelopes).to_json()


def test_a_statement_of_another_model_is_not_taken() -> None:
    found = judged(robust(0.5, about=OTHER))
    assert found.exit_code == 1
    assert "about another model" in reasons(found)


def test_one_of_several_subjects_is_enough_and_unaccepted_digests_are_not() -> None:
    both = dsse.seal(statement([OTHER, MODEL], "x", {}), ML)
    assert "type 'x' is not known" in reasons(judged(both))
    weak = replace(MODEL, digest={"sha1": "ab" * 20})
    assert "about another model" in reasons(admission(weak, [robust(0.5, about=weak)], trusting(ROBUST), at=AT))


def test_an_expired_statement_is_refused_and_one_second_earlier_admitted() -> None:
    envelope = robust(0.5)
    edge = AT - timedelta(days=1) + timedelta(days=30)
    assert judged(envelope, at=edge).admitted
    found = judged(envelope, at=edge + timedelta(seconds=1))
    assert not found.admitted
    assert found.failures[0].expected == "at most 30 days old"


def test_a_statement_from_the_future_does_not_count_beyond_clock_skew() -> None:
    assert judged(robust(0.5, finished="2026-06-01T12:05:00+00:00")).admitted
    found = judged(robust(0.5, finished="2026-06-01T12:05:01+00:00"))
    assert not found.admitted
    assert "it is of 2026-06-01 12:05" in reasons(found)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-05-31T12:00:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_cannot_be_compared_does_not_count(time: str) -> None:
    found = judged(robust(0.5, finished=time))
    assert not found.admitted
    assert "for its time" in reasons(found)


def test_a_time_to_judge_by_needs_its_zone() -> None:
    with pytest.raises(UsageError, match="no time zone"):
        judged(robust(0.5), at=AT.replace(tzinfo=None))


def test_an_unknown_key_does_not_count_though_it_calls_itself_a_known_one() -> None:
    stranger = robust(0.5, by=STRANGER)
    assert "none of the keys that count signed it" in reasons(judged(stranger))
    named = replace(stranger, signatures=(replace(stranger.signatures[0], key_id=ML.key_id),))
    assert "forged, or changed" in reasons(judged(named))


def test_the_name_of_a_key_in_an_envelope_decides_nothing() -> None:
    good = robust(0.5)
    renamed = replace(good, signatures=(replace(good.signatures[0], key_id=STRANGER.key_id),))
    assert judged(renamed).admitted


def test_an_altered_payload_does_not_count() -> None:
    bad = robust(0.3)
    altered = replace(bad, payload=bad.payload.replace(b"0.3", b"0.9"))
    assert altered.payload != bad.payload
    assert not judged(altered).admitted


def test_a_signature_over_another_type_of_payload_does_not_count() -> None:
    payload = robust(0.5).payload
    found = judged(dsse.seal(payload, ML, payload_type="application/json"))
    assert "its envelope holds 'application/json'" in reasons(found)


def test_a_duplicate_counts_once() -> None:
    requirement = replace(SCAN, signers=2)
    envelope = stated(result(), kind="scan")
    found = judged(envelope, envelope, stated(result(), kind="scan"), policy=trusting(requirement, keys=BOTH))
    assert not found.admitted
    assert "1 that counts" in reasons(found)
    assert judged(envelope, stated(result(), kind="scan", by=CI), policy=trusting(requirement, keys=BOTH)).admitted


@pytest.mark.parametrize("version", ["v0", "v2", "v1.0", "v1/", ""])
def test_another_version_of_a_predicate_does_not_count(version: str) -> None:
    kind = f"https://github.com/redan-security/redan/predicates/robustness/{version}"
    found = judged(dsse.seal(statement([MODEL], kind, result(claim(0.9))), ML))
    assert not found.admitted
    assert "another version than this one reads" in reasons(found)


def test_an_unknown_predicate_is_ignored_and_named() -> None:
    unknown = dsse.seal(statement([MODEL], "https://example.org/x/v1", {"a": 1}), ML)
    found = judged(unknown, robust(0.5))
    assert found.admitted
    assert "'https://example.org/x/v1' is not known" in found.notes[0]


def test_the_predicate_of_a_standard_type_cannot_be_had_under_our_base() -> None:
    for kind in ("bom", "provenance"):
        ours = f"https://github.com/redan-security/redan/predicates/{kind}/v1"
        found = judged(dsse.seal(statement([MODEL], ours, result()), ML), policy=trusting(Requirement(statement=kind)))
        assert not found.admitted


def test_an_older_better_result_does_not_hide_a_newer_worse_one() -> None:
    better, worse = robust(0.9, finished=OLDER), robust(0.1, finished=FRESH)
    for order in ((better, worse), (worse, better)):
        found = judged(*order)
        assert not found.admitted
        assert "found 0.1" in found.failures[0].sentence()
    assert judged(robust(0.1, finished=OLDER), robust(0.9, finished=FRESH)).admitted


def test_results_of_the_very_same_time_must_all_be_enough() -> None:
    assert not judged(robust(0.9), robust(0.1)).admitted


def test_sealing_again_does_not_make_a_result_newer() -> None:
    resealed = stated(result(claim(0.9), finished=OLDER, sealed=FRESH))
    assert not judged(resealed, robust(0.1, finished="2026-05-31T00:00:00+00:00")).admitted


def test_what_another_key_says_is_told_and_does_not_decide() -> None:
    policy = trusting(ROBUST, keys=BOTH)
    found = judged(robust(0.5), robust(0.1, by=CI), policy=policy)
    assert found.admitted
    assert f"key {CI.key_id[:16]}… says 0.1" in found.met[0]


def test_a_revocation_of_the_model_wins_whatever_its_date() -> None:
    for made in (OLD, FRESH, "2030-01-01T00:00:00+00:00"):
        found = judged(robust(0.5), decision("revocation", ML, made))
        assert found.exit_code == 1
        assert "because" in reasons(found)
    assert judged(robust(0.5), decision("revocation", STRANGER)).admitted


def test_a_revocation_takes_back_single_statements_too() -> None:
    worse, better = robust(0.1, finished=FRESH), robust(0.5, finished=OLDER)
    digest = sha256(worse.payload).hexdigest()
    assert judged(worse, better, decision("revocation", ML, statements=[digest])).admitted
    taken = sha256(better.payload).hexdigest()
    assert not judged(better, decision("revocation", ML, statements=[taken])).admitted


def test_only_named_keys_revoke_where_the_policy_names_some() -> None:
    policy = trusting(ROBUST, keys=BOTH, revoked_by=(CI.key_id,))
    assert judged(robust(0.5), decision("revocation", ML), policy=policy).admitted
    assert not judged(robust(0.5), decision("revocation", CI), policy=policy).admitted


def test_a_revocation_that_cannot_be_read_takes_back_everything() -> None:
    odd = stated({"revoked": "?", "new_field": 1}, kind="revocation")
    assert not judged(robust(0.5), odd).admitted


def test_approvals_need_different_keys_and_none_of_the_sealers() -> None:
    approvals = Requirement(statement="approval", signers=2, not_sealer=True)
    keys = (ML.verifier, CI.verifier, STRANGER.verifier)
    policy = trusting(ROBUST, approvals, keys=keys)
    sealed = robust(0.5)
    one = decision("approval", CI)
    assert not judged(sealed, one, one, decision("approval", CI, OLDER), policy=policy).admitted
    found = judged(sealed, one, decision("approval", ML), policy=policy)
    assert not found.admitted
    assert "a key that sealed results" in reasons(found)
    assert judged(sealed, one, decision("approval", STRANGER), policy=policy).admitted
    alone = trusting(ROBUST, replace(approvals, not_sealer=False), keys=keys)
    assert judged(sealed, one, decision("approval", ML), policy=alone).admitted


def test_an_envelope_of_two_signatures_is_a_statement_of_both() -> None:
    envelope = robust(0.5)
    second = Signature(key_id=CI.key_id, signature=CI.sign(dsse.encoding(dsse.IN_TOTO, envelope.payload)))
    both = replace(envelope, signatures=(*envelope.signatures, second))
    policy = trusting(replace(ROBUST, signers=2), keys=BOTH)
    assert judged(both, policy=policy).admitted
    assert not judged(replace(envelope, signatures=envelope.signatures * 2), policy=policy).admitted
    many = replace(envelope, signatures=envelope.signatures * 5)
    assert "at most 4 are checked" in reasons(judged(many))


def test_a_key_counts_only_where_the_policy_names_it() -> None:
    policy = trusting(replace(ROBUST, signed_by=(CI.key_id,)), keys=BOTH)
    found = judged(robust(0.5), policy=policy)
    assert not found.admitted
    assert f"one is by key {ML.key_id[:16]}…, which does not count for it" in reasons(found)
    assert judged(robust(0.5, by=CI), policy=policy).admitted


def test_standard_statements_are_judged_by_their_own_times() -> None:
    bom = {"bomFormat": "CycloneDX", "metadata": {"timestamp": FRESH}}
    built = {"runDetails": {"metadata": {"finishedOn": "2026-05-31T12:00:00Z"}}}
    policy = trusting(Requirement(statement="bom"), Requirement(statement="provenance"))
    envelopes = [dsse.seal(statement([MODEL], t, p), ML) for t, p in ((BOM, bom), (PROVENANCE, built))]
    assert judged(*envelopes, policy=policy).admitted
    assert len(judged(policy=policy).failures) == 2
    undated = dsse.seal(statement([MODEL], BOM, {"metadata": []}), ML)
    assert "for its time" in reasons(judged(undated, policy=policy))
    old = dsse.seal(statement([MODEL], BOM, {"metadata": {"timestamp": OLD}}), ML)
    assert "at most 90 days old" in reasons(judged(old, policy=policy))


def test_payloads_with_two_meanings_do_not_count() -> None:
    good = robust(0.1).payload.decode()
    twice = good.replace('"predicate":{', '"predicate":{"claims":[],', 1)
    nan = good.replace('"value":0.1', '"value":NaN')
    for text in (twice, nan):
        assert text != good
        found = judged(dsse.seal(text.encode(), ML), robust(0.5, finished=OLDER))
        assert "it is signed and cannot be read" in reasons(found)
    assert not judged(dsse.seal(twice.encode(), ML)).admitted


def test_unknown_fields_of_our_own_predicates_are_not_guessed_at() -> None:
    assert "cannot be read" in reasons(judged(stated({**result(claim(0.5)), "except": "nothing"})))


def test_without_a_policy_a_model_is_verified_at_most() -> None:
    nothing = trusting()
    found = judged(robust(0.1), policy=nothing)
    assert (found.verdict, found.admitted, found.exit_code) == ("verified", False, 0)
    assert found.met[0].startswith("robustness: key")
    against = stated(result(counts={"open": {"high": 1}}), kind="scan")
    assert judged(against, robust(0.9), policy=nothing).exit_code == 1
    one_of_two = (stated(result(), kind="scan", by=CI), against)
    assert judged(*one_of_two, policy=trusting(keys=BOTH)).exit_code == 1
    assert judged(policy=nothing).verdict == "undecided"
    assert judged(robust(0.1), policy=trusting(keys=())).exit_code == 3
    assert judged(robust(0.1, by=STRANGER), policy=nothing).exit_code == 1
    assert judged(robust(0.1), decision("revocation", ML), policy=nothing).exit_code == 1


@pytest.mark.parametrize(
    ("asked", "state", "enough"),
    [
        ("required", "verified", True),
        ("required", "absent", False),
        ("required", "unchecked", False),
        ("if present", "absent", True),
        ("if present", "refused", False),
        ("if present", "unchecked", False),
        ("ignored", "refused", True),
    ],
)
def test_the_models_own_signature_counts_as_the_policy_says(asked: str, state: str, enough: bool) -> None:
    found = ModelSignature(state=state, why="weights.bin changed")  # type: ignore[arg-type]
    decided = judged(robust(0.5), policy=trusting(ROBUST, signature=asked), signature=found)
    assert decided.admitted is enough
    assert ("weights.bin changed" in reasons(decided)) is not enough


def test_every_failure_says_what_to_do() -> None:
    found = judged(policy=trusting(ROBUST, SCAN, replace(SCAN, statement="approval", signers=1)))
    assert len(found.failures) == 3
    assert all(f.fix and f.expected and f.found for f in found.failures)


def test_a_kind_that_was_misspelt_is_named_as_it_was_meant() -> None:
    found = judged(policy=trusting(Requirement(statement="robustnes")))
    assert found.failures[0].fix == "write statement = 'robustness', if that is meant"


def test_hostile_names_in_envelopes_stay_short() -> None:
    long = dsse.seal(statement([OTHER], "https://example.org/" + "x" * 100_000, {}), STRANGER)
    odd = replace(long, signatures=(Signature(key_id="k" * 100_000, signature=b"x"),))
    assert len(reasons(judged(odd))) < 2000
