"""Canaries answer their share of clients, each client always by the same version."""

from __future__ import annotations

from pathlib import Path

import pytest

from redan.core.errors import ConfigError
from redan.core.settings_service import ServedModel
from redan.kernels.statistics import wilson
from redan.service.models.choosing import MOST_KEPT, place, snapshot
from redan.service.models.roles import check, role_of
from redan.service.models.served import Role, Served
from redan.service.models.standing import Decided, Turn

N = 4000


def version(number: str, role: Role = "live", share: float = 0.0) -> tuple[Served, Role]:
    settings = ServedModel(name="m", target="m.onnx", version=number, share=share, role="live")
    return Served(settings=settings, digest=number, decision=None, answer=lambda x: x, dtype="f4", shape=(1,)), role


def test_a_canary_answers_its_share_of_clients() -> None:
    route = snapshot([version("1"), version("2", "canary", 0.1)], (), b"key").routes["m"]
    chosen = [route.chosen(f"client:{n}") for n in range(N)]
    hits = sum(each is not None and each.settings.version == "2" for each in chosen)
    low, high = wilson(hits, N, 0.999)
    assert low < 0.1 < high


def test_a_and_b_share_all_clients() -> None:
    route = snapshot([version("1"), version("2", "canary", 0.5)], (), b"key").routes["m"]
    hits = sum(route.chosen(f"c{n}").settings.version == "2" for n in range(N))  # type: ignore[union-attr]
    low, high = wilson(hits, N, 0.999)
    assert low < 0.5 < high


def test_two_canaries_take_parts_that_do_not_overlap() -> None:
    everything = [version("1"), version("2", "canary", 0.25), version("3", "canary", 0.25)]
    route = snapshot(everything, (), b"key").routes["m"]
    chosen = [route.chosen(f"c{n}") for n in range(N)]
    for number, share in (("1", 0.5), ("2", 0.25), ("3", 0.25)):
        hits = sum(each is not None and each.settings.version == number for each in chosen)
        low, high = wilson(hits, N, 0.999)
        assert low < share < high


def test_a_client_stays_with_its_version_on_every_replica() -> None:
    one, other = (snapshot([version("1"), version("2", "canary", 0.5)], (), b"key").routes["m"] for _ in range(2))
    for n in range(200):
        assert one.chosen(f"c{n}").digest == other.chosen(f"c{n}").digest  # type: ignore[union-attr]


def test_another_key_places_clients_otherwise() -> None:
    assert place(b"a", "m", "c") != place(b"b", "m", "c")
    assert place(b"a", "m", "c") != place(b"a", "mc", "")


def test_what_is_remembered_of_clients_has_a_bound() -> None:
    route = snapshot([version("1"), version("2", "canary", 0.5)], (), b"key").routes["m"]
    for n in range(MOST_KEPT + 10):
        route.chosen(f"c{n}")
    assert len(route.places) <= MOST_KEPT


def test_without_a_live_version_only_canaries_answer() -> None:
    route = snapshot([version("2", "canary", 0.5)], (), b"key").routes["m"]
    found = {None if each is None else each.digest for each in (route.chosen(f"c{n}") for n in range(50))}
    assert found == {None, "2"}


def test_two_live_versions_are_refused(tmp_path: Path) -> None:
    models = [ServedModel(name="m", target="a", version=number) for number in ("1", "2")]
    with pytest.raises(ConfigError, match="1 and 2 of m live"):
        check(models)


def test_canaries_that_share_out_more_than_there_is_are_refused() -> None:
    models = [ServedModel(name="m", target="a", version=n, role="canary", share=0.6) for n in ("1", "2")]
    with pytest.raises(ConfigError, match="shares"):
        check(models)


def test_a_decision_stands_until_the_configuration_calls_another_version_live() -> None:
    models = [
        ServedModel(name="m", target="a", version="1", role="live"),
        ServedModel(name="m", target="a", version="2", role="canary"),
    ]
    decided = Decided(turns={"m": Turn(configured="1", versions=("1", "2"), standby=("1",), turn=1)})
    assert [role_of(each, models, decided) for each in models] == ["standby", "live"]
    changed = [
        ServedModel(name="m", target="a", version="3", role="live"),
        ServedModel(name="m", target="a", version="2", role="canary"),
    ]
    assert [role_of(each, changed, decided) for each in changed] == ["live", "canary"]
