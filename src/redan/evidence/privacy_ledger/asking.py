"""One private answer about a file: paid for first, read afterwards."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redan.core.errors import UnknownName, Unreadable, UsageError
from redan.evidence.datasets.table import needing
from redan.evidence.privacy_ledger.book import Cost

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from redan.evidence.datasets.table import Table
    from redan.evidence.privacy_ledger.book import Ledger
    from redan.kernels.dp.queries.asking import Query
    from redan.kernels.dp.queries.mechanisms import Answer

_FORMATS = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks about what.

    Attributes:
        account: name of the data set in the ledger.
        client: who pays.
        people: column that says who a row is about; empty when every row is about somebody else, or when the owner
            knows that nobody has more rows than the query says.
    """

    account: str
    client: str
    people: str = ""


def account_of(table: Path) -> str:
    """Return the name a data set goes by when nobody gave it one: the digest of its bytes.

    A changed file is then another data set with a budget of its own, though most people in it are the same: name it.

    Raises:
        Unreadable: the file cannot be read.
    """
    from hashlib import file_digest

    try:
        with table.open("rb") as stream:
            return f"sha256:{file_digest(stream, 'sha256').hexdigest()}"
    except OSError as err:
        raise Unreadable(f"cannot read {table.name!r}: {err.strerror}") from err


def ask(table: Path, query: Query, ledger: Ledger, asker: Asker) -> Answer:
    """Pay for a question, then read the data and answer with noise.

    Names of columns are public: a wrong one costs nothing. Whatever fails after the payment, a crash too, leaves the
    question paid for.

    Args:
        table: CSV, TSV or Parquet.
        query: the question.
        ledger: keeps what was spent.
        asker: who asks about which data set.

    Raises:
        Overspent: nothing was read and nothing was spent.
        UsageError: no such account.
        UnknownName: no such column; nothing was spent.
        Unreadable: ledger or table cannot be read.
        MissingDependency: OpenDP or a reader is not installed.
    """
    # before the payment: what is missing here must cost nobody anything
    from redan.kernels.dp.queries.mechanisms import answer, require

    require()
    if table.suffix.lower() not in _FORMATS:
        raise UsageError(f"{table.name!r} is no table", hint=f"give {', '.join(_FORMATS)}")
    cost = Cost(epsilon=query.epsilon, delta=query.delta)
    ledger.check(asker.account, asker.client, cost)
    _check_names(table, [name for name in (query.column, asker.people) if name])
    number = ledger.spend(asker.account, asker.client, cost, query.text())
    released = answer(query, _values(table, query, asker.people))
    ledger.answered(number)
    return released


def _check_names(path: Path, wanted: list[str]) -> None:
    known = _names(path) if wanted else []
    for name in wanted:
        if name not in known:
            raise UnknownName.among(f"column in {path.name}", name, known)


def _names(path: Path) -> list[str]:
    """Return the names of the columns: the first line of a text table, the schema of a Parquet file.

    Raises:
        Unreadable: it cannot be read.
    """
    from redan.evidence.datasets.text import MOST_LINE_CHARACTERS

    try:
        if path.suffix.lower() == ".parquet":
            return _parquet_names(path)
        with path.open(newline="", encoding="utf-8-sig") as stream:
            line = stream.readline(MOST_LINE_CHARACTERS)
    except (OSError, UnicodeDecodeError) as err:
        raise Unreadable(f"cannot read {path.name!r}: {err}") from err
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    return [cell.strip() for row in csv.reader([line], delimiter=delimiter) for cell in row]


@needing("reading Parquet")
def _parquet_names(path: Path) -> list[str]:
    import pyarrow
    from pyarrow import parquet

    try:
        return [str(name) for name in parquet.read_schema(path).names]
    except pyarrow.ArrowException as err:
        raise Unreadable(f"{path.name!r} is no Parquet table: {err}") from err


def _values(path: Path, query: Query, people: str) -> NDArray[Any]:
    import numpy as np

    from redan.evidence.datasets.reading import read_table
    from redan.kernels.dp.queries.mechanisms import first_rows

    named = frozenset({query.column, people} - {""})
    table = read_table(path, words=named)
    kept = np.ones(table.n_rows, np.bool_)
    values: NDArray[Any] = np.zeros(table.n_rows)
    if query.column:
        values, kept = _column(table, query.column, as_words=bool(query.categories))
    if people:
        who, known = _column(table, people, as_words=True)
        kept &= known
        kept[kept] = first_rows(who[kept].astype(str), query.rows_per_person)
    return values[kept]


def _column(table: Table, name: str, *, as_words: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a column and which of its cells count: whether one cell is a number never decides about the others."""
    import numpy as np

    column = table.column(name)
    if column is None:
        raise UnknownName.among(f"column in {table.name}", name, [c.name for c in table.columns])
    present = ~column.missing
    if as_words:
        words = column.values if column.kind == "text" else _shown(column.values, present)
        return words, present
    numbers = np.array([_number(v) for v in column.values]) if column.kind == "text" else column.values
    numbers = np.asarray(numbers, np.float64)
    return numbers, present & ~np.isnan(numbers)


def _shown(values: NDArray[Any], present: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    shown = np.empty(len(values), dtype=object)
    shown[:] = [f"{v:.17g}" if p else "" for v, p in zip(values, present, strict=True)]
    return shown


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
