"""Who asks: known credentials from memory in under a microsecond, others by the database, all of them until revoked.

What is remembered is believed while the database answers, or at most ``[identity] staleness`` after it last did;
changes on any replica are read four times a second and end what they concern. Beyond that nobody is recognised.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import Connection, Table, bindparam, update

from redan.core.errors import ConfigError, EvidenceError
from redan.core.settings import age_s
from redan.service.identity import changes, tables, void
from redan.service.identity.lockout_shared import Lockouts
from redan.service.identity.principal import Unjudged
from redan.service.identity.recognition import Judged, Recognition
from redan.service.identity.roles import roles_of
from redan.service.identity.seen import Entry, Seen
from redan.service.identity.token_keys import open_ring
from redan.service.identity.tokens import LONGEST_S, Claims, Invalid, issued, verified

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.evidence.store.database import Database
    from redan.service.identity.principal import Principal

Result = TypeVar("Result")
POLL_S = 0.25
FLUSH_S = 60.0
ANSWER_S = 5.0
MOST_PENDING = 1024
ENDED_S = 1.0
"""How long it is remembered that a credential of ours has ended, so that who goes on with it costs little."""
MOST_ENDED = 4096
_THREADS = 4
_AGAIN = 3


class Sessions(Protocol):
    """What knows the console's sessions (login)."""

    async def from_session(self, cookie: str, addr: str) -> Principal | None:
        """Judge a session's cookie."""


class Authority:
    """The service's `redan.service.parts.Authority`.

    Args:
        recognition: judges by the database.
        lockouts: counts failures.
        token_ttl_s: how long a token is good.
        confirm_ttl_s: how long a confirmation is good.
        staleness_s: how long what is remembered is believed while the database does not answer.
    """

    def __init__(
        self,
        recognition: Recognition,
        lockouts: Lockouts,
        *,
        token_ttl_s: int,
        confirm_ttl_s: int,
        staleness_s: float,
    ) -> None:
        self.recognition, self.lockouts = recognition, lockouts
        self.token_ttl_s, self._confirm_ttl_s, self._staleness_s = token_ttl_s, confirm_ttl_s, staleness_s
        self.sessions: Sessions | None = None
        """Knows the console's sessions; without it there are none."""
        self._seen = Seen()
        self._applied = 0
        self._fresh_until_s = time.monotonic() + staleness_s
        self._pending: dict[bytes, asyncio.Task[Judged]] = {}
        self._ended: dict[bytes, tuple[float, Judged]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="identity")
        self._poller: asyncio.Task[None] | None = None
        self._outcomes = dict.fromkeys(("known", "unknown", "ended", "waits", "unjudged"), 0)

    async def start(self) -> None:
        """Begin to follow what other replicas change.

        Raises:
            EvidenceError: the database does not answer.
        """
        self._heard(await self._in_thread(self._read_changes))
        self._poller = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Write down what was used, and stop."""
        if self._poller is not None:
            self._poller.cancel()
            with suppress(asyncio.CancelledError):
                await self._poller
        with suppress(EvidenceError):
            await self._in_thread(self._write, self._take_used())
        await self.lockouts.stop()
        # what still reads gives its connection back before whoever opened the database closes it
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await asyncio.to_thread(self._threads.shutdown)

    def authenticate(self, header: bytes) -> Principal | None:
        """Judge an Authorization header in memory; None: it was not seen before, or is good no more."""
        digest = sha256(header).digest()
        entry = self._seen.young.get(digest)
        if entry is None:
            entry = self._seen.revive(digest)
            if entry is None:
                return None
        now_s = time.monotonic()
        if now_s >= self._fresh_until_s:
            return None
        if now_s >= entry.until_s:
            self._seen.drop(digest)
            return None
        entry.used = True
        return entry.principal

    async def recognise(self, header: bytes, addr: str) -> Principal | None:
        """Judge a header that `authenticate` does not know.

        An unknown credential, a wrong one, one that has ended and one that must wait look the same: None.

        Raises:
            Unjudged: the database does not answer, or too many wait for it: no failure is counted.
        """
        account = account_of(header)
        if await self.lockouts.wait_s(addr, account) > 0:
            self._outcomes["waits"] += 1
            return None
        try:
            judged = await self._judged(header)
        except EvidenceError as error:
            self._outcomes["unjudged"] += 1
            raise Unjudged(error.message, hint=error.hint) from error
        self._outcomes["known" if judged.principal is not None else "unknown" if judged.guess else "ended"] += 1
        if judged.principal is not None:
            if account:
                await self.lockouts.succeeded(addr, account)
        elif judged.guess:
            await self.lockouts.failed(addr, account)
        return judged.principal

    def readings(self) -> Iterator[tuple[str, tuple[str, ...], float]]:
        """Return numbers for `redan.service.monitoring`: family, labels, value."""
        for outcome, n in self._outcomes.items():
            yield ("redan_recognitions", (outcome,), n)
        yield ("redan_lockouts", (), self.lockouts.n_waits)

    async def from_session(self, cookie: str, addr: str) -> Principal | None:
        """Judge a console's session cookie.

        Raises:
            Unjudged: the database does not answer.
        """
        try:
            return None if self.sessions is None else await self.sessions.from_session(cookie, addr)
        except EvidenceError as error:
            raise Unjudged(error.message, hint=error.hint) from error

    def confirmation(self, principal: Principal, action: str, resource: str) -> str:
        """Return a token that confirms one dangerous act of somebody, once, soon: call it after a second factor.

        Args:
            principal: whose act.
            action: which (`redan.service.identity.actions`).
            resource: on what: `bound` of the request that it will come with.
        """
        ring, ttl_s = self.recognition.ring, self._confirm_ttl_s
        return issued(
            ring.signing, self.recognition.issuer, principal.id, ttl_s, kind="confirm+jwt", act=action, res=resource
        )[0]

    async def confirmed(self, token: str, principal: Principal, action: str, resource: str) -> bool:
        """Return whether a token confirms this very act; it is spent by that.

        Raises:
            EvidenceError: the database does not answer.
        """
        ring = self.recognition.ring
        try:
            encoded = token.encode("ascii")
            claims = verified(encoded, "confirm+jwt", ring.heads, issuer=self.recognition.issuer, now_s=time.time())
        except (Invalid, UnicodeEncodeError):
            return False
        if (claims.sub, claims.act, claims.res) != (principal.id, action, resource):
            return False
        return await self._in_thread(self._spend, claims.jti)

    def token(self, subject: str, *, scope: str | None = None, key: str = "", ttl_s: int = 0) -> tuple[str, Claims]:
        """Sign a token.

        Args:
            subject: for whom.
            scope: narrows it; None: whatever the subject may do.
            key: identifier of the API key that it is exchanged for, with which it ends.
            ttl_s: seconds; 0: as the settings say, and never longer than that.

        Returns:
            The token and what it says.
        """
        ring, most_s = self.recognition.ring, self.token_ttl_s
        ttl_s = min(ttl_s or most_s, most_s)
        return issued(ring.signing, self.recognition.issuer, subject, ttl_s, scope=scope, parent=key)

    async def _judged(self, header: bytes) -> Judged:
        """Judge a header once, however many requests bring it at the same time."""
        digest = sha256(header).digest()
        until_s, ended = self._ended.get(digest, (0.0, None))
        if ended is not None and time.monotonic() < until_s:
            return ended
        task = self._pending.get(digest)
        if task is None:
            if len(self._pending) >= MOST_PENDING:
                raise EvidenceError("too many unknown credentials wait for the database")
            task = self._pending[digest] = asyncio.create_task(self._judge(header, digest))
            task.add_done_callback(partial(self._judged_once, digest))
        return await asyncio.shield(task)

    def _judged_once(self, digest: bytes, task: asyncio.Task[Judged]) -> None:
        del self._pending[digest]
        if not task.cancelled():
            # whoever waited has it; when all went away meanwhile, nobody else asks what failed
            task.exception()

    async def _judge(self, header: bytes, digest: bytes) -> Judged:
        for _ in range(_AGAIN):
            try:
                async with asyncio.timeout(ANSWER_S):
                    judged = await self._in_thread(self.recognition.judge, header)
            except TimeoutError:
                raise EvidenceError("the database of identities does not answer") from None
            if judged.principal is None:
                self._remember_ended(digest, judged)
                return judged
            # what was applied meanwhile may concern what was read before it
            if judged.seq >= self._applied:
                self._remember(digest, judged, judged.principal)
                return judged
        raise EvidenceError("identities change faster than they can be read")

    def _remember(self, digest: bytes, judged: Judged, principal: Principal) -> None:
        until_s = time.monotonic() + principal.expires_s - time.time()
        self._seen.put(digest, Entry(principal, until_s, judged.names))

    def _remember_ended(self, digest: bytes, judged: Judged) -> None:
        if judged.guess:
            return
        if len(self._ended) >= MOST_ENDED:
            self._ended.clear()
        self._ended[digest] = (time.monotonic() + ENDED_S, judged)

    async def _follow(self) -> None:
        flush_s, said = time.monotonic() + FLUSH_S, ""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                self._heard(await self._in_thread(self._read_changes))
                if time.monotonic() >= flush_s:
                    await self._in_thread(self._write, self._take_used())
                    flush_s = time.monotonic() + FLUSH_S
                said = ""
            except Exception as err:  # noqa: BLE001  # with nobody who follows, everybody would be refused before long
                if (words := str(err)) != said:
                    sys.stderr.write(f"identity: {words}\n")
                    said = words

    def _read_changes(self) -> tuple[float, changes.Changes]:
        # from before the question: an answer that took long is no fresher than that
        asked_s = time.monotonic()
        with self.recognition.database.reading() as connection:
            found = changes.since(connection, self._applied)
        if found.what is None or changes.TOKEN_KEYS in found.what:
            self.recognition.reload()
        return asked_s, found

    def _heard(self, answer: tuple[float, changes.Changes]) -> None:
        asked_s, found = answer
        if found.what is None or changes.TOKEN_KEYS in found.what:
            self._seen.forget(None)
        elif found.what:
            self._seen.forget(found.what)
        self._applied = found.seq
        self._fresh_until_s = asked_s + self._staleness_s

    def _spend(self, jti: str) -> bool:
        with self.recognition.database.writing() as connection:
            return void.spend(connection, jti)

    def _take_used(self) -> set[str]:
        """Return the names of subjects and keys that were used since last asked."""
        used = [entry for entry in self._seen if entry.used]
        for entry in used:
            entry.used = False
        return {name for entry in used for name in entry.names}

    def _write(self, used: set[str]) -> None:
        """Write down who and which keys were used just now."""
        ids = {name[4:] for name in used if name.startswith("key:")}
        people = {name for name in used if name.startswith(("user:", "client:"))}
        at_us = time.time_ns() // 1000
        if used:
            with self.recognition.database.writing() as connection:
                _write_used(connection, people, tables.subjects, at_us)
                _write_used(connection, ids, tables.keys, at_us)

    async def _in_thread(self, function: Callable[..., Result], *words: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *words)


def bound(path: str, body_sha256: str) -> str:
    """Return the resource of a confirmation: the path of one request, and the digest of the body that goes there."""
    return f"{path} {body_sha256}"


def account_of(header: bytes) -> str:
    """Return the identifier of the key that a header shows, which lock-out counts too; empty for anything else."""
    prefix, _, rest = header[7:].lstrip().partition(b"_")
    return rest.partition(b"_")[0][:16].decode("latin-1") if prefix == b"redan" else ""


def _write_used(connection: Connection, ids: set[str], table: Table, at_us: int) -> None:
    if ids:
        which = update(table).where(table.c.id == bindparam("which")).values(used_us=at_us)
        connection.execute(which, [{"which": id} for id in sorted(ids)])


def open_authority(settings: Settings, database: Database, root: Path) -> Authority:
    """Make what says who asks; the key that signs tokens is made at the very first start.

    Args:
        settings: redan.toml as it is in force.
        database: the service's own.
        root: folder that relative paths start from.

    Raises:
        ConfigError: roles or times of the settings do not fit, or the key is of another kind.
        Unreadable: the key that signs tokens cannot be read.
        EvidenceError: the database does not answer.
    """
    given = settings.identity
    key_path = (root / given.token_key).resolve()
    ring = open_ring(key_path, database)
    recognition = Recognition(database, ring, roles_of(given), given.issuer, key_path)
    return Authority(
        recognition,
        Lockouts(settings.serve.redis),
        token_ttl_s=token_ttl_s(settings),
        confirm_ttl_s=min(age_s(given.step_up) or 60, LONGEST_S),
        staleness_s=float(age_s(given.staleness) or 0),
    )


def token_ttl_s(settings: Settings) -> int:
    """Return how long a token is good.

    Raises:
        ConfigError: longer than any token may be, or no time at all.
    """
    ttl_s = age_s(settings.identity.token_ttl) or 0
    if not 0 < ttl_s <= LONGEST_S:
        raise ConfigError(f"[identity] token_ttl is {settings.identity.token_ttl!r}", hint="write 15m, at most 24h")
    return ttl_s
