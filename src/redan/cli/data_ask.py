"""`redan data allow` and `redan data ask`: answers about people under differential privacy, out of a budget."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.evidence.privacy_ledger.book import Balance, Cost
    from redan.kernels.dp.queries.asking import Query
    from redan.kernels.dp.queries.mechanisms import Answer

_PATH = click.Path(path_type=Path)
_LEDGER = click.option("--ledger", "book", type=_PATH, required=True, help="SQLite file that keeps what was spent.")
_FORM = click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.command("allow")
@click.argument("data")
@click.option("--epsilon", type=float, required=True, help="What all answers about DATA together may cost.")
@click.option(
    "--delta", type=float, default=0.0, show_default=True, help="The same for δ; 0 allows Laplace noise only."
)
@click.option("--client-epsilon", type=float, help="What each client may spend of it.  [default: all]")
@click.option("--client-delta", type=float, help="The same for δ.  [default: all]")
@_LEDGER
def allow(
    data: str, epsilon: float, delta: float, client_epsilon: float | None, client_delta: float | None, book: Path
) -> int:
    """Open a budget of privacy for DATA: a file, known by its digest, or a name of your own.

    A budget can never be raised. Name data that changes: a changed file has another digest, and the same people in it.
    """
    from redan.evidence.privacy_ledger.book import Cost, Ledger

    account = _account(data)
    per_client = Cost(
        epsilon=epsilon if client_epsilon is None else client_epsilon,
        delta=delta if client_delta is None else client_delta,
    )
    Ledger(path=book).open_account(account, Cost(epsilon=epsilon, delta=delta), per_client)
    sys.stderr.write(f"{account}: {_said(Cost(epsilon=epsilon, delta=delta))} in all, {_said(per_client)} a client\n")
    return 0


def _account(data: str) -> str:
    from redan.evidence.privacy_ledger.asking import account_of

    path = Path(data)
    return account_of(path) if path.is_file() else data


@click.command("ask")
@click.argument("table", type=_PATH, required=False)
@click.option("--count", is_flag=True, help="How many rows.")
@click.option("--sum", "total", metavar="COL", help="Sum of a column.")
@click.option("--mean", metavar="COL", help="Mean of a column.")
@click.option("--histogram", metavar="COL", help="Rows in each of --categories or --bins.")
@click.option("--quantile", metavar="COL:SHARE", help="A quantile of a column: age:0.5 is the median.")
@click.option("--bounds", metavar="LOW,HIGH", help="Public bounds of the column; cells beyond are moved to them.")
@click.option("--categories", metavar="A,B,…", help="Public categories of a histogram of words.")
@click.option("--bins", type=int, default=0, help="Bins of equal width of a histogram of numbers.")
@click.option("--candidates", type=int, default=1001, show_default=True, help="Values a quantile may take.")
@click.option("--people", metavar="COL", default="", help="Column that says whom a row is about.")
@click.option("--rows-per-person", type=int, default=1, show_default=True, help="Rows one person may have.")
@click.option("--epsilon", type=float, help="What the answer may cost.")
@click.option("--delta", type=float, default=0.0, show_default=True, help="Above 0: Gaussian noise.")
@click.option("--name", default="", help="Name of the data set in the ledger.  [default: the digest of TABLE]")
@click.option("--client", default="owner", show_default=True, help="Who pays.")
@click.option("--spent", is_flag=True, help="Show what was spent; nothing is asked.")
@_LEDGER
@_FORM
def ask(
    table: Path | None, spent: bool, book: Path, form: str, name: str, client: str, people: str, **said: Any
) -> int:
    """Answer one question about TABLE (CSV, TSV or Parquet) with noise that hides every single person.

    \b
    redan data allow people.csv --epsilon 3 --ledger privacy.ledger
    redan data ask people.csv --mean age --bounds 0,120 --epsilon 0.5 --ledger privacy.ledger

    Exit code 1 when the answer would overspend: nothing is read then, and nothing is spent.
    """
    from redan.evidence.privacy_ledger import asking
    from redan.evidence.privacy_ledger.book import Ledger

    ledger = Ledger(path=book)
    if spent:
        return _print(_spent_text(ledger.balances()) if form == "text" else _spent_json(ledger.balances()))
    if table is None:
        raise UsageError("no table was named", hint="redan data ask people.csv --count --epsilon 0.5 --ledger FILE")
    query = _query(said)
    asker = asking.Asker(account=name or asking.account_of(table), client=client, people=people)
    released = asking.ask(table, query, ledger, asker)
    return _print(_text(query, released) if form == "text" else _json(query, released))


def _query(said: dict[str, Any]) -> Query:
    from redan.kernels.dp.queries.asking import Query

    asked = [(kind, said.pop(flag)) for flag, kind in _FLAGS.items() if said.get(flag)]
    if len(asked) != 1:
        raise UsageError(
            f"one question at a time, got {len(asked)}", hint="--count, --sum, --mean, --histogram or --quantile"
        )
    if said["epsilon"] is None:
        raise UsageError("an answer has a price", hint="--epsilon 0.5: the smaller, the more noise")
    kind, what = asked[0]
    column, share = "" if what is True else str(what), 0.5
    if kind == "quantile":
        column, sign, word = column.rpartition(":")
        if not sign:
            raise UsageError(f"--quantile {word!r} names no share", hint=f"--quantile {word}:0.5")
        share = _number("--quantile", word)
    return Query(
        kind=kind,
        epsilon=said["epsilon"],
        delta=said["delta"],
        column=column,
        bounds=_bounds(said["bounds"]),
        categories=tuple(word.strip() for word in (said["categories"] or "").split(",") if word.strip()),
        bins=said["bins"],
        share=share,
        candidates=said["candidates"],
        rows_per_person=said["rows_per_person"],
    )


_FLAGS: dict[str, Any] = {
    "count": "count",
    "total": "sum",
    "mean": "mean",
    "histogram": "histogram",
    "quantile": "quantile",
}


def _bounds(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, _, high = text.partition(",")
    return _number("--bounds", low), _number("--bounds", high)


def _number(flag: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise UsageError(f"{flag} has {word!r} where a number belongs", hint="--bounds 0,120") from None


def _text(query: Query, released: Answer) -> str:
    from redan.reports.visible import visible

    wide = max(len(bar.name) for bar in released.bars)
    lines = [
        f"{visible(bar.name):<{wide}}  {bar.value:.10g}"
        + ("" if released.rank_error else f"  [{bar.low:.6g}, {bar.high:.6g}]")
        for bar in released.bars
    ]
    price = f"ε = {query.epsilon:g}" + (f", δ = {query.delta:g}" if query.delta else "")
    error = "the noise's 95 % interval in brackets"
    if released.rank_error is not None:
        error = f"its rank is off by at most {released.rank_error:.0f} rows (95 %), beside the candidates' spacing"
    return "\n".join([*lines, f"{price}; {released.mechanism}; {error}"]) + "\n"


def _json(query: Query, released: Answer) -> str:
    document = {
        "schema": "redan/private-answer/1",
        "question": query.text(),
        "epsilon": query.epsilon,
        "delta": query.delta,
        "mechanism": released.mechanism,
        "values": [{"name": b.name, "value": b.value, "low": b.low, "high": b.high} for b in released.bars],
        "rank_error": released.rank_error,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _spent_text(balances: tuple[Balance, ...]) -> str:
    from redan.reports.visible import visible

    lines = []
    for each in balances:
        lost = f", {each.n_lost} paid for and never answered" if each.n_lost else ""
        lines.append(f"{visible(each.account)}")
        lines.append(f"  spent {_said(each.spent)} of {_said(each.allowed)} by {each.n_answers} answers{lost}")
        lines += [f"  {visible(c)}: {_said(cost)} of {_said(each.per_client)}" for c, cost in each.clients.items()]
    return "\n".join(lines or ["no budget was ever opened"]) + "\n"


def _spent_json(balances: tuple[Balance, ...]) -> str:
    from dataclasses import asdict

    document = {"schema": "redan/privacy-ledger/1", "accounts": [asdict(each) for each in balances]}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _said(cost: Cost) -> str:
    return f"ε = {cost.epsilon:g}" + (f", δ = {cost.delta:g}" if cost.delta else "")


def _print(text: str) -> int:
    from redan.cli.output import emit

    emit(text.encode(errors="backslashreplace"), None)
    return 0
