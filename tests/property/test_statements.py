"""Whatever is done to a bundle, nothing is admitted that the signer did not state, and nothing crashes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.evidence.statements.conftest import (
    AT,
    LINF,
    MODEL,
    ROBUST,
    claim,
    judged,
    result,
    robust,
    stated,
    trusting,
)

from redan.core.errors import Unreadable
from redan.evidence import dsse
from redan.evidence.dsse import Envelope, Signature
from redan.evidence.statements import append, canonical, parse, read
from redan.evidence.statements.predicates.result import read_result

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
BELOW = robust(0.3).to_json()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(BELOW) - 1), st.integers(0, 255))
def test_no_changed_byte_makes_a_refused_model_admitted(place: int, value: int) -> None:
    changed = bytearray(BELOW)
    changed[place] = value
    with TemporaryDirectory() as folder:
        path = Path(folder) / "b.jsonl"
        path.write_bytes(bytes(changed))
        assert not judged(*read(path).envelopes).admitted


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_payload_never_counts(data: st.DataObject) -> None:
    good = robust(0.5)
    place = data.draw(st.integers(0, len(good.payload) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda byte: byte != good.payload[place]))
    payload = good.payload[:place] + bytes([value]) + good.payload[place + 1 :]
    assert not judged(replace(good, payload=payload)).admitted


@given(
    st.lists(
        st.builds(
            Envelope,
            payload_type=st.sampled_from([dsse.IN_TOTO, "", "x"]),
            payload=st.binary(max_size=50) | JSON.map(lambda v: json.dumps(v).encode()),
            signatures=st.lists(st.builds(Signature, key_id=st.text(), signature=st.binary(max_size=80))).map(tuple),
        ),
        max_size=4,
    )
)
def test_any_envelope_is_read_or_ignored_and_never_admits(envelopes: list[Envelope]) -> None:
    found = judged(*envelopes)
    assert (found.exit_code, len(found.notes)) == (1, len(envelopes))
    assert json.loads(found.to_json())["admitted"] is False
    with TemporaryDirectory() as folder:
        path = Path(folder) / "b.jsonl"
        for each in envelopes:
            append(path, each)
        assert len(read(path).envelopes) == len(envelopes)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*result(), "other"]), JSON))
def test_any_signed_predicate_is_read_or_ignored(changes: dict[str, object]) -> None:
    found = judged(stated({**result(claim(0.3)), **changes}))
    assert not found.admitted or changes.get("claims")


@given(JSON)
def test_canonical_bytes_are_read_as_what_they_were(value: object) -> None:
    document = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "x", "predicate": {"v": value}}
    data = canonical({**document, "subject": [{"name": MODEL.name, "digest": dict(MODEL.digest)}]})
    assert parse(data).predicate == {"v": value}
    assert canonical(json.loads(data)) == data


@given(JSON)
def test_no_predicate_of_a_result_crashes_its_reader(value: object) -> None:
    for document in (value, {**result(), "claims": value}, {**result(), "counts": value}):
        try:
            read_result(document)  # type: ignore[arg-type]
        except Unreadable:
            continue


number = st.floats(0, 1)


@settings(deadline=None)
@given(number, number, number, number)
def test_admission_is_the_comparison_at_the_worse_end(a: float, b: float, c: float, bound: float) -> None:
    low, value, high = sorted((a, b, c))
    envelope = stated(result(claim(value, low=low, high=high, params=LINF)))
    assert judged(envelope, policy=trusting(replace(ROBUST, at_least=bound)), at=AT).admitted is (low >= bound)
    most = replace(ROBUST, at_least=None, at_most=bound)
    assert judged(envelope, policy=trusting(most), at=AT).admitted is (high <= bound)
