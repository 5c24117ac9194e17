"""What every finding promises, whoever yields it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from math import isnan
from typing import Any

from redan.core.codec import decode, encode
from redan.core.errors import ConfigError
from redan.core.finding import Evidence, Finding, Quantity, Series, Table
from redan.testing.described import REFERENCES, is_scalar, unknown_references
from redan.testing.promise import insist


def survives_json(item: Any) -> None:
    """Insist that a finding or verdict comes back from JSON as it was, with its fingerprint."""
    try:
        text = json.dumps(encode(item), allow_nan=False)
        back = decode(type(item), json.loads(text))
    except (TypeError, ValueError, ConfigError) as err:
        insist(kept=False, what=f"it does not survive JSON: {err}", mend="use plain str, int, float, bool and tuples")
        return
    insist(
        encode(back) == json.loads(text),
        f"it comes back from JSON changed: {type(item).__name__}",
        "use plain str, int, float, bool, tuples and mappings",
    )
    if isinstance(item, Finding):
        insist(
            back.fingerprint == item.fingerprint,
            "its fingerprint changes on the way through JSON",
            "put only str, int, float, bool and None into params",
        )


def is_whole(quantity: Quantity) -> None:
    """Insist on name, unit, sample size and an interval around the value."""
    name = quantity.name
    insist(bool(name) and " " not in name, f"a quantity is named {name!r}", "name it like robust_accuracy")
    insist(bool(quantity.unit), f"{name} has no unit", "say fraction, count, s, bytes, queries, linf …")
    insist(type(quantity.n) is int and quantity.n >= 0, f"{name} has n = {quantity.n!r}", "give the sample size")
    numbers = (quantity.value, quantity.low, quantity.high)
    insist(
        all(type(x) in (int, float) for x in numbers),
        f"{name} holds {', '.join(type(x).__name__ for x in numbers)}",
        "turn NumPy and torch numbers into float(…)",
    )
    if quantity.n == 0:
        return
    insist(not any(isnan(x) for x in numbers), f"{name} is not a number for n = {quantity.n}", "say nothing instead")
    insist(
        quantity.low <= quantity.value <= quantity.high,
        f"{name} {quantity.value} lies outside of its interval {quantity.low} to {quantity.high}",
        "give the ends of the 95 % interval; low = high = value only for an exact count",
    )
    estimated = quantity.unit == "fraction" and quantity.better != "neither"
    insist(
        not estimated or quantity.low < quantity.high,
        f"{name} is a share of {quantity.n} samples without an interval",
        "use redan.kernels.statistics.wilson(successes, n)",
    )


def is_aligned(series: Series) -> None:
    """Insist that a curve has as many values as positions, and intervals for all or none."""
    lengths = {"y": len(series.y), "low": len(series.low), "high": len(series.high), "n": len(series.n)}
    odd = [k for k, n in lengths.items() if n != len(series.x) and (n or k == "y")]
    insist(
        not odd,
        f"series {series.name} has {len(series.x)} positions and another number of {', '.join(odd)}",
        "give one value a position, or leave low, high and n empty",
    )
    insist(bool(series.y_unit), f"series {series.name} has no y_unit", "say what its values are in")


def is_rectangular(table: Table) -> None:
    """Insist that a table has a head and that every row is as long."""
    insist(bool(table.columns), f"table {table.name} has no columns", "name them")
    odd = [k for k, row in enumerate(table.rows) if len(row) != len(table.columns)]
    insist(
        not odd,
        f"rows {', '.join(map(str, odd[:5]))} of table {table.name} are not {len(table.columns)} cells long",
        "give one cell a column, None where nothing is known",
    )


def is_replayable(blob: Evidence) -> None:
    """Insist that evidence carries its bytes and the digest of just these bytes."""
    mend = "make it with Evidence.of(name, payload, media_type, note)"
    insist(blob.payload is not None, f"evidence {blob.name} has no bytes", mend)
    assert blob.payload is not None
    right = sha256(blob.payload).hexdigest() == blob.sha256 and len(blob.payload) == blob.size_bytes
    insist(right, f"evidence {blob.name} has another digest or length than its bytes", mend)
    insist("/" in blob.media_type, f"evidence {blob.name} has media type {blob.media_type!r}", mend)


def belongs(finding: Finding, thing: Any, subject: Any, rules: Iterable[str]) -> None:
    """Insist that a finding names its rule, threat and subject, and only parameters that exist."""
    spec = thing.spec
    insist(
        finding.rule in (spec.id, *rules),
        f"a finding of rule {finding.rule!r} comes from {spec.id}",
        "use spec.id, or register the rule with redan.core.catalogue.rule",
    )
    insist(finding.threat == spec.threat, f"a finding of threat {finding.threat!r}", f"use {spec.threat!r}")
    insist(
        finding.subject == subject.ref.name,
        f"a finding about {finding.subject!r} where {subject.ref.name!r} was measured",
        "use subject.ref.name: it is part of the fingerprint",
    )
    insist(bool(finding.title) and "\n" not in finding.title, "a finding without a one-line title", "say the number")
    odd = [k for k, v in finding.params.items() if not is_scalar(v)]
    insist(not odd, f"finding parameters that are no scalars: {', '.join(odd)}", "use params.as_dict()")
    if finding.rule == spec.id:
        unknown = sorted(set(finding.params) - set(thing.Params.names()))
        insist(not unknown, f"finding parameters that Params lacks: {', '.join(unknown)}", "use params.as_dict()")
    references = unknown_references(finding.references)
    insist(
        not references,
        f"finding references without a known prefix: {', '.join(references)}",
        f"use one of {', '.join(REFERENCES)}",
    )
