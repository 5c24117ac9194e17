"""The pool: promoted, rolled back, quarantined, judged again; decisions reach other replicas and outlive a restart."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests import served as made
from tests.served import seal_scan, settings_for
from tests.unit.service.models.conftest import Noted, pool_of, with_pool

from redan.core.errors import EvidenceError, UnknownName, UsageError
from redan.core.settings import Settings
from redan.core.settings_service import RegistrySettings
from redan.evidence.keys import generate, save
from redan.evidence.statements.decision import Decision
from redan.service.audit.act import Act
from redan.service.models import versions
from redan.service.models.admitting import About, NotAdmitted
from redan.service.models.pool import Pool
from redan.service.models.source import Source
from redan.service.models.standing import Decided, Standing
from redan.service.registry.moving import move
from redan.service.registry.opening import create_registry
from redan.service.registry.pushing import Person, push
from redan.service.registry.serving import Shelf


def two_versions(folder: Path, role: str = "standby", **more: object) -> Settings:
    return settings_for(folder, made.served(folder), made.served(folder, version="2", seed=1, role=role, **more))


def answering(pool: Pool, client: str = "c") -> str:
    found = pool.choose("sklearn", "", client)
    return "" if found is None else found.settings.version


def roles(pool: Pool) -> dict[str, str]:
    return {served.settings.version: role for served, role in pool.all()}


def test_a_promoted_version_answers_and_the_one_before_stands_by(tmp_path: Path) -> None:
    noted = Noted()

    async def work(pool: Pool) -> None:
        assert answering(pool) == "1"
        assert pool.choose("sklearn", "2", "c") is None
        await pool.promote("sklearn", "2")
        assert answering(pool) == "2"
        assert roles(pool) == {"1": "standby", "2": "live"}

    with_pool(two_versions(tmp_path), tmp_path, work, record=noted.record)
    assert noted.said()[-1] == ("models.promote", "sklearn@2", True, "promoted")


def test_rolling_back_is_instant_and_keeps_the_bad_version_out(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        await pool.promote("sklearn", "2")
        assert (await pool.rollback("sklearn")).settings.version == "1"
        assert roles(pool) == {"1": "live", "2": "standby"}
        with pytest.raises(UsageError, match="no version to go back to"):
            await pool.rollback("sklearn")

    with_pool(two_versions(tmp_path, "canary", share=1.0), tmp_path, work)


def test_a_quarantined_version_answers_nobody_until_it_is_promoted(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        await pool.quarantine("sklearn")
        assert answering(pool) == ""
        assert pool.choose("sklearn", "1", "c") is None
        assert set(roles(pool).values()) == {"quarantined"}
        await pool.promote("sklearn", "1")
        assert answering(pool) == "1"
        assert roles(pool) == {"1": "live", "2": "quarantined"}

    with_pool(two_versions(tmp_path), tmp_path, work)


def test_a_version_whose_statements_fail_is_not_promoted(tmp_path: Path) -> None:
    settings, noted = two_versions(tmp_path), Noted()
    seal_scan(tmp_path / "sklearn-2.joblib", revoke="poisoned")

    async def work(pool: Pool) -> None:
        assert [each[:2] for each in pool.refused()] == [("sklearn", "2")]
        with pytest.raises(NotAdmitted, match="poisoned"):
            await pool.promote("sklearn", "2")
        assert answering(pool) == "1"

    with_pool(settings, tmp_path, work, record=noted.record)
    assert noted.said()[-1] == ("models.promote", "sklearn@2", False, "not-admitted")


def test_a_version_that_was_sealed_meanwhile_can_be_promoted(tmp_path: Path) -> None:
    settings = two_versions(tmp_path)
    bundle = tmp_path / "sklearn-2.joblib.intoto.jsonl"
    kept = bundle.read_bytes()
    bundle.unlink()

    async def work(pool: Pool) -> None:
        assert "found none" in pool.refused()[0][2]
        bundle.write_bytes(kept)
        await pool.promote("sklearn", "2")
        assert answering(pool) == "2"
        assert pool.refused() == ()

    with_pool(settings, tmp_path, work)


def test_a_live_version_that_is_revoked_leaves_service_with_a_finding(tmp_path: Path) -> None:
    noted = Noted()

    async def work(pool: Pool) -> None:
        seal_scan(tmp_path / "sklearn-1.joblib", revoke="stolen key")
        assert answering(pool) == "1"
        await pool.recheck()
        assert answering(pool) == ""
        assert "stolen key" in pool.refused()[0][2]

    with_pool(settings_for(tmp_path), tmp_path, work, record=noted.record, findings=noted.findings)
    found = noted.findings.recent()
    assert [(each.rule, each.subject, each.severity.word) for each in found] == [("RDN-OPE-206", "sklearn@1", "high")]
    assert "stolen key" in found[0].detail
    assert noted.said()[-1] == ("models.reload", "sklearn@1", False, "not-admitted")


def test_nothing_is_served_once_the_policys_key_is_gone(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        (tmp_path / "ci.key.pub").unlink()
        await pool.recheck()
        assert answering(pool) == ""
        assert "ci.key.pub" in pool.refused()[0][2]

    with_pool(settings_for(tmp_path), tmp_path, work)


def test_a_file_that_was_replaced_is_loaded_at_reload_only_if_it_is_admitted(tmp_path: Path) -> None:
    noted = Noted()

    async def work(pool: Pool) -> None:
        path = tmp_path / "sklearn-1.joblib"
        path.write_bytes(made.model_bytes("sklearn", seed=1))
        before = pool.choose("sklearn", "", "c")
        await pool.reload()
        assert pool.choose("sklearn", "", "c") is not None
        assert before is not None
        assert pool.choose("sklearn", "", "c").digest == before.digest  # type: ignore[union-attr]
        assert [each.severity.word for each in noted.findings.recent()] == ["medium"]
        seal_scan(path)
        await pool.reload()
        assert pool.choose("sklearn", "", "c").digest != before.digest  # type: ignore[union-attr]
        assert pool.refused() == ()

    with_pool(settings_for(tmp_path), tmp_path, work, findings=noted.findings)


def test_reload_brings_in_a_schema_that_was_changed_beside_the_same_model(tmp_path: Path) -> None:
    noted = Noted()

    def limits(pool: Pool) -> float | None:
        found = pool.choose("sklearn", "", "c")
        assert found is not None
        assert found.schema is not None
        return found.schema.rules[0].high

    async def work(pool: Pool) -> None:
        path, before = tmp_path / "schema.json", limits(pool)
        document = json.loads(path.read_text())
        document["rules"][0]["high"] = 25.5
        path.write_text(json.dumps(document))
        await pool.reload()
        assert limits(pool) == 25.5 != before
        # one that cannot be read changes nothing, and is told
        path.write_text("{")
        await pool.reload()
        assert limits(pool) == 25.5
        assert [each.severity.word for each in noted.findings.recent()] == ["medium"]

    with_pool(settings_for(tmp_path), tmp_path, work, findings=noted.findings)


def test_reload_brings_in_what_is_new_in_the_configuration_and_drops_what_is_gone(tmp_path: Path) -> None:
    first = settings_for(tmp_path)
    second = replace(first, serve=replace(first.serve, models=(made.served(tmp_path, "xgboost"),)))

    async def work(pool: Pool) -> None:
        await pool.reload()
        assert pool.choose("sklearn", "", "c") is None
        assert pool.choose("xgboost", "", "c") is not None

    with_pool(first, tmp_path, work, reread=lambda: second)


def test_names_that_nobody_has_are_told_with_the_nearest_one(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        with pytest.raises(UnknownName, match="sklaern"):
            await pool.rollback("sklaern")
        with pytest.raises(UnknownName, match="version of sklearn"):
            await pool.promote("sklearn", "9")

    with_pool(settings_for(tmp_path), tmp_path, work)


def test_a_promotion_that_cannot_be_recorded_does_not_happen(tmp_path: Path) -> None:
    def record(act: Act) -> None:
        if act.act == "models.promote":
            raise EvidenceError("the log's volume is full")

    async def work(pool: Pool) -> None:
        with pytest.raises(EvidenceError, match="full"):
            await pool.promote("sklearn", "2")
        assert answering(pool) == "1"

    with_pool(two_versions(tmp_path), tmp_path, work, record=record)


def test_a_quarantine_holds_although_the_database_is_silent(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        database = tmp_path / "service.db"
        database.rename(tmp_path / "away.db")
        for each in tmp_path.glob("service.db-*"):
            each.unlink()
        pool._standing._database.engine.dispose()
        database.write_bytes(b"no database any more" * 100)
        with pytest.raises(EvidenceError):
            await pool.quarantine("sklearn")
        assert answering(pool) == ""
        await pool.follow()
        assert answering(pool) == ""
        assert pool.lost_polls == 1

    with_pool(settings_for(tmp_path), tmp_path, work)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_replicas_follow_each_other_and_a_restart_remembers(
    tmp_path: Path, kind: str, new_url: Callable[[str], str]
) -> None:
    settings, url = two_versions(tmp_path), new_url(kind)

    async def main() -> None:
        async with pool_of(settings, tmp_path, url=url) as one, pool_of(settings, tmp_path, url=url) as two:
            await one.promote("sklearn", "2")
            with pytest.raises(UsageError, match="made live meanwhile"):
                await two.promote("sklearn", "1")
            await two.follow()
            assert answering(two) == "2"
            await two.rollback("sklearn")
            await two.quarantine("sklearn", "2")
            await one.follow()
            assert roles(one) == {"1": "live", "2": "quarantined"}
            assert one._key == two._key
        async with pool_of(settings, tmp_path, url=url) as again:
            assert roles(again) == {"1": "live", "2": "quarantined"}

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_two_promotions_at_once_one_stands(tmp_path: Path, kind: str, new_url: Callable[[str], str]) -> None:
    three = made.served(tmp_path, version="3", seed=2, role="standby")
    settings = two_versions(tmp_path)
    settings = replace(settings, serve=replace(settings.serve, models=(*settings.serve.models, three)))
    url = new_url(kind)

    async def main() -> None:
        async with pool_of(settings, tmp_path, url=url) as one, pool_of(settings, tmp_path, url=url) as two:
            done = await asyncio.gather(
                one.promote("sklearn", "2"), two.promote("sklearn", "3"), return_exceptions=True
            )
            assert sorted(type(each).__name__ for each in done) == ["NoneType", "UsageError"]
            await one.follow()
            await two.follow()
            assert answering(one) == answering(two) == ("2" if done[0] is None else "3")

    asyncio.run(main())


def test_what_another_replica_decided_arrives_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redan.service.models.following.POLL_S", 0.01)
    settings = two_versions(tmp_path)

    async def main() -> None:
        async with pool_of(settings, tmp_path) as one, pool_of(settings, tmp_path) as two:
            await one.promote("sklearn", "2")
            async with asyncio.timeout(5):
                while answering(two) != "2":
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_an_error_that_nobody_thought_of_does_not_end_the_following(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("redan.service.models.following.POLL_S", 0.01)
    settings, real, failed = two_versions(tmp_path), Standing.read, list[int]()

    def broken(standing: Standing) -> Decided:
        failed.append(1)
        raise ValueError("something that nobody thought of")

    async def main() -> None:
        async with pool_of(settings, tmp_path) as one, pool_of(settings, tmp_path) as two:
            monkeypatch.setattr(Standing, "read", broken)
            async with asyncio.timeout(5):
                while len(failed) < 4:
                    await asyncio.sleep(0.01)
            monkeypatch.setattr(Standing, "read", real)
            await one.quarantine("sklearn")
            async with asyncio.timeout(5):
                while answering(two):
                    await asyncio.sleep(0.01)

    asyncio.run(main())
    assert capsys.readouterr().err.count("ValueError: something that nobody thought of") == 1


def test_a_promotion_lifts_no_quarantine_that_the_database_did_not_take_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Standing.quarantine

    def away(standing: Standing, pairs: object) -> Decided:
        raise EvidenceError("the database is away")

    async def work(pool: Pool) -> None:
        monkeypatch.setattr(Standing, "quarantine", away)
        with pytest.raises(EvidenceError):
            await pool.quarantine("sklearn")
        monkeypatch.setattr(Standing, "quarantine", real)
        await pool.promote("sklearn", "2")
        assert roles(pool) == {"1": "quarantined", "2": "live"}
        await pool.follow()
        assert roles(pool) == {"1": "quarantined", "2": "live"}

    with_pool(two_versions(tmp_path), tmp_path, work)


def test_a_quarantine_waits_for_nothing_that_is_being_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promotion of the same version that was under way does not lift it, whether it ends before or after."""
    real, begun, go_on = Standing.make_live, threading.Event(), threading.Event()

    def slow(standing: Standing, *args: Any, **words: Any) -> Decided:
        begun.set()
        assert go_on.wait(20)
        return real(standing, *args, **words)

    async def work(pool: Pool) -> None:
        monkeypatch.setattr(Standing, "make_live", slow)
        promotion = asyncio.create_task(pool.promote("sklearn", "2"))
        await asyncio.to_thread(begun.wait, 20)
        quarantine = asyncio.create_task(pool.quarantine("sklearn"))
        await asyncio.sleep(0)
        assert answering(pool) == ""
        go_on.set()
        await promotion
        assert answering(pool) == ""
        await quarantine
        assert set(roles(pool).values()) == {"quarantined"}
        await pool.follow()
        assert set(roles(pool).values()) == {"quarantined"}

    with_pool(two_versions(tmp_path), tmp_path, work)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_promotion_lifts_no_quarantine_that_another_replica_put_meanwhile(
    tmp_path: Path, kind: str, new_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, url = two_versions(tmp_path), new_url(kind)
    real, begun, go_on = Standing.make_live, threading.Event(), threading.Event()

    def slow(standing: Standing, *args: Any, **words: Any) -> Decided:
        begun.set()
        assert go_on.wait(20)
        return real(standing, *args, **words)

    noted = Noted()

    async def main() -> None:
        async with (
            pool_of(settings, tmp_path, url=url, record=noted.record) as one,
            pool_of(settings, tmp_path, url=url) as two,
        ):
            monkeypatch.setattr(Standing, "make_live", slow)
            promotion = asyncio.create_task(one.promote("sklearn", "2"))
            await asyncio.to_thread(begun.wait, 20)
            await two.quarantine("sklearn", "2")
            go_on.set()
            with pytest.raises(UsageError, match="sklearn@2 was taken out of service meanwhile"):
                await promotion
            promotions = [said[1:] for said in noted.said() if said[0] == "models.promote"]
            assert promotions == [("sklearn@2", True, "promoted"), ("sklearn@2", False, "not-done")]
            await one.follow()
            assert roles(one) == roles(two) == {"1": "live", "2": "quarantined"}
            # whoever knows of it lifts it
            await one.promote("sklearn", "2")
            assert roles(one) == {"1": "standby", "2": "live"}

    asyncio.run(main())


def test_what_nobody_thought_of_admits_nothing_and_keeps_no_other_from_being_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = versions.decide

    def broken(about: About, source: Source, *args: Any, **words: Any) -> Decision:
        if source.settings.version == "1":
            raise ValueError("something that nobody thought of")
        return real(about, source, *args, **words)

    async def work(pool: Pool) -> None:
        assert answering(pool) == "1"
        monkeypatch.setattr(versions, "decide", broken)
        seal_scan(tmp_path / "sklearn-2.joblib", revoke="poisoned")
        await pool.recheck()
        told = {version: why for _, version, why in pool.refused()}
        assert "could not be judged" in told["1"]
        assert "nobody thought of" not in told["1"]
        assert "poisoned" in told["2"]
        assert pool.all() == ()
        # nor does it end the gateway at its start
        await pool.reload()
        assert pool.all() == ()

    with_pool(two_versions(tmp_path), tmp_path, work)
    assert "ValueError: something that nobody thought of" in capsys.readouterr().err


def test_a_target_that_no_file_can_have_leaves_the_others(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    odd = replace(settings.serve.models[0], version="2", role="standby", target="a" * 5000)
    settings = replace(settings, serve=replace(settings.serve, models=(*settings.serve.models, odd)))

    async def work(pool: Pool) -> None:
        assert answering(pool) == "1"
        assert [version for _, version, _ in pool.refused()] == ["2"]

    with_pool(settings, tmp_path, work)


class Silent:
    """A registry that goes silent between two questions."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf, self.silent = shelf, False

    def __getattr__(self, name: str) -> Any:
        if self.silent and name != "mark":
            raise EvidenceError("the database does not answer")
        return getattr(self._shelf, name)


@pytest.mark.parametrize("place", ["1", "live"])
def test_a_registry_that_was_silent_for_a_moment_keeps_nothing_out_of_service_for_longer(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redan.service.models.looking.AGAIN_S", 0.0)
    settings = settings_for(tmp_path)
    save(generate("ed25519"), tmp_path / "registry.key")
    kept = create_registry(RegistrySettings(signing_key="registry.key"), tmp_path, record=lambda act: None)
    ada = Person(who="user:ada")
    push(kept, tmp_path / "sklearn-1.joblib", name="sklearn", version="1", by=ada)
    move(kept, "sklearn", "1", "promote", by=ada, policy=None)
    registered = replace(settings.serve.models[0], target=f"registry:sklearn@{place}")
    settings = replace(settings, serve=replace(settings.serve, models=(registered,)))
    registry = Silent(Shelf(registry=kept))

    async def work(pool: Pool) -> None:
        # silent at the start
        assert answering(pool) == ""
        await pool.look()
        assert "does not answer" in pool.refused()[0][2]
        registry.silent = False
        await pool.look()
        assert answering(pool) == "1"
        # silent when statements are judged again: nobody knows whether they were revoked
        registry.silent = True
        await pool.recheck()
        assert answering(pool) == ""
        registry.silent = False
        await pool.look()
        assert answering(pool) == "1"
        assert pool.refused() == ()

    registry.silent = True
    with_pool(settings, tmp_path, work, registry=registry)
    kept.close()


@pytest.mark.parametrize("name", ["sklearn-1.joblib.intoto.jsonl", "sklearn-1.joblib.sig"])
def test_a_pipe_in_the_place_of_statements_is_not_waited_for(tmp_path: Path, name: str) -> None:
    async def work(pool: Pool) -> None:
        (tmp_path / name).unlink(missing_ok=True)
        os.mkfifo(tmp_path / name)
        seal_scan(tmp_path / "sklearn-2.joblib", revoke="poisoned")
        async with asyncio.timeout(20):
            await pool.recheck()
        told = {version: why for _, version, why in pool.refused()}
        assert "no regular file" in told["1"]
        assert "poisoned" in told["2"]

    with_pool(two_versions(tmp_path), tmp_path, work)


def test_a_version_stays_the_same_object_while_it_is_judged_again(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        before = pool.choose("sklearn", "", "c")
        await pool.recheck()
        await pool.reload()
        assert pool.choose("sklearn", "", "c") is before

    with_pool(settings_for(tmp_path), tmp_path, work)


@pytest.mark.parametrize("workers", [0, 2])
def test_bytes_are_kept_only_for_processes_that_load_them_too(tmp_path: Path, workers: int) -> None:
    async def work(pool: Pool) -> None:
        (version,) = pool.versions()
        assert version.about is not None
        assert bool(version.about.held.files) == bool(workers)

    with_pool(settings_for(tmp_path, serve={"workers": workers}), tmp_path, work)
