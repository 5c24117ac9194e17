"""Every model that is served: brought in, chosen for clients, promoted, rolled back, quarantined, judged again.

The data path reads one snapshot that is replaced as a whole. Everything else holds the pool's lock, and what is
decided is kept in the shared database, which each replica looks at every second.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import EvidenceError, RedanError, UnknownName, UsageError
from redan.core.settings import age_s
from redan.service.models import noted
from redan.service.models.admitting import insist
from redan.service.models.choosing import Snapshot, snapshot
from redan.service.models.comparison import Comparing
from redan.service.models.following import following, rechecking
from redan.service.models.loading import refusal
from redan.service.models.looking import Looking
from redan.service.models.roles import check, configured_live, live_of, role_of, turn_of
from redan.service.models.source import Registry, sources
from redan.service.models.standing import Decided, Standing
from redan.service.models.versions import (
    Judge,
    Version,
    bring_in,
    changed_or_judged,
    judge_again,
    missing_or_judged,
    moved_or_judged,
)

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.core.settings_service import ServedModel
    from redan.evidence.store.database import Database
    from redan.service.audit.act import Act
    from redan.service.findings import Findings
    from redan.service.models.served import Role, Served

Record = Callable[["Act"], Awaitable[None] | None]
"""Takes a record for the audit log; what it returns is awaited before the deed, except where a model leaves service."""
_WORK = Callable[[Version, Judge], None]


class Pool:
    """The served models of one replica; fulfils `redan.service.parts.Models`.

    Args:
        settings: with ``[serve]`` and ``[admission]``.
        root: folder that relative paths start from.
        database: the service's own, shared by replicas.
        findings: is shown what left service by itself.
        record: takes the record of every transition; None in tests that ask for none.
        registry: gives what targets such as ``registry:fraud@3`` mean.
        reread: returns the settings as they are now, for `reload`; None keeps those of the start.

    Attributes:
        settings: in force, as they were read last.
        comparing: holds canaries and shadows against the live version; is shown every answered batch.
        lost_polls: how often in a row the shared database did not answer.

    Raises:
        ConfigError: roles that cannot be had together.
    """

    def __init__(
        self,
        settings: Settings,
        root: Path,
        *,
        database: Database,
        findings: Findings | None = None,
        record: Record | None = None,
        registry: Registry | None = None,
        reread: Callable[[], Settings] | None = None,
    ) -> None:
        check(settings.serve.models)
        self.settings, self._root, self._registry = settings, root, registry
        self._standing, self._findings = Standing(database), findings
        self._record, self._reread = record, reread
        self._versions = [Version(source=each) for each in sources(settings, root, registry)]
        self._decided, self._key = Decided(), b""
        self._now = Snapshot()
        self._unwritten: frozenset[tuple[str, str]] = frozenset()
        self._lock = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._mark = ""
        self._looking = Looking.of(settings, root)
        self.lost_polls, self.comparing = 0, Comparing(self)

    async def start(self) -> None:
        """Bring every version in, and follow what is decided from then on.

        A version that is refused leaves the others; `refused` says why.

        Raises:
            EvidenceError: the database does not answer.
        """
        async with self._lock:
            self._key = await asyncio.to_thread(self._standing.key)
            self._decided = await asyncio.to_thread(self._standing.read)
            await self._marked()
            await self._each(bring_in, self._versions)
            await self._told("models.reload", self._versions)
            self._apply()
        await self.comparing.start()
        every_s = age_s(self.settings.serve.recheck)
        self._tasks = [asyncio.create_task(following(self))]
        if every_s:
            self._tasks.append(asyncio.create_task(rechecking(self, float(every_s))))

    async def stop(self) -> None:
        """Stop following; loaded models answer until the pool is dropped."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self.comparing.stop()

    def choose(self, name: str, version: str, client: str) -> Served | None:
        """Return what answers this client: a named live or canary version, else live or canary by the share."""
        now = self._now
        if version:
            return now.named.get((name, version))
        route = now.routes.get(name)
        if route is None:
            return None
        if not route.cuts:
            return route.live
        try:
            return route.places[client]
        except KeyError:
            return route.chosen(client)

    def shadows(self, name: str) -> Sequence[Served]:
        """Return versions that are asked too and answer nobody."""
        return self._now.shadows.get(name, ())

    def all(self) -> Sequence[tuple[Served, Role]]:
        """Return every loaded version that may be served, with its role."""
        return self._now.everything

    def refused(self) -> Sequence[tuple[str, str, str]]:
        """Return (name, version, sentence why) of every version that was not admitted."""
        return self._now.refused

    async def promote(self, name: str, version: str) -> None:
        """Judge a version's statements again and make it live; the former live version stands by.

        Raises:
            UnknownName: there is no such version.
            NotAdmitted: its statements do not suffice.
            UsageError: another one was made live, or this one quarantined, meanwhile.
            EvidenceError: database or audit log do not answer; nothing changed.
        """
        async with self._lock:
            chosen, known = self.version(name, version), self._decided.quarantined
            given_back = self._unwritten & {(name, version)}
            await self._admitted("models.promote", chosen)
            before, configured = live_of(self._models, name, self._decided), configured_live(self._models, name)
            decided = await noted.turned(
                self._note, "models.promote", chosen, why="promoted", before=before,
                decide=lambda: self._standing.make_live(
                    name, version, configured=configured, before=before, known=known),
            )  # fmt: skip
            self._unwritten -= given_back
            self._decided = self._merged(decided)
            self._apply()

    async def rollback(self, name: str) -> Served:
        """Make the version before live again, at once: it is still loaded.

        Raises:
            UnknownName: there is no such model.
            NotAdmitted: the statements of the version before do not suffice any more.
            UsageError: there is no version before, it is quarantined, or another one was made live meanwhile.
            EvidenceError: database or audit log do not answer; nothing changed.
        """
        async with self._lock:
            self.of(name)
            turn = turn_of(self._models, name, self._decided)
            if turn is None or len(turn.versions) < 2:
                raise UsageError(f"{name} has no version to go back to", hint="promote one by its name")
            chosen = self.version(name, turn.versions[-2])
            if (name, turn.versions[-2]) in self._decided.quarantined:
                raise UsageError(f"{chosen.label} is quarantined", hint="promote a version by its name")
            await self._admitted("models.rollback", chosen)
            decided = await noted.turned(
                self._note, "models.rollback", chosen, why="rolled-back", before=turn.live,
                decide=lambda: self._standing.go_back(name, configured=turn.configured, live=turn.live),
            )  # fmt: skip
            self._decided = self._merged(decided)
            self._apply()
            assert chosen.served is not None
            return chosen.served

    async def quarantine(self, name: str, version: str = "") -> None:
        """Take a version, or every version, out of service until it is promoted again.

        This replica stops answering at once, before anything is written down and whatever else is being loaded.

        Raises:
            UnknownName: there is no such version.
            EvidenceError: database or audit log do not answer; out of service it is here all the same.
        """
        chosen = [self.version(name, version)] if version else self.of(name)
        self._unwritten |= {(name, each.source.settings.version) for each in chosen}
        self._follow(self._decided)
        async with self._lock:
            await self._write_quarantines()
            for each in chosen:
                await self._note(noted.act("models.quarantine", each, why="quarantined"))

    async def reload(self) -> None:
        """Read the configuration again, bring in what is new or changed on disk, and judge everything else again.

        Raises:
            RedanError: the configuration does not fit; nothing changed.
            EvidenceError: the audit log takes no record; the judgement stands all the same.
        """
        settings = self.settings if self._reread is None else await asyncio.to_thread(self._reread)
        check(settings.serve.models)
        async with self._lock:
            known = {each.source.settings: each for each in self._versions}
            self.settings = settings
            self._looking = Looking.of(settings, self._root)
            found = [
                known.get(each.settings, Version(source=each)) for each in sources(settings, self._root, self._registry)
            ]
            await self._renew(found, changed_or_judged)

    async def recheck(self) -> None:
        """Judge the statements of every loaded version again; one that no longer passes leaves service at once.

        Where the registry decides which version is meant, what it means now is brought in.

        Raises:
            EvidenceError: the audit log takes no record; the judgement stands all the same.
        """
        async with self._lock:
            await self._renew(list(self._versions), moved_or_judged)

    def role(self, model: ServedModel) -> Role:
        """Return the role that a version has now."""
        return role_of(model, self._models, self._decided)

    def versions(self) -> Sequence[Version]:
        """Every version of the configuration, in its order."""
        return tuple(self._versions)

    @property
    def _models(self) -> tuple[ServedModel, ...]:
        return self.settings.serve.models

    def of(self, name: str) -> list[Version]:
        """Return the versions of a model, in the order of the configuration.

        Raises:
            UnknownName: there is none.
        """
        found = [each for each in self._versions if each.source.settings.name == name]
        if not found:
            raise UnknownName.among("model", name, sorted({each.name for each in self._models}))
        return found

    def version(self, name: str, version: str) -> Version:
        """Return what is known of a version.

        Raises:
            UnknownName: there is none.
        """
        own = self.of(name)
        found = next((each for each in own if each.source.settings.version == version), None)
        if found is None:
            raise UnknownName.among(f"version of {name}", version, [each.source.settings.version for each in own])
        return found

    def before(self, name: str) -> str:
        """Return the version that `rollback` would make live, or an empty text."""
        turn = turn_of(self._models, name, self._decided)
        if turn is None or len(turn.versions) < 2 or (name, turn.versions[-2]) in self._decided.quarantined:
            return ""
        return turn.versions[-2]

    async def _admitted(self, action: str, chosen: Version) -> None:
        """Judge a version now, load it if it was not admitted before, and insist on it."""
        await self._each(judge_again if chosen.served is not None else bring_in, [chosen])
        if chosen.why:
            self._apply()
            await self._note(noted.act(action, chosen, ok=False, why="not-admitted", more={"because": chosen.why}))
        insist(chosen.label, chosen.why)

    async def _each(self, work: _WORK, chosen: Sequence[Version]) -> None:
        await asyncio.to_thread(self._looking.judged, chosen)
        try:
            judge = await asyncio.to_thread(Judge.of, self.settings, self._root)
        except RedanError as err:
            for each in chosen:
                each.why = refusal(err)
            return
        for each in chosen:
            await asyncio.to_thread(work, each, judge)

    async def _renew(self, versions: list[Version], work: _WORK, chosen: Sequence[Version] | None = None) -> None:
        """Do work on chosen versions, all where None, put what came of it into force, and say so."""
        before = {id(each): (each.why, each.newer, each.served) for each in versions}
        await self._each(work, versions if chosen is None else chosen)
        self._versions = versions
        self._apply()
        changed = [each for each in versions if (each.why, each.newer, each.served) != before[id(each)]]
        for each in changed:
            if self._findings is not None and not each.vacant and (each.why or each.newer):
                self._findings.publish(noted.finding(each))
        await self._told("models.reload", changed)

    async def _told(self, action: str, chosen: Sequence[Version]) -> None:
        for each in chosen:
            because = each.why or each.newer
            why = "vacant" if each.vacant else "not-admitted" if because else "admitted"
            more: dict[str, object] = {"because": because} if because else {}
            await self._note(noted.act(action, each, ok=each.vacant or not because, why=why, more=more))

    async def _note(self, act: Act) -> None:
        waiting = None if self._record is None else self._record(act)
        if waiting is not None:
            await waiting

    def _apply(self) -> None:
        fit = [each for each in self._versions if each.served is not None and not each.why]
        refused = [
            (each.source.settings.name, each.source.settings.version, each.why or each.newer)
            for each in self._versions
            if (each.why or each.newer) and not each.vacant
        ]
        everything = [(each.served, self.role(each.source.settings)) for each in fit if each.served is not None]
        self._now = snapshot(everything, refused, self._key)

    async def look(self) -> None:
        """Judge versions again whose statements on disk changed and have been still since the last look.

        One that was refused is brought in if they suffice now.

        Raises:
            EvidenceError: the audit log takes no record; the judgement stands all the same.
        """
        if self.settings.serve.admission == "open":
            return
        async with self._lock:
            changed = await asyncio.to_thread(self._looking.changed, self._versions)
            if changed:
                await self._renew(list(self._versions), missing_or_judged, changed)

    async def follow(self) -> None:
        """Look at what other replicas and the registry decided, and do likewise; while both are silent nothing changes.

        Of the registry versions are followed that it decides about, and statements that it was given since.
        """
        async with self._lock:
            try:
                await self._write_quarantines()
                self._follow(await asyncio.to_thread(self._standing.read))
                if await self._marked():
                    await self._renew(list(self._versions), moved_or_judged)
            except EvidenceError as err:
                self.lost_polls += 1
                if self.lost_polls == 1:
                    sys.stderr.write(f"models: {err.message}; decisions of other replicas are not seen\n")
                return
            self.lost_polls = 0

    async def _marked(self) -> bool:
        """Return whether the registry was written to since the last look."""
        if self._registry is None or not any(each.source.is_registered for each in self._versions):
            return False
        before, self._mark = self._mark, await asyncio.to_thread(self._registry.mark)
        return self._mark != before

    async def _write_quarantines(self) -> None:
        if written := self._unwritten:
            decided = await asyncio.to_thread(self._standing.quarantine, written)
            self._unwritten -= written
            self._follow(decided)

    def _merged(self, decided: Decided) -> Decided:
        """Add quarantines that the database did not take yet."""
        return Decided(turns=decided.turns, quarantined=decided.quarantined | self._unwritten)

    def _follow(self, decided: Decided) -> None:
        """Put a decision into force where it is another one than stands."""
        merged = self._merged(decided)
        if merged != self._decided:
            self._decided = merged
            self._apply()
