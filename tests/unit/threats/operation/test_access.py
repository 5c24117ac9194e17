"""Abnormal access: quiet on ordinary use, loud on each planted sign, bounded whatever comes."""

from __future__ import annotations

import random
from typing import Any

import pytest

from redan.core.finding import Severity
from redan.testing.monitors import check_monitor
from redan.threats.operation.monitors.access import MOST_KEYS, AbnormalAccess, Use, network_of

T0 = 1_700_000_000.0
DAY_S = 86_400.0


def signs(uses: list[Use]) -> set[tuple[Any, str]]:
    found = list(AbnormalAccess().observe(uses))
    return {(each.params["sign"], each.locations[0].address) for each in found}


def ordinary(seed: int, n: int = 4000) -> list[Use]:
    """Fifty clients over nine minutes: some errors, some typing mistakes at the login, a few denials."""
    drawn, uses = random.Random(seed), []
    for _ in range(n):
        who = drawn.randrange(50)
        at, addr = T0 + drawn.random() * 540, f"10.{who}.0.{drawn.randrange(4)}"
        if who < 5 and drawn.random() < 0.02:
            uses.append(Use(time_s=at, who="-", addr=addr, ok=False, why="unauthenticated", tried=f"name:{who}"))
        ok = drawn.random() > 0.05
        uses.append(Use(time_s=at, who=f"client:{who}", addr=addr, ok=ok, why="" if ok else "invalid"))
    return sorted(uses, key=lambda use: use.time_s)


def test_ordinary_use_raises_nothing() -> None:
    for seed in range(10):
        assert signs(ordinary(seed)) == set()


def test_stuffing_names_the_network_and_not_those_who_mistype() -> None:
    attack = [
        Use(time_s=T0 + i, who="-", addr=f"203.0.113.{i % 7}", ok=False, why="unauthenticated", tried=f"name:{i}")
        for i in range(60)
    ]
    assert signs(ordinary(0) + attack) == {("stuffing", "203.0.113.0/24")}
    (found,) = AbnormalAccess().observe(attack)
    assert found.severity is Severity.HIGH
    assert found.quantities[0].n == 60


def test_one_name_tried_from_many_networks_is_guessing() -> None:
    attack = [
        Use(time_s=T0 + i, who="-", addr=f"198.{i}.2.3", ok=False, why="unauthenticated", tried="name:root")
        for i in range(40)
    ]
    assert signs(attack) == {("guessing", "name:root")}


@pytest.mark.parametrize("why", ["identity", "draining", "overload", "failed"])
def test_who_could_not_be_judged_guessed_nothing(why: str) -> None:
    again = [Use(time_s=T0 + i, who="-", addr=f"198.{i}.2.3", ok=False, why=why, tried="payments") for i in range(40)]
    many = [Use(time_s=T0 + i, who="-", addr="203.0.113.1", ok=False, why=why, tried=f"key{i}") for i in range(60)]
    assert signs(ordinary(0) + again + many) == set()


def test_a_storm_of_denials_is_told_of_its_client() -> None:
    storm = [Use(time_s=T0 + i, who="client:eve", ok=i % 5 == 0, why="forbidden") for i in range(60)]
    assert signs(ordinary(1) + storm) == {("denials", "client:eve")}


@pytest.mark.parametrize("why", ["quarantine", "version", "overload", "audit", "draining", "failed", "gone"])
def test_clients_are_not_told_of_for_what_the_gateway_itself_does_not_answer(why: str) -> None:
    away = [Use(time_s=T0 + i, who=f"client:{i % 3}", addr="10.1.0.1", ok=False, why=why) for i in range(300)]
    assert signs(ordinary(1) + away) == set()


def test_a_person_faster_than_people_or_at_five_places_at_once_is_told_and_a_program_is_not() -> None:
    for who, expected in (("user:ann", {("rate", "user:ann"), ("places", "user:ann")}), ("client:fleet", set())):
        fast = [Use(time_s=T0, who=who, addr=f"10.{i % 6}.0.1", n=10) for i in range(60)]
        assert signs(fast) == expected


def test_a_known_client_from_somewhere_new_is_told_and_a_traveller_is_not() -> None:
    settled = [Use(time_s=T0 + i * 900, who="client:a", addr="10.1.0.1") for i in range(250)]
    moved = Use(time_s=T0 + 250 * 900, who="client:a", addr="192.0.2.9")
    (found,) = list(AbnormalAccess().observe([*settled, moved]))
    assert (found.params["sign"], found.severity) == ("new-network", Severity.LOW)
    assert {place.address for place in found.locations} == {"client:a", "192.0.2.0/24"}
    travels = [Use(time_s=T0 + i * 900, who="client:b", addr=f"10.{i % 9}.0.1") for i in range(250)]
    assert signs([*travels, Use(time_s=T0 + 250 * 900, who="client:b", addr="192.0.2.9")]) == set()
    young = [Use(time_s=T0 + i, who="client:c", addr="10.1.0.1") for i in range(250)]
    assert signs([*young, Use(time_s=T0 + 300, who="client:c", addr="192.0.2.9")]) == set()


def test_what_is_older_than_ten_minutes_is_over() -> None:
    storm = [Use(time_s=T0 + i, who="client:eve", ok=False, why="forbidden") for i in range(60)]
    later = [Use(time_s=T0 + 3600, who="client:a")]
    watcher = AbnormalAccess()
    assert list(watcher.observe(storm))
    assert list(watcher.observe(later)) == []


def test_state_is_bounded_under_a_flood_of_names_and_addresses() -> None:
    watcher = AbnormalAccess()
    watcher.count(
        Use(time_s=T0, who="-", addr=f"{i >> 8 & 255}.{i & 255}.1.1", ok=False, why="unauthenticated", tried=f"n{i}")
        for i in range(20_000)
    )
    (minute,) = watcher._state.minutes.values()
    assert len(minute) == MOST_KEYS
    assert watcher.n_untold > 0


def test_addresses_are_told_apart_by_network() -> None:
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert network_of("pseudonym-1") == "pseudonym-1"
    assert network_of("") == ""


def test_it_keeps_what_every_monitor_promises() -> None:
    storm = [Use(time_s=T0 + i, who="client:eve", ok=False, why="forbidden") for i in range(60)]
    check_monitor(AbnormalAccess, lambda: storm + ordinary(3, 300))
