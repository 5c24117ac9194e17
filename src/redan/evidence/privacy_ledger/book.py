"""The ledger: a SQLite file in which every question is paid for before the data is touched.

Costs add up: ε to ε and δ to δ, also when questions are chosen by earlier answers and by several clients together
(Rogers, Roth, Ullman & Vadhan 2016, "Privacy odometers and filters"). They are kept as whole numbers, rounded against
whoever asks, so no sum of floats lets a question through.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import EvidenceError, RedanError, Unreadable, UsageError

if TYPE_CHECKING:
    import sqlite3

_NANO = 10**9
_ATTO = 10**18
_MOST_EPSILON = 10**6
_WAIT_S = 60.0
_LONGEST_NAME = 256
_FORMAT = 1
_TABLES = """
CREATE TABLE account (
  name TEXT PRIMARY KEY, opened_at TEXT NOT NULL,
  epsilon INTEGER NOT NULL, delta INTEGER NOT NULL,
  client_epsilon INTEGER NOT NULL, client_delta INTEGER NOT NULL
) STRICT;
CREATE TABLE entry (
  id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL REFERENCES account (name), client TEXT NOT NULL,
  spent_at TEXT NOT NULL, epsilon INTEGER NOT NULL CHECK (epsilon >= 0), delta INTEGER NOT NULL CHECK (delta >= 0),
  question TEXT NOT NULL, answered_at TEXT
) STRICT;
CREATE INDEX entry_account ON entry (account, client);
"""


class Overspent(RedanError):
    """The answer would cost more than is left; nothing was read and nothing was spent."""

    code = "RDN-E420"
    exit_code = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """ε and δ, of one answer or of many together."""

    epsilon: float
    delta: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account: what may be spent in all and by each client, and what was.

    Attributes:
        account: name of the data set.
        allowed: by all clients together.
        per_client: by each of them.
        spent: by all clients together.
        clients: by each client that ever asked.
        n_answers: questions that were paid for and answered.
        n_lost: questions that were paid for and never answered: something stopped between the two. They count.
    """

    account: str
    allowed: Cost
    per_client: Cost
    spent: Cost
    clients: dict[str, Cost]
    n_answers: int
    n_lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A file with accounts; any number of processes may use it at once.

    Attributes:
        path: the SQLite file, on a local disk.
    """

    path: Path

    def open_account(self, name: str, allowed: Cost, per_client: Cost) -> None:
        """Open an account; the file is made when it is missing. What an account allows can never be changed.

        Raises:
            UsageError: the name or an allowance makes no sense, or the account exists with another allowance.
            Unreadable: the file cannot be written, or is no ledger.
        """
        _check_name("data set", name)
        wanted = (*_allowance(allowed), *_allowance(per_client))
        with self._writing(create=True) as db:
            found = db.execute(
                "SELECT epsilon, delta, client_epsilon, client_delta FROM account WHERE name = ?", (name,)
            ).fetchone()
            if found is None:
                db.execute("INSERT INTO account VALUES (?, ?, ?, ?, ?, ?)", (name, _now(), *wanted))
            elif found != wanted:
                raise UsageError(
                    f"{name!r} already allows ε = {found[0] / _NANO:g}, δ = {found[1] / _ATTO:g}, and that is final",
                    hint="privacy that was promised cannot be taken back; another data set needs another name",
                )

    def spend(self, account: str, client: str, cost: Cost, question: str) -> int:
        """Pay for a question, durably, before anybody reads the data; return the entry's number.

        Raises:
            Overspent: it would cost more than the account or the client has left.
            UsageError: there is no such account, or the cost is no positive number.
            Unreadable: there is no ledger, or it cannot be written.
        """
        _check_name("client", client)
        epsilon, delta = _price(cost)
        with self._writing() as db:
            _check_affordable(db, account, client, (epsilon, delta))
            row = db.execute(
                "INSERT INTO entry (account, client, spent_at, epsilon, delta, question) VALUES (?, ?, ?, ?, ?, ?)",
                (account, client, _now(), epsilon, delta, question),
            )
        if row.lastrowid is None:
            raise EvidenceError(f"{self.path.name!r} did not number an entry")
        return row.lastrowid

    def check(self, account: str, client: str, cost: Cost) -> None:
        """Refuse what could not be paid for now; nothing is spent, and only `spend` decides.

        Raises:
            Overspent: it would cost more than the account or the client has left.
            UsageError: there is no such account, or the cost is no positive number.
            Unreadable: there is no ledger.
        """
        price = _price(cost)
        with self._reading() as db:
            _check_affordable(db, account, client, price)

    def answered(self, number: int) -> None:
        """Note that a question was answered; it has been paid for either way.

        Raises:
            Unreadable: there is no ledger, or it cannot be written.
        """
        with self._writing() as db:
            db.execute("UPDATE entry SET answered_at = ? WHERE id = ? AND answered_at IS NULL", (_now(), number))

    def balance(self, account: str) -> Balance:
        """Return what an account allows and has spent.

        Raises:
            UsageError: there is no such account.
            Unreadable: there is no ledger.
        """
        with self._reading() as db:
            return _balance(db, account)

    def balances(self) -> tuple[Balance, ...]:
        """Return every account, by name.

        Raises:
            Unreadable: there is no ledger.
        """
        with self._reading() as db:
            names = [name for (name,) in db.execute("SELECT name FROM account ORDER BY name")]
            return tuple(_balance(db, name) for name in names)

    @contextmanager
    def _writing(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """Hold the file's only write lock; commit at the end, undo everything on an error."""
        with self._connected(create=create) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                _prepare(db, self.path, create=create)
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._connected(create=False) as db:
            db.execute("BEGIN")
            _prepare(db, self.path, create=False)
            yield db
            db.execute("ROLLBACK")

    @contextmanager
    def _connected(self, *, create: bool) -> Iterator[sqlite3.Connection]:
        import sqlite3

        if not create and not self.path.is_file():
            raise Unreadable(
                f"there is no ledger {str(self.path)!r}",
                hint="redan data allow NAME --epsilon 3 --ledger FILE opens an account in it",
            )
        try:
            if create:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.touch(mode=0o600)
            with closing(sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)) as db:
                # an answer must never outlive the entry that paid for it
                db.execute("PRAGMA synchronous = EXTRA")
                yield db
        except (sqlite3.Error, OSError) as err:
            raise Unreadable(f"the ledger {str(self.path)!r} cannot be used: {err}") from err


def _prepare(db: sqlite3.Connection, path: Path, *, create: bool) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and create and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
        for statement in _TABLES.split(";")[:-1]:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {_FORMAT}")
    elif version != _FORMAT:
        raise Unreadable(f"{path.name!r} is no ledger of privacy that this version reads")


def _limits(db: sqlite3.Connection, account: str) -> tuple[int, int, int, int]:
    found = db.execute(
        "SELECT epsilon, delta, client_epsilon, client_delta FROM account WHERE name = ?", (account,)
    ).fetchone()
    if found is None:
        raise UsageError(
            f"nobody has allowed questions about {account!r}",
            hint="its owner opens an account: redan data allow NAME --epsilon 3 --ledger FILE",
        )
    return (found[0], found[1], found[2], found[3])


def _sums(db: sqlite3.Connection, where: str, values: tuple[str, ...]) -> tuple[int, int]:
    # the words come from this file, the values are bound
    found = db.execute(f"SELECT epsilon, delta FROM entry WHERE {where}", values)  # noqa: S608
    epsilon = delta = 0
    for row in found:
        epsilon, delta = epsilon + row[0], delta + row[1]
    return epsilon, delta


def _check_affordable(db: sqlite3.Connection, account: str, client: str, price: tuple[int, int]) -> None:
    limits = _limits(db, account)
    _check_left("the data set", account, limits[:2], _sums(db, "account = ?", (account,)), price)
    own = _sums(db, "account = ? AND client = ?", (account, client))
    _check_left("client", client, limits[2:], own, price)


def _check_left(what: str, name: str, limits: tuple[int, ...], spent: tuple[int, int], price: tuple[int, int]) -> None:
    for sign, unit, limit, gone, asked in zip("εδ", (_NANO, _ATTO), limits, spent, price, strict=True):
        if gone + asked <= limit:
            continue
        left = f"{sign} = {max(limit - gone, 0) / unit:g}"
        advice = f"ask with at most {left}" if limit > gone else "nothing more can be answered about this data"
        raise Overspent(
            f"{what} {name!r} has {left} left of {limit / unit:g}, and this answer would cost {asked / unit:g}",
            hint=f"{advice}; it was not read",
        )


def _balance(db: sqlite3.Connection, account: str) -> Balance:
    limits = _limits(db, account)
    clients = [c for (c,) in db.execute("SELECT DISTINCT client FROM entry WHERE account = ?", (account,))]
    counts = db.execute("SELECT COUNT(answered_at), COUNT(*) FROM entry WHERE account = ?", (account,)).fetchone()
    return Balance(
        account=account,
        allowed=_cost(limits[:2]),
        per_client=_cost(limits[2:]),
        spent=_cost(_sums(db, "account = ?", (account,))),
        clients={c: _cost(_sums(db, "account = ? AND client = ?", (account, c))) for c in sorted(clients)},
        n_answers=counts[0],
        n_lost=counts[1] - counts[0],
    )


def _cost(whole: tuple[int, ...]) -> Cost:
    return Cost(epsilon=whole[0] / _NANO, delta=whole[1] / _ATTO)


def _price(cost: Cost) -> tuple[int, int]:
    """Return a cost in whole units, rounded up.

    Raises:
        UsageError: it is no cost.
    """
    _check_cost(cost)
    if cost.epsilon == 0:
        raise UsageError("an answer costs an ε above 0")
    return math.ceil(_exact(cost.epsilon) * _NANO), math.ceil(_exact(cost.delta) * _ATTO)


def _allowance(cost: Cost) -> tuple[int, int]:
    """Return an allowance in whole units, rounded down.

    Raises:
        UsageError: it is no allowance.
    """
    _check_cost(cost)
    return math.floor(_exact(cost.epsilon) * _NANO), math.floor(_exact(cost.delta) * _ATTO)


def _check_cost(cost: Cost) -> None:
    if not 0 <= cost.epsilon <= _MOST_EPSILON:
        raise UsageError(f"ε lies between 0 and {_MOST_EPSILON}, got {cost.epsilon!r}")
    if not 0 <= cost.delta < 1:
        raise UsageError(f"δ lies in [0, 1), got {cost.delta!r}", hint="1e-6, or none for answers with Laplace noise")


def _exact(value: Any) -> Decimal:
    # what a person wrote: 0.1 is a tenth here, not the float next to it
    return Decimal(repr(float(value)))


def _check_name(what: str, name: str) -> None:
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"a {what} has a printable name of 1 to {_LONGEST_NAME} characters, got {name!r:.80}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
