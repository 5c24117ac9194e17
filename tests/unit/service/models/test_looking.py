"""What is stated on disk takes effect by itself, soon, and never from a half-written file."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from tests.served import seal_scan, settings_for
from tests.unit.service.models.conftest import Noted, pool_of, with_pool
from tests.unit.service.models.test_pool import answering, two_versions

from redan.service.models.looking import MOST_LOOKS
from redan.service.models.pool import Pool

MODEL = "sklearn-1.joblib"


def test_a_revocation_that_is_appended_takes_a_version_out_at_the_second_look(tmp_path: Path) -> None:
    noted = Noted()

    async def work(pool: Pool) -> None:
        await pool.look()
        assert noted.said()[-1] == ("models.reload", "sklearn@1", True, "admitted")
        seal_scan(tmp_path / MODEL, revoke="stolen key")
        await pool.look()
        assert answering(pool) == "1", "it might be half-written"
        await pool.look()
        assert answering(pool) == ""
        assert "stolen key" in pool.refused()[0][2]
        n_acts = len(noted.acts)
        await pool.look()
        assert len(noted.acts) == n_acts, "it was judged"

    with_pool(settings_for(tmp_path), tmp_path, work, record=noted.record, findings=noted.findings)
    assert [each.rule for each in noted.findings.recent()] == ["RDN-OPE-206"]
    assert noted.said()[-1] == ("models.reload", "sklearn@1", False, "not-admitted")


def test_only_the_version_whose_statements_changed_is_judged_again(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        kept = pool.version("sklearn", "2").decision
        seal_scan(tmp_path / MODEL, revoke="stolen key")
        await pool.look()
        await pool.look()
        assert pool.version("sklearn", "2").decision is kept
        assert {served.settings.version for served, _ in pool.all()} == {"2"}

    with_pool(two_versions(tmp_path), tmp_path, work)


def test_a_version_that_lacked_statements_is_served_once_they_are_there(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    (tmp_path / f"{MODEL}.intoto.jsonl").unlink()

    async def work(pool: Pool) -> None:
        assert answering(pool) == ""
        seal_scan(tmp_path / MODEL)
        await pool.look()
        await pool.look()
        assert answering(pool) == "1"
        assert pool.refused() == ()

    with_pool(settings, tmp_path, work)


def test_a_file_that_never_rests_is_judged_all_the_same(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        bundle = tmp_path / f"{MODEL}.intoto.jsonl"
        bundle.write_bytes(b"")
        for _ in range(MOST_LOOKS - 1):
            with bundle.open("ab") as stream:
                stream.write(b"\n")
            await pool.look()
            assert answering(pool) == "1"
        with bundle.open("ab") as stream:
            stream.write(b"\n")
        await pool.look()
        assert answering(pool) == ""

    with_pool(settings_for(tmp_path), tmp_path, work)


def test_a_key_that_is_taken_away_ends_what_it_vouched_for(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        (tmp_path / "ci.key.pub").unlink()
        await pool.look()
        await pool.look()
        assert answering(pool) == ""

    with_pool(settings_for(tmp_path), tmp_path, work)


def test_a_revocation_arrives_by_itself_and_a_look_costs_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redan.service.models.following.POLL_S", 0.01)
    settings = two_versions(tmp_path)

    async def main() -> None:
        async with pool_of(settings, tmp_path) as pool:
            seal_scan(tmp_path / MODEL, revoke="stolen key")
            async with asyncio.timeout(5):
                while answering(pool):
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_looking_at_a_version_takes_microseconds(tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        began_s = time.thread_time()
        for _ in range(100):
            assert pool._looking.changed(pool.versions()) == []
        assert (time.thread_time() - began_s) / 200 < 0.002

    with_pool(two_versions(tmp_path), tmp_path, work)
