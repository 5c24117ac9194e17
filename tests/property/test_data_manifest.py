"""A manifest that somebody bent is unreadable, never a crash; what is readable can be used to its end."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from redan.core.errors import RedanError
from redan.evidence.datasets.croissant import lacking, to_json
from redan.evidence.datasets.manifest import Card, from_bytes, measure
from redan.evidence.datasets.manifest import to_json as written
from redan.evidence.datasets.reading import read_table
from redan.evidence.datasets.schema import from_document, infer, violations
from redan.evidence.datasets.schema import to_json as schema_json

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just([]), st.just({}), st.just([{}]), st.just("..")
)


def documents() -> tuple[Any, Any]:
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        (data / "a.csv").write_text("age,city\n30,Bern\n41,Basel\n")
        (data / "b.txt").write_text("notes")
        manifest = written(measure(data, card=Card(name="x", responsible={"dataBiases": "few"})))
        return json.loads(manifest), json.loads(schema_json(infer(read_table(data / "a.csv"))))


MANIFEST, SCHEMA = documents()


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value in a document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [p for key, value in inner for p in [(*path, key), *places(value, (*path, key))]]


def bent(document: Any, path: tuple[Any, ...], value: Any, *, gone: bool) -> Any:
    copy = json.loads(json.dumps(document))
    node = copy
    for key in path[:-1]:
        node = node[key]
    if gone:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return copy


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(MANIFEST)), ODD, st.booleans())
def test_a_bent_manifest_is_unreadable_or_can_be_used(path: tuple[Any, ...], value: Any, gone: bool) -> None:
    try:
        found = from_bytes(json.dumps(bent(MANIFEST, path, value, gone=gone)).encode(), "m").manifest
    except RedanError:
        return
    json.loads(to_json(found))
    lacking(found)
    assert from_bytes(written(found), "m").manifest == found


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(places(SCHEMA)),
    ODD,
    st.booleans(),
    st.dictionaries(
        st.sampled_from(["age", "city", "x"]),
        st.none() | st.booleans() | st.text(max_size=3) | st.floats() | st.integers() | st.just(10**400),
    ),
)
def test_a_bent_schema_is_refused_or_judges_any_row(
    path: tuple[Any, ...], value: Any, gone: bool, row: dict[str, Any]
) -> None:
    try:
        found = from_document(bent(SCHEMA, path, value, gone=gone))
    except (KeyError, TypeError, ValueError, AttributeError):
        return
    violations(found, row)
    violations(found, {"age": 30, "city": "Bern", **row})
