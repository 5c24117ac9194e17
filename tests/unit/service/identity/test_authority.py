"""Who is recognised, for how long, on every replica, and when nobody can be asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.service.identity.conftest import ROLES, people

from redan.core.errors import ConfigError, EvidenceError, Unreadable
from redan.core.settings import Settings
from redan.evidence.store.database import Database
from redan.service.identity import authority as module
from redan.service.identity import directory, keys, scopes, token_keys, void
from redan.service.identity.authority import Authority, open_authority
from redan.service.identity.lockout import PAIR
from redan.service.identity.principal import Principal, Unjudged

ADDR = "192.0.2.1"


def bearer(text: str) -> bytes:
    return f"Bearer {text}".encode()


def key(database: Database, subject: str = "client:shop", **given: object) -> tuple[str, str]:
    """Make a key and return its identifier and text."""
    with database.writing() as connection:
        made, text = keys.make(connection, subject, by="test", **given)  # type: ignore[arg-type]
    return made.id, text


@asynccontextmanager
async def running(settings: Settings, database: Database, root: Path):
    authority = open_authority(settings, database, root)
    await authority.start()
    try:
        yield authority
    finally:
        await authority.stop()


@pytest.fixture
def ask(
    settings: Settings, database: Database, tmp_path: Path
) -> Callable[[Callable[[Authority], Awaitable[None]]], None]:
    """Run a test's own coroutine with an authority."""

    def run(work: Callable[[Authority], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with running(settings, database, tmp_path) as authority:
                await work(authority)

        asyncio.run(whole())

    return run


Ask = Callable[[Callable[[Authority], Awaitable[None]]], None]


def test_a_key_is_recognised_once_and_known_then(ask: Ask, database: Database) -> None:
    id, text = key(database)

    async def work(authority: Authority) -> None:
        header = bearer(text)
        assert authority.authenticate(header) is None
        principal = await authority.recognise(header, ADDR)
        assert principal is not None
        assert (principal.id, principal.kind, principal.credential) == ("client:shop", "program", f"key:{id}")
        assert principal.roles == {"client"}
        assert principal.grants == {("predict", "fraud"), ("explain", "fraud"), ("feedback", "fraud")}
        assert (principal.may("predict", "fraud"), principal.may("predict", "other")) == (True, False)
        assert authority.authenticate(header) is principal
        assert await authority.recognise(b"bearer  " + text.encode(), ADDR) == principal

    ask(work)


def test_a_key_never_gives_more_than_its_owners_roles(ask: Ask, database: Database) -> None:
    _, text = key(database, scope=scopes.parsed("predict:* identity.write models.promote:fraud"))

    async def work(authority: Authority) -> None:
        principal = await authority.recognise(bearer(text), ADDR)
        assert principal is not None
        assert principal.grants == {("predict", "fraud")}

    ask(work)


@pytest.mark.parametrize(
    "header",
    [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"Bearer a b", b"Bearer \xff", b"Bearer " + b"a" * 9000, b"\0"],
)
def test_other_headers_are_nobody(ask: Ask, header: bytes) -> None:
    async def work(authority: Authority) -> None:
        assert authority.authenticate(header) is None
        assert await authority.recognise(header, ADDR) is None

    ask(work)


@contextmanager
def two(settings: Settings, url_of: Callable[[str], Database], kind: str) -> Iterator[tuple[Database, Database]]:
    first = url_of(kind)
    people(first)
    second = (
        url_of(first.engine.url.render_as_string(hide_password=False))
        if kind == "postgresql"
        else url_of(str(first.engine.url.database))
    )
    yield first, second


@pytest.mark.parametrize("what", ["key", "token", "its key", "role", "subject", "sign-out", "token keys"])
def test_what_is_revoked_at_one_replica_ends_at_the_other_within_a_second(
    kind: str, what: str, settings: Settings, new_service: Callable[[str], Database], tmp_path: Path
) -> None:
    async def work(first: Database, second: Database) -> None:
        id, text = key(first)
        async with running(settings, first, tmp_path) as one, running(settings, second, tmp_path) as two:
            token, claims = one.token("client:shop", key=id)
            headers = [bearer(text)] if what in ("key", "role", "subject") else [bearer(token)]
            for header in headers:
                assert await two.recognise(header, ADDR) is not None
                assert two.authenticate(header) is not None
            began_s = time.monotonic()
            with first.writing() as connection:
                if what in ("key", "its key"):
                    keys.revoke(connection, id)
                elif what == "token":
                    void.revoke(connection, claims.jti)
                elif what == "role":
                    directory.revoke(connection, ROLES, "client:shop", "client", "fraud")
                elif what == "subject":
                    directory.disable(connection, "client:shop", ROLES)
                elif what == "sign-out":
                    directory.sign_out(connection, "client:shop")
                else:
                    token_keys.revoke(connection, one.recognition.ring.signing.kid)
            while any(two.authenticate(header) for header in headers):
                assert time.monotonic() - began_s < 1.0
                await asyncio.sleep(0.01)
            for header in headers:
                again = await two.recognise(header, ADDR)
                assert again is None or (what == "role" and not again.grants)

    with two(settings, new_service, kind) as (first, second):
        asyncio.run(work(first, second))


def test_a_change_while_a_credential_is_being_read_is_not_missed(
    ask: Ask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read saw the key alive; the change is applied before what was read is remembered."""
    id, text = key(database)

    async def work(authority: Authority) -> None:
        judge, read, applied = authority.recognition.judge, threading.Event(), threading.Event()

        def slow(header: bytes):
            judged = judge(header)
            read.set()
            assert applied.wait(5)
            return judged

        monkeypatch.setattr(authority.recognition, "judge", slow)
        task = asyncio.create_task(authority.recognise(bearer(text), ADDR))
        await asyncio.to_thread(read.wait, 5)
        with database.writing() as connection:
            keys.revoke(connection, id)
        authority._heard(await asyncio.to_thread(authority._read_changes))
        applied.set()
        assert await task is None
        assert authority.authenticate(bearer(text)) is None

    ask(work)


def test_what_is_known_is_believed_for_the_staleness_bound_and_no_longer(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = key(database)
    _, other = key(database)

    async def work() -> None:
        async with running(settings, database, tmp_path) as authority:
            assert await authority.recognise(bearer(text), ADDR) is not None

            def down(*_: object):
                raise EvidenceError("the database does not answer")

            monkeypatch.setattr(type(authority.recognition.database), "reading", down)
            with pytest.raises(Unjudged):
                await authority.recognise(bearer(other), ADDR)
            assert authority.authenticate(bearer(text)) is not None
            now_s = time.monotonic()
            monkeypatch.setattr(module.time, "monotonic", lambda: now_s + 299)
            assert authority.authenticate(bearer(text)) is not None
            monkeypatch.setattr(module.time, "monotonic", lambda: now_s + 301)
            assert authority.authenticate(bearer(text)) is None
            monkeypatch.undo()

    asyncio.run(work())


def test_a_wall_clock_that_jumps_back_does_not_prolong_a_token(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(authority: Authority) -> None:
        token, _ = authority.token("client:shop", ttl_s=60)
        assert await authority.recognise(bearer(token), ADDR) is not None
        real_s, monotonic_s = time.time(), time.monotonic()
        monkeypatch.setattr(module.time, "time", lambda: real_s - 3600)
        monkeypatch.setattr(module.time, "monotonic", lambda: monotonic_s + 61)
        assert authority.authenticate(bearer(token)) is None
        monkeypatch.undo()

    ask(work)


def test_unknown_wrong_expired_and_locked_out_look_the_same(ask: Ask, database: Database) -> None:
    id, text = key(database)
    ended, ended_text = key(database, ttl_s=1000)
    with database.writing() as connection:
        keys.revoke(connection, ended)
    wrong = f"redan_{id}_{'A' * 43}"
    unknown = f"redan_{'a' * 12}_{'A' * 43}"

    async def work(authority: Authority) -> None:
        for words in (wrong, unknown, ended_text):
            assert await authority.recognise(bearer(words), ADDR) is None
        for _ in range(PAIR.free + 1):
            await authority.recognise(bearer(wrong), "198.51.100.1")
        assert await authority.recognise(bearer(text), "198.51.100.1") is None
        owner = await authority.recognise(bearer(text), ADDR)
        assert isinstance(owner, Principal)
        # what is known already does not ask the lock-out, so that no attacker beside can take it away
        assert authority.authenticate(bearer(text)) is owner
        counted = {(name, *labels): value for name, labels, value in authority.readings()}
        assert counted == {
            ("redan_recognitions", "known"): 1,
            ("redan_recognitions", "unknown"): 2 + PAIR.free + 1,
            ("redan_recognitions", "ended"): 1,
            ("redan_recognitions", "waits"): 1,
            ("redan_recognitions", "unjudged"): 0,
            ("redan_lockouts",): 1,
        }

    ask(work)


def test_an_ended_credential_is_no_guess_and_locks_nobody_out(ask: Ask, database: Database) -> None:
    id, text = key(database)
    with database.writing() as connection:
        keys.revoke(connection, id)
    _, good = key(database)

    async def work(authority: Authority) -> None:
        for _ in range(50):
            assert await authority.recognise(bearer(text), ADDR) is None
        assert await authority.recognise(bearer(good), ADDR) is not None

    ask(work)


def test_a_client_that_goes_on_with_an_ended_key_costs_few_questions(
    ask: Ask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    id, text = key(database)
    with database.writing() as connection:
        keys.revoke(connection, id)
    monkeypatch.setattr(module, "MOST_ENDED", 2)

    async def work(authority: Authority) -> None:
        judge, calls = authority.recognition.judge, []
        monkeypatch.setattr(authority.recognition, "judge", lambda header: calls.append(1) or judge(header))
        for _ in range(100):
            assert await authority.recognise(bearer(text), ADDR) is None
        assert len(calls) == 1
        now_s = time.monotonic()
        monkeypatch.setattr(module.time, "monotonic", lambda: now_s + module.ENDED_S + 0.1)
        assert await authority.recognise(bearer(text), ADDR) is None
        monkeypatch.undo()
        assert len(calls) == 2
        assert len(authority._ended) <= 2

    ask(work)


def test_many_requests_with_one_new_credential_ask_the_database_once(
    ask: Ask, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = key(database)

    async def work(authority: Authority) -> None:
        judge, calls = authority.recognition.judge, []
        monkeypatch.setattr(authority.recognition, "judge", lambda header: calls.append(1) or judge(header))
        found = await asyncio.gather(*(authority.recognise(bearer(text), ADDR) for _ in range(100)))
        assert {principal.id for principal in found if principal} == {"client:shop"}
        assert len(calls) == 1
        assert not authority._pending

    ask(work)


def test_a_confirmation_is_good_once_for_one_act_of_one_principal(ask: Ask, database: Database) -> None:
    _, text = key(database)

    async def work(authority: Authority) -> None:
        shop = await authority.recognise(bearer(text), ADDR)
        assert shop is not None
        token = authority.confirmation(shop, "models.rollback", "/v1/models/fraud/rollback")
        assert await authority.recognise(bearer(token), ADDR) is None
        other = replace(shop, id="client:other")
        assert not await authority.confirmed(token, other, "models.rollback", "/v1/models/fraud/rollback")
        assert not await authority.confirmed(token, shop, "models.promote", "/v1/models/fraud/rollback")
        assert not await authority.confirmed(token, shop, "models.rollback", "/v1/models/other/rollback")
        assert not await authority.confirmed(token + "x", shop, "models.rollback", "/v1/models/fraud/rollback")
        assert not await authority.confirmed("é", shop, "models.rollback", "/v1/models/fraud/rollback")
        asked = [authority.confirmed(token, shop, "models.rollback", "/v1/models/fraud/rollback") for _ in range(8)]
        assert sum(await asyncio.gather(*asked)) == 1

    ask(work)


def test_what_was_used_is_written_down(settings: Settings, database: Database, tmp_path: Path) -> None:
    id, text = key(database)

    async def work() -> None:
        async with running(settings, database, tmp_path) as authority:
            assert await authority.recognise(bearer(text), ADDR) is not None

    asyncio.run(work())
    with database.reading() as connection:
        used = (keys.get_key(connection, id).used_us, directory.get(connection, "client:shop").used_us)
    assert all(at_us is not None and abs(at_us - directory.now_us()) < 60e6 for at_us in used)


def test_the_key_of_tokens_is_made_once_and_a_lost_one_is_not_made_anew(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    first = open_authority(settings, database, tmp_path)
    assert (tmp_path / "token.key").stat().st_mode & 0o777 == 0o600
    assert (
        open_authority(settings, database, tmp_path).recognition.ring.signing.kid == first.recognition.ring.signing.kid
    )
    (tmp_path / "token.key").unlink()
    with pytest.raises(Unreadable, match="missing"):
        open_authority(settings, database, tmp_path)


def test_rotated_token_keys_sign_anew_and_old_tokens_stay_good(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    async def work() -> None:
        async with running(settings, database, tmp_path) as authority:
            old, _ = authority.token("client:shop")
            kid = await asyncio.to_thread(token_keys.rotate, tmp_path / "token.key", database)
            authority._heard(await asyncio.to_thread(authority._read_changes))
            assert authority.recognition.ring.signing.kid == kid
            new, _ = authority.token("client:shop")
            assert old.partition(".")[0] != new.partition(".")[0]
            for token in (old, new):
                assert await authority.recognise(bearer(token), ADDR) is not None

    asyncio.run(work())


@pytest.mark.parametrize("ttl", ["25h", "0m", ""])
def test_impossible_lifetimes_are_refused(settings: Settings, database: Database, tmp_path: Path, ttl: str) -> None:
    with pytest.raises(ConfigError, match="token_ttl"):
        open_authority(replace(settings, identity=replace(settings.identity, token_ttl=ttl)), database, tmp_path)


def test_known_credentials_last_while_a_real_database_is_away_and_it_comes_back(
    settings: Settings, new_service: Callable[[str], Database], postgres: str, tmp_path: Path
) -> None:
    import psycopg

    name = f"away{tmp_path.name[-20:]}".replace("-", "_").lower()

    def admit(allowed: str) -> None:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {allowed}")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))

    async def work(database: Database) -> None:
        _, text = key(database)
        _, other = key(database)
        async with running(settings, database, tmp_path) as authority:
            assert await authority.recognise(bearer(text), ADDR) is not None
            admit("false")
            with pytest.raises(Unjudged):
                await authority.recognise(bearer(other), ADDR)
            assert authority.authenticate(bearer(text)) is not None
            # one that cannot be judged is nobody's guess
            for _ in range(30):
                with pytest.raises(Unjudged):
                    await authority.recognise(bearer(other), ADDR)
            authority._fresh_until_s = time.monotonic()
            assert authority.authenticate(bearer(text)) is None
            admit("true")
            while authority.authenticate(bearer(text)) is None:
                await asyncio.sleep(0.01)
            assert await authority.recognise(bearer(other), ADDR) is not None

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    database = new_service(postgres.replace("/postgres?", f"/{name}?"))
    people(database)
    asyncio.run(asyncio.wait_for(work(database), 20))


def test_a_database_that_hangs_is_given_up(ask: Ask, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = key(database)
    free = threading.Event()

    async def work(authority: Authority) -> None:
        monkeypatch.setattr(module, "ANSWER_S", 0.05)
        monkeypatch.setattr(authority.recognition, "judge", lambda header: free.wait(10))
        with pytest.raises(Unjudged, match="does not answer"):
            await authority.recognise(bearer(text), ADDR)
        free.set()

    ask(work)


def test_callers_who_go_away_leave_nothing_behind(ask: Ask, database: Database) -> None:
    _, text = key(database)

    async def work(authority: Authority) -> None:
        tasks = [asyncio.create_task(authority.recognise(bearer(text), ADDR)) for _ in range(5)]
        while not authority._pending:
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while authority._pending:
            await asyncio.sleep(0.005)
        assert authority.authenticate(bearer(text)) is not None

    ask(work)


def test_too_many_unknown_credentials_at_once_are_told_to_come_again(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PENDING", 8)

    async def work(authority: Authority) -> None:
        headers = [bearer(f"redan_{i:012d}_{'A' * 43}") for i in range(20)]
        found = await asyncio.gather(
            *(authority.recognise(header, f"192.0.2.{i}") for i, header in enumerate(headers)), return_exceptions=True
        )
        assert sum(isinstance(one, EvidenceError) for one in found) == 12
        assert sum(one is None for one in found) == 8
        assert not authority._pending

    ask(work)
