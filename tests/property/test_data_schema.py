"""Row by row and all at once: the plain schema and pandera find the same violations in any table."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redan.evidence.datasets.checking import cells, check
from redan.evidence.datasets.reading import read_table
from redan.evidence.datasets.schema import Rule, Schema, from_document, infer, to_json, violations

CELLS = st.one_of(
    st.sampled_from(["", "nan", "red", "blue", "1_0", "1e400", "-inf", "0", "1", "1.0", "x,y", "007"]),
    st.integers(-50, 50).map(str),
    st.floats(-50, 50).map(repr),
)
BOUNDS = st.sampled_from([-40, 0, 1, 7])
KINDS = st.sampled_from(["integer", "number", "text", "boolean"])


@st.composite
def rules(draw: st.DrawFn, name: str) -> Rule:
    kind = draw(KINDS)
    values: tuple[str, ...] | tuple[int, ...] | None = None
    if kind == "text":
        values = draw(st.none() | st.just(("blue", "red")))
    elif kind == "integer":
        values = draw(st.none() | st.just((0, 1, 2)))
    bounds = sorted(draw(st.tuples(BOUNDS, BOUNDS)))
    numeric = kind in ("integer", "number")
    return Rule(
        name=name,
        kind=kind,
        nullable=draw(st.booleans()),
        low=draw(st.none() | st.just(float(bounds[0]))) if numeric else None,
        high=draw(st.none() | st.just(float(bounds[1]))) if numeric else None,
        categories=values,
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[str]], Schema]:
    names = ["a", "b", "c"]
    n_rows = draw(st.integers(1, 8))
    columns = [draw(st.lists(CELLS, min_size=n_rows, max_size=n_rows)) for _ in names]
    known = draw(st.sets(st.sampled_from([*names, "absent"]), min_size=1))
    one_hot = (("a", "b"),) if {"a", "b"} <= known and draw(st.booleans()) else ()
    made = tuple(draw(rules(name)) for name in sorted(known))
    return [list(row) for row in zip(*columns, strict=True)], Schema(rules=made, one_hot=one_hot)


def table_of(lines: list[list[str]], words: frozenset[str]):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        text = "\n".join(",".join(f'"{c}"' for c in line) for line in [["a", "b", "c"], *lines])
        path.write_text(text + "\n")
        return read_table(path, words=words)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases())
def test_both_ways_of_checking_find_the_same(case: tuple[list[list[str]], Schema]) -> None:
    lines, schema = case
    table = table_of(lines, schema.words)
    each = {
        (violation.column, violation.check, number)
        for number, row in enumerate(cells(table, schema))
        for violation in violations(schema, row)
    }
    together = {(b.column, b.check, number) for b in check(table, schema) for number in b.rows}
    assert together == each


@settings(max_examples=50, deadline=None)
@given(cases())
def test_every_table_fits_the_schema_inferred_from_it_unless_it_is_infinite(
    case: tuple[list[list[str]], Schema],
) -> None:
    table = table_of(case[0], frozenset())
    found = infer(table)
    broken = {b.check for b in check(table, found)}
    assert broken <= {"kind"}
    assert from_document(__import__("json").loads(to_json(found))) == found
