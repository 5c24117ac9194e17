"""The ledger refuses what would overspend, across clients, processes and crashes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.core.errors import Unreadable, UsageError
from redan.evidence.privacy_ledger.book import Cost, Ledger, Overspent


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger with one account of ε = 1 and δ = 1e-6, of which a client may have ε = 0.6."""
    made = Ledger(path=tmp_path / "privacy.ledger")
    made.open_account("people", Cost(epsilon=1.0, delta=1e-6), Cost(epsilon=0.6, delta=1e-6))
    return made


def test_ten_tenths_are_one_and_an_eleventh_is_refused(ledger: Ledger) -> None:
    for number in range(10):
        ledger.spend("people", f"client {number % 2}", Cost(epsilon=0.1), "count")

    with pytest.raises(Overspent, match=r"left of 1, and this answer would cost 0\.1"):
        ledger.spend("people", "somebody new", Cost(epsilon=0.1), "count")
    assert ledger.balance("people").spent == Cost(epsilon=1.0)


def test_a_client_has_an_allowance_of_its_own(ledger: Ledger) -> None:
    ledger.spend("people", "alice", Cost(epsilon=0.6), "count")

    with pytest.raises(Overspent, match="client 'alice'"):
        ledger.spend("people", "alice", Cost(epsilon=1e-6), "count")
    ledger.spend("people", "bob", Cost(epsilon=0.4), "count")
    assert ledger.balance("people").clients == {"alice": Cost(epsilon=0.6), "bob": Cost(epsilon=0.4)}


def test_delta_is_counted_too(ledger: Ledger) -> None:
    ledger.spend("people", "a", Cost(epsilon=0.1, delta=6e-7), "count")

    with pytest.raises(Overspent, match="δ"):
        ledger.spend("people", "b", Cost(epsilon=0.1, delta=6e-7), "count")


def test_what_was_paid_and_never_answered_counts(ledger: Ledger) -> None:
    ledger.answered(ledger.spend("people", "a", Cost(epsilon=0.2), "count"))
    ledger.spend("people", "a", Cost(epsilon=0.3), "count")

    found = ledger.balance("people")
    assert (found.n_answers, found.n_lost, found.spent) == (1, 1, Cost(epsilon=0.5))


def test_an_allowance_cannot_be_raised(ledger: Ledger) -> None:
    ledger.open_account("people", Cost(epsilon=1.0, delta=1e-6), Cost(epsilon=0.6, delta=1e-6))

    with pytest.raises(UsageError, match="that is final"):
        ledger.open_account("people", Cost(epsilon=9.0, delta=1e-6), Cost(epsilon=0.6, delta=1e-6))


def test_an_unknown_account_and_a_missing_ledger_are_refused_with_advice(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        ledger.spend("others", "a", Cost(epsilon=0.1), "count")
    assert "redan data allow" in caught.value.hint
    with pytest.raises(Unreadable):
        Ledger(path=tmp_path / "none").spend("people", "a", Cost(epsilon=0.1), "count")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)

    with pytest.raises(Unreadable):
        Ledger(path=path).spend("people", "a", Cost(epsilon=0.1), "count")


def test_a_database_of_somebody_else_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()

    with pytest.raises(Unreadable, match="no ledger"):
        Ledger(path=path).open_account("people", Cost(epsilon=1.0), Cost(epsilon=1.0))


@pytest.mark.parametrize(
    "cost", [Cost(epsilon=0.0), Cost(epsilon=-1.0), Cost(epsilon=float("nan")), Cost(epsilon=1, delta=1)]
)
def test_what_is_no_cost_is_refused(ledger: Ledger, cost: Cost) -> None:
    with pytest.raises(UsageError):
        ledger.spend("people", "a", cost, "count")


SPENDER = """
import sys
from pathlib import Path
from redan.evidence.privacy_ledger.book import Cost, Ledger, Overspent
ledger, paid = Ledger(path=Path(sys.argv[1])), 0
for _ in range(40):
    try:
        ledger.spend("shared", sys.argv[2], Cost(epsilon=0.01), "count")
        paid += 1
    except Overspent:
        pass
print(paid)
"""


def test_processes_that_spend_at_once_never_overspend(tmp_path: Path) -> None:
    ledger = Ledger(path=tmp_path / "privacy.ledger")
    ledger.open_account("shared", Cost(epsilon=0.55), Cost(epsilon=0.3))
    command = [sys.executable, "-c", SPENDER, str(ledger.path)]
    running = [subprocess.Popen([*command, f"p{n}"], stdout=subprocess.PIPE) for n in range(3)]

    paid = [int(process.communicate(timeout=120)[0]) for process in running]
    assert sum(paid) == 55
    assert max(paid) <= 30
    assert ledger.balance("shared").spent.epsilon == pytest.approx(0.55)


KILLED = """
import os, signal, sys
from pathlib import Path
from redan.evidence.privacy_ledger.book import Cost, Ledger
Ledger(path=Path(sys.argv[1])).spend("people", "a", Cost(epsilon=0.5), "count")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_after_paying_has_paid(ledger: Ledger) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(ledger.path)], check=False, timeout=60)

    found = ledger.balance("people")
    assert (found.spent.epsilon, found.n_lost) == (0.5, 1)


def test_a_ledger_is_readable_by_its_owner_alone(ledger: Ledger) -> None:
    assert ledger.path.stat().st_mode & 0o077 == 0


@settings(max_examples=20, deadline=None)
@given(costs=st.lists(st.floats(1e-9, 0.4), max_size=12))
def test_no_sequence_of_costs_overspends(tmp_path_factory: pytest.TempPathFactory, costs: list[float]) -> None:
    ledger = Ledger(path=tmp_path_factory.mktemp("ledger") / "x")
    ledger.open_account("people", Cost(epsilon=1.0), Cost(epsilon=1.0))
    paid = 0.0
    for cost in costs:
        try:
            ledger.spend("people", "a", Cost(epsilon=cost), "count")
            paid += cost
        except Overspent:
            assert paid + cost > 1 - 1e-7
    assert paid <= 1 + 1e-12
