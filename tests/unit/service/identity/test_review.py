"""Access reviews over real rows: use, age, second factors, separated duties, what the audit log saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import insert, update
from tests.unit.service.identity.conftest import ROLES, people

from redan.core.errors import UsageError
from redan.core.settings import Settings
from redan.evidence.store.database import Database
from redan.service.audit.tables import records
from redan.service.identity import directory, keys, tables
from redan.service.identity.login.tables import totps
from redan.service.identity.review import Line, decide, review

DAY_US = 86_400 * 1_000_000


def lines(database: Database, settings: Settings) -> dict[tuple[str, str], Line]:
    with database.reading() as connection:
        whole, paged = review(connection, settings, ROLES), list[Line]()
        while page := review(connection, settings, ROLES, after=paged[-1].subject if paged else "", most=1):
            paged += page
    assert paged == whole
    return {(line.subject, line.role): line for line in whole}


def codes(line: Line, *, open_only: bool = False) -> list[str]:
    return [remark.code for remark in line.remarks if remark.open or not open_only]


def aged(database: Database, days: int, *, used_days: int | None = None) -> None:
    """Let everything have happened some days earlier."""
    now_us = directory.now_us()
    used_us = None if used_days is None else now_us - used_days * DAY_US
    with database.writing() as connection:
        connection.execute(update(tables.subjects).values(created_us=now_us - days * DAY_US, used_us=used_us))
        connection.execute(update(tables.assignments).values(since_us=now_us - days * DAY_US))


def record(database: Database, index: int, who: str, act: str, model: str, *, days: int, ok: bool = True) -> None:
    row = {
        "replica": "one", "index": index, "t_us": directory.now_us() - days * DAY_US, "who": who, "act": act,
        "model": model, "ok": ok, "why": "", "status": 200, "addr": "", "entry": "{}",
    }  # fmt: skip
    with database.writing() as connection:
        connection.execute(insert(records).values(**row))


def test_everybody_and_each_role_has_a_line(
    kind: str, new_service: Callable[[str], Database], settings: Settings
) -> None:
    database = new_service(kind)
    people(database)
    with database.writing() as connection:
        directory.add(connection, "client:idle", by="test")
        keys.make(connection, "client:shop", by="test")
    found = lines(database, settings)
    assert set(found) == {
        ("client:idle", ""), ("client:shop", "client"), ("user:ann", "operator"), ("user:root", "administrator"),
    }  # fmt: skip
    assert "no-role" in codes(found["client:idle", ""])
    assert (found["client:shop", "client"].live_keys, found["client:shop", "client"].model) == (1, "fraud")


def test_age_decides_what_is_open(database: Database, settings: Settings) -> None:
    fresh = lines(database, settings)["client:shop", "client"]
    assert codes(fresh, open_only=True) == []
    assert "not used yet" in [remark.text for remark in fresh.remarks]
    aged(database, 91)
    assert codes(lines(database, settings)["client:shop", "client"], open_only=True) == ["never-used"]
    aged(database, 400, used_days=89)
    assert codes(lines(database, settings)["client:shop", "client"]) == []
    aged(database, 400, used_days=91)
    assert codes(lines(database, settings)["client:shop", "client"]) == ["stale"]


def test_a_live_key_that_nobody_uses_is_told(database: Database, settings: Settings) -> None:
    with database.writing() as connection:
        key, _ = keys.make(connection, "client:shop", by="test", ttl_s=keys.LONGEST_S)
        connection.execute(update(tables.keys).values(created_us=key.created_us - 100 * DAY_US))
    aged(database, 100, used_days=1)
    assert codes(lines(database, settings)["client:shop", "client"]) == ["stale-key"]


def test_a_second_factor_is_missed_of_people_with_dangerous_roles_alone(database: Database, settings: Settings) -> None:
    found = lines(database, settings)
    assert [who for (who, _), line in found.items() if "no-second-factor" in codes(line)] == ["user:ann", "user:root"]
    with database.writing() as connection:
        connection.execute(insert(totps).values(person="user:ann", sealed="x", created_s=0.0, last_step=0))
    found = lines(database, settings)
    assert [who for (who, _), line in found.items() if "no-second-factor" in codes(line)] == ["user:root"]


def test_duties_in_one_hand_are_told(database: Database, settings: Settings) -> None:
    with database.writing() as connection:
        lenient = replace(ROLES, strict=False)
        directory.grant(connection, lenient, "user:root", "auditor", by="test")
        directory.grant(connection, lenient, "client:shop", "viewer", by="test")
    found = lines(database, settings)
    assert "separation" in codes(found["user:root", "auditor"], open_only=True)
    assert "separation" in codes(found["client:shop", "viewer"])
    assert "separation" not in codes(found["client:shop", "viewer"], open_only=True)


def test_what_was_allowed_and_never_used_is_known_from_the_audit_log(database: Database, settings: Settings) -> None:
    aged(database, 200, used_days=1)
    record(database, 0, "user:root", "identity.write", "", days=120)
    assert "unused-actions" in codes(lines(database, settings)["client:shop", "client"])
    record(database, 1, "client:shop", "predict", "fraud@3", days=2)
    record(database, 2, "client:shop", "explain", "fraud@3", days=2, ok=False)
    record(database, 3, "client:shop", "feedback", "churn@1", days=2)
    (remark,) = lines(database, settings)["client:shop", "client"].remarks
    assert (remark.text, remark.open) == ("2 of 3 actions were not used: explain, feedback", False)


@pytest.mark.parametrize("reason", ["young log", "young role", "pseudonyms"])
def test_nothing_is_said_of_use_that_the_audit_log_could_not_see(
    database: Database, settings: Settings, reason: str
) -> None:
    aged(database, 10 if reason == "young role" else 200, used_days=1)
    record(database, 0, "user:root", "identity.write", "", days=10 if reason == "young log" else 120)
    if reason == "pseudonyms":
        settings = replace(settings, audit=replace(settings.audit, redact=("client",)))
    assert codes(lines(database, settings)["client:shop", "client"]) == []


def test_a_decision_holds_until_it_is_stale_itself(database: Database, settings: Settings) -> None:
    aged(database, 200, used_days=91)
    words = {"subject": "client:shop", "role": "client", "model": "fraud", "by": "user:root"}
    with database.writing() as connection:
        decide(connection, ROLES, decision="keep", note="seasonal", **words)
    line = lines(database, settings)["client:shop", "client"]
    assert (line.decision, line.open, codes(line)) == ("keep", False, ["stale"])
    with database.writing() as connection:
        connection.execute(update(tables.reviews).values(t_us=tables.reviews.c.t_us - 91 * DAY_US))
    assert lines(database, settings)["client:shop", "client"].open
    with database.writing() as connection:
        decide(connection, ROLES, decision="revoke", **words)
    assert ("client:shop", "client") not in lines(database, settings)
    with pytest.raises(UsageError, match="does not have"), database.writing() as connection:
        decide(connection, ROLES, decision="keep", **words)
