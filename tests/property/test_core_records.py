"""Any record survives a trip through JSON, and every encoded report fits the published schema."""

from __future__ import annotations

import json
import os
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from math import isnan
from typing import Any, Literal, Union, get_args, get_origin

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redan.core.codec import convert, decode, encode, hints_of
from redan.core.errors import ConfigError
from redan.core.finding import Finding, Severity
from redan.core.report import SCHEMA, Report
from redan.core.schema import schema
from redan.core.settings import Settings
from redan.core.subject import SubjectRef

CASES = 2000 if os.environ.get("REDAN_HYPOTHESIS") == "full" else 60
few = settings(
    max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

ANY_CHARACTER = st.characters(codec=None, exclude_categories=())
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    # the three words that numbers travel as are read as numbers where a field takes both
    str: st.text(ANY_CHARACTER, max_size=8).filter(lambda text: text not in ("Infinity", "-Infinity", "NaN")),
    int: st.integers(),
    float: st.floats(),
    bool: st.booleans(),
    type(None): st.none(),
    Severity: st.sampled_from(Severity),
    Any: st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)),
        max_leaves=4,
    ),
}


def strategy(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field type, by the same table of types that the codec knows."""
    if hint in PLAIN:
        return PLAIN[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.one_of([strategy(a) for a in args])
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(strategy(args[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*[strategy(a) for a in args])
    if origin is Mapping:
        return st.dictionaries(PLAIN[str], strategy(args[1]), max_size=2)
    return records(hint)


def records(cls: type) -> st.SearchStrategy[Any]:
    """Records of a class with arbitrary fields."""
    assert is_dataclass(cls)
    hints = hints_of(cls)
    shown = [f.name for f in fields(cls) if f.metadata.get("serialise", True)]
    return st.builds(cls, **{name: strategy(hints[name]) for name in shown})


def same(one: Any, other: Any) -> bool:
    """Equal, where NaN equals NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (isnan(one) and isnan(other))
    if is_dataclass(one) and type(one) is type(other):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return bool(one == other) and type(one) is type(other)


@few
@given(records(Finding))
def test_findings_come_back_as_they_were(finding: Finding) -> None:
    back = decode(Finding, json.loads(json.dumps(encode(finding), allow_nan=False)))
    assert same(back, finding)
    assert back.fingerprint == finding.fingerprint


@few
@given(records(SubjectRef))
def test_subjects_come_back_with_their_digest(ref: SubjectRef) -> None:
    back = decode(SubjectRef, json.loads(json.dumps(encode(ref))))
    assert back == ref
    assert back.digest == ref.digest


@few
@given(records(Report).map(lambda report: replace(report, schema=SCHEMA)))
def test_reports_come_back_and_fit_the_schema(report: Report) -> None:
    document = report.to_json()
    assert document.endswith(b"\n")
    assert same(Report.from_json(document), report)
    assert Report.from_json(document).to_json() == document
    VALIDATOR.validate(json.loads(document))


VALIDATOR = jsonschema.Draft202012Validator(schema(Report, title=SCHEMA))


@few
@given(
    records(Report).map(lambda report: json.loads(report.to_json())),
    st.lists(st.tuples(st.integers(0, 60), PLAIN[Any]), min_size=1, max_size=3),
)
def test_what_the_reader_accepts_fits_the_schema_and_what_it_refuses_is_a_clear_error(
    document: dict[str, Any], changes: list[tuple[int, Any]]
) -> None:
    document["schema"] = SCHEMA
    for place, value in changes:
        _change(document, place, value)
    try:
        report = Report.from_json(json.dumps(document))
    except ConfigError:
        return
    VALIDATOR.validate(json.loads(report.to_json()))


def _change(document: dict[str, Any], place: int, value: Any) -> None:
    """Put a value into one of the places of a document, counted in order."""
    stack: list[Any] = [document]
    while stack:
        node = stack.pop(0)
        for key in node if isinstance(node, dict) else range(len(node)):
            if place == 0:
                node[key] = value
                return
            place -= 1
            if isinstance(node[key], (dict, list)):
                stack.append(node[key])


@few
@given(st.binary(max_size=200))
def test_bytes_that_are_no_report_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(ConfigError):
        Report.from_json(data)


@few
@given(PLAIN[Any])
def test_any_json_is_settings_or_a_configuration_error(value: Any) -> None:
    try:
        decode(Settings, value)
    except ConfigError:
        return


@few
@given(st.floats())
def test_numbers_travel_exactly(value: float) -> None:
    back = convert(float, json.loads(json.dumps(encode(value), allow_nan=False)), "x")
    assert same(back, value)
