"""Who there is, what roles give, what must stay apart, and that somebody can always administer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.unit.service.identity.conftest import ROLES, people

from redan.core.errors import ConfigError, UnknownName, UsageError
from redan.core.settings_service import CustomRole, Identity
from redan.evidence.store.database import Database
from redan.service.identity import changes, directory
from redan.service.identity.actions import ACTIONS
from redan.service.identity.roles import conflicts, roles_of


def test_a_subject_is_found_as_it_was_made(kind: str, new_service: Callable[[str], Database]) -> None:
    database = new_service(kind)
    with database.writing() as connection:
        made = directory.add(connection, "client:shop", title="the shop", by="user:root")
    with database.reading() as connection:
        assert directory.find(connection, "client:shop") == made
        assert directory.everybody(connection) == [made]
    assert (made.kind, made.disabled, made.used_us) == ("program", False, None)


@pytest.mark.parametrize(
    "id", ["shop", "client:", "user:a b", "user:-a", "admin:x", "user:a\n", "client:" + "x" * 129, "user:é", "user:a/b"]
)
def test_odd_identifiers_are_refused(database: Database, id: str) -> None:
    with pytest.raises(UsageError, match="no identifier"), database.writing() as connection:
        directory.add(connection, id, by="test")


def test_nobody_is_made_twice_and_unknown_names_are_told(database: Database) -> None:
    with pytest.raises(UsageError, match="already"), database.writing() as connection:
        directory.add(connection, "user:ann", by="test")
    with pytest.raises(UnknownName) as error, database.writing() as connection:
        directory.grant(connection, ROLES, "user:anne", "operator", by="test")
    assert error.value.hint == "did you mean 'user:ann'?"
    with pytest.raises(UnknownName, match="operater"), database.writing() as connection:
        directory.grant(connection, ROLES, "user:ann", "operater", by="test")


def test_a_role_for_one_model_gives_nothing_that_concerns_all() -> None:
    grants = ROLES.grants([("operator", "fraud")])
    assert ("models.promote", "fraud") in grants
    assert {model for action, model in grants if action != "identity.self"} == {"fraud"}
    assert not {action for action, _ in grants} & {"metrics.read", "config.read", "incidents.read"}


def test_a_role_that_gives_nothing_for_one_model_is_not_given_for_one(database: Database) -> None:
    with pytest.raises(UsageError, match="gives nothing for one model"), database.writing() as connection:
        directory.grant(connection, ROLES, "client:shop", "monitor", "fraud", by="test")


def test_every_action_but_none_dangerous_to_combine_is_in_some_built_in_role() -> None:
    assert {action for role in ROLES.by_name.values() for action in role.actions} == set(ACTIONS)
    assert [
        role.name
        for role in ROLES.by_name.values()
        if any(c.refused for c in conflicts(ROLES.grants([(role.name, "*")])))
    ] == []


@pytest.mark.parametrize(
    ("first", "second"),
    [("administrator", "operator"), ("operator", "auditor"), ("auditor", "responder"), ("registrar", "administrator")],
)
def test_duties_that_must_stay_apart_are_refused_in_one_hand(database: Database, first: str, second: str) -> None:
    with database.writing() as connection:
        directory.add(connection, "user:eve", by="test")
        directory.grant(connection, ROLES, "user:eve", first, by="test")
    with pytest.raises(UsageError, match="would hold"), database.writing() as connection:
        directory.grant(connection, ROLES, "user:eve", second, by="test")
    with database.reading() as connection:
        assert [given.role for given in directory.assigned(connection, "user:eve")] == [first]
    with database.writing() as connection:
        told = directory.grant(connection, replace(ROLES, strict=False), "user:eve", second, by="test")
    assert any(separation.refused for separation in told)


def test_duties_that_should_stay_apart_are_told(database: Database) -> None:
    with database.writing() as connection:
        directory.add(connection, "user:eve", by="test")
        assert directory.grant(connection, ROLES, "user:eve", "registrar", by="test") == []
        told = directory.grant(connection, ROLES, "user:eve", "operator", by="test")
    assert [separation.why for separation in told] == ["who brings a model does not make it answer"]


def test_the_last_administrator_stays(kind: str, new_service: Callable[[str], Database]) -> None:
    database = new_service(kind)
    people(database)
    for attempt in (
        lambda connection: directory.revoke(connection, ROLES, "user:root", "administrator"),
        lambda connection: directory.disable(connection, "user:root", ROLES),
    ):
        with pytest.raises(UsageError, match="last administrator"), database.writing() as connection:
            attempt(connection)
    with database.writing() as connection:
        assert directory.administrators(connection, ROLES) == ["user:root"]
        directory.add(connection, "user:eve", by="test")
        directory.grant(connection, ROLES, "user:eve", "administrator", by="test")
        directory.disable(connection, "user:root", ROLES)
        assert directory.administrators(connection, ROLES) == ["user:eve"]


def test_two_administrators_cannot_remove_each_other_at_once(kind: str, new_service: Callable[[str], Database]) -> None:
    database = new_service(kind)
    people(database)
    with database.writing() as connection:
        directory.add(connection, "user:eve", by="test")
        directory.grant(connection, ROLES, "user:eve", "administrator", by="test")
    refused: list[UsageError] = []
    together = threading.Barrier(2)

    def remove(who: str) -> None:
        together.wait()
        try:
            with database.writing() as connection:
                directory.revoke(connection, ROLES, who, "administrator")
        except UsageError as err:
            refused.append(err)

    threads = [threading.Thread(target=remove, args=[who]) for who in ("user:root", "user:eve")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    with database.reading() as connection:
        assert len(directory.administrators(connection, ROLES)) == 1


def test_changes_are_numbered_in_their_order_also_from_many_threads(
    kind: str, new_service: Callable[[str], Database]
) -> None:
    database = new_service(kind)

    def add(first: int) -> None:
        for i in range(5):
            with database.writing() as connection:
                directory.add(connection, f"client:c{first}x{i}", by="test")

    threads = [threading.Thread(target=add, args=[i]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        assert changes.newest(connection) == 20
        assert len(changes.since(connection, 0).what or ()) == 20
        assert len(changes.since(connection, 17).what or ()) == 3
        assert changes.since(connection, 20).what == frozenset()
        assert changes.since(connection, 21).what is None


def test_changes_that_are_no_more_kept_mean_that_everything_changed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "KEPT", 3)
    with database.writing() as connection:
        seq = changes.newest(connection)
        for i in range(5):
            changes.change(connection, f"client:{i}")
        assert changes.since(connection, seq).what is None
        assert changes.since(connection, seq + 2).what == {"client:2", "client:3", "client:4"}


def test_a_role_of_ones_own_is_checked() -> None:
    good = CustomRole(name="asker", actions=("predict",))
    assert roles_of(Identity(roles=(good,))).grants([("asker", "m")]) == {("predict", "m")}
    for bad, word in (
        (CustomRole(name="operator", actions=("predict",)), "taken"),
        (CustomRole(name="x", actions=("predikt",)), "no action"),
        (CustomRole(name="x", actions=()), "allows nothing"),
        (CustomRole(name="a b", actions=("predict",)), "no name"),
    ):
        with pytest.raises(ConfigError, match=word):
            roles_of(Identity(roles=(bad,)))


def test_a_role_that_is_no_more_gives_nothing() -> None:
    assert ROLES.grants([("gone", "*")]) == frozenset()
