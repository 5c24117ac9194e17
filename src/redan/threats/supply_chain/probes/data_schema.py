"""Rows of a data set against a schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import ShapeMismatch, Skipped
from redan.core.finding import Finding, Location
from redan.core.probe import Spec
from redan.core.record import dataclass
from redan.core.report import Examined

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.evidence.datasets.checking import Broken

MOST_LOCATIONS = 20
"""Rows that a finding lists as places; its detail names up to a hundred."""
SAYS = {
    "absent": "the column is absent",
    "unexpected": "the schema knows no such column",
    "missing": "{0} are empty",
    "kind": "{0} hold something of another kind",
    "low": "{0} hold less than is allowed",
    "high": "{0} hold more than is allowed",
    "category": "{0} hold a value that is none of the categories",
    "one-hot": "{0} do not set exactly one of the columns to 1",
    "unique": "{0} share their value with another",
    "dtype": "the array is of another type",
    "shape": "the array is of another shape",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSchemaParams(core_params.Params):
    """What to compare with.

    Attributes:
        schema: path of a schema that `redan data schema` wrote.
    """

    schema: str = ""


@probe(
    Spec(
        id="RDN-SUP-039",
        name="data-schema",
        threat="supply_chain",
        title="Rows of a data set that break its schema, counted and named",
        source="pandera documentation, DataFrameSchema; Wilson 1927 (interval of the rate)",
        needs=("bytes",),
        cost="seconds",
        references=("cwe:1287", "cwe:1284", "owasp:ML01"),
        default=False,
    )
)
class DataSchema:
    """Checks every row of a data set against a schema.

    What it measures:
        Absent and unexpected columns, empty cells, kinds, ranges, categories, one-hot groups, repeated values, types
        and shapes of arrays.

    Why it matters:
        What a model was measured on says nothing about inputs of another form.

    How:
        The data is read as a table and checked by pandera; images by size, mode and brightness.

    Shapes:
        Input: a table, an array file, or a folder of images. Output: one finding a column and reason.

    Units:
        Rows, counted from 0 without the header; shares of rows.

    Error of the estimate:
        Counts are exact; the share has a 95 % Wilson interval for the source that the rows come from.

    Cost:
        About a CPU second for a million cells of text, less for arrays and Parquet.

    Sources:
        pandera documentation; Wilson, JASA 22, 1927.

    Limits:
        Whole numbers above 2^53 are compared as floats.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = DataSchemaParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: DataSchemaParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined]:
        """Read the data once and yield a finding for each reason."""
        if not params.schema:
            raise Skipped("no schema was named", hint="redan data check DATA --schema FILE")
        from redan.evidence.datasets import schema as schemas
        from redan.evidence.datasets.checking import check
        from redan.evidence.datasets.reading import read_table

        observe.started("data_schema", 1)
        schema = schemas.read(Path(params.schema))
        table = read_table(subject.root, words=schema.words)
        if budget.stop():
            return
        if table.n_rows == 0:
            raise ShapeMismatch(f"{subject.root.name!r} has no rows, so nothing can be checked")
        broken = check(table, schema)
        for _, shown in subject.files():
            yield Examined(path=shown, format="data", by=("data-schema",))
        for each in broken:
            yield _finding(each, subject.root.name)
        observe.finished("data_schema", f"{table.n_rows} rows")


def _finding(broken: Broken, name: str) -> Finding:
    from redan.threats.supply_chain.rules.data_schema import RULE

    rows = f"{broken.n_broken:,} of {broken.n_rows:,} rows"
    named = ", ".join(map(str, broken.rows))
    more = ", …" if broken.n_broken > len(broken.rows) else ""
    whole = broken.check in ("absent", "unexpected", "dtype", "shape")
    places = [] if whole else [f"row {row}, {broken.column}" for row in broken.rows[:MOST_LOCATIONS]]
    return Finding(
        rule=RULE.id,
        threat=RULE.threat,
        subject=name,
        title=f"{name}: {broken.column}: {SAYS[broken.check].format(rows)}",
        severity=RULE.severity,
        detail=RULE.title if whole else f"{RULE.title}. Rows, from 0: {named}{more}.",
        params={"column": broken.column, "check": broken.check},
        quantities=(broken.rate,),
        locations=tuple(Location(uri=name, address=place) for place in places) or (Location(uri=name),),
        remedies=(RULE.remedy,),
        references=RULE.references,
    )
