"""Two gateways under load while everything around them fails: ``python benchmarks/gateway_soak.py --mode durable``.

Two replicas with own logs share a real PostgreSQL and a real Redis. Clients with own keys and tokens ask both, go to
the other one when one fails, and write down every answer they got: some may ask, some may not, one is nobody, one asks
faster than its rate, some are revoked or suspended in the middle, one's token ends. One after another: a replica is
killed and started again, PostgreSQL and Redis crash and come back, a log's volume is full, a wall clock jumps ahead and
back, too many ask at once. In the end the logs are verified against checkpoints that were kept outside, and answers are
held against records. One JSON line; exit code 1 when a promise was broken. Needs PostgreSQL, redis-server, a C compiler
(no jumps without it) and root for a volume of its own (no full disk without it).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gateway import models, rows
from peers.asking import Client
from peers.gateway_project import project
from peers.replicas import Postgres, Redis, Replica, Volume, programs, wall_clock
from peers.serving import free_port
from peers.soak_judging import Event, Story, judged

from redan.core import config as configuration
from redan.core.settings import Settings
from redan.evidence.log.notes import Checkpoint
from redan.evidence.log.reading import own_key, read_checkpoint
from redan.service.database import Database, open_database
from redan.service.guards.keeping import Keeping
from redan.service.identity import directory, keys
from redan.service.identity.authority import open_authority
from redan.service.identity.roles import roles_of

RATE_PER_S, BURST = 20, 40
CALM_PER_S = 10.0
KINDS = {"allowed": 40, "forbidden": 4, "greedy": 2, "revoked": 2, "suspended": 2, "expired": 1}
FLOOD, FLOOD_S = 400, 8.0
GUARDS = f"rate_per_s = {RATE_PER_S}\nburst = {BURST}\nrows_per_day = 1000000\nround_digits = 6"
LIMITS = "[serve.limits]\nwaiting = 40"
Step = Callable[[], Awaitable[None]]


class World:
    """Everything that runs.

    Args:
        folder: new.
        mode: of the audit log.
        stack: what is closed in the end.
    """

    def __init__(self, folder: Path, mode: str, stack: ExitStack) -> None:
        found = programs()
        self.folder, self.mode, self.preload = folder, mode, wall_clock(folder)
        self.postgres, self.redis = Postgres(folder / "pg", found), Redis(folder / "redis", found)
        self.postgres.start()
        stack.callback(self.postgres.stop)
        self.redis.start()
        stack.callback(self.redis.stop)
        self.replicas = [self._replica(i, stack) for i in range(2)]
        self.settings, self.database = self._opened()
        stack.callback(self.database.close)
        self.clients = self._clients()
        self.kept: dict[str, list[Checkpoint]] = {each.name: [] for each in self.replicas}
        self.events: list[Event] = []

    def _replica(self, i: int, stack: ExitStack) -> Replica:
        volume, port, config = Volume(self.folder / f"volume{i}"), free_port(), self.folder / f"replica{i}.toml"
        stack.callback(volume.close)
        if i == 0:
            model = models(self.folder)["sklearn"]
            (self.folder / "project").mkdir()
            # the key of tokens, the secret of the log and the sealed model are one for both
            project(self.folder / "project", model, port=port, mode=self.mode, clients=0, guard_lines=GUARDS)
        text = (self.folder / "project" / "redan.toml").read_text()
        shared = f'database = "{self.postgres.url}"\nredis = "{self.redis.url}"'
        text = text.replace('name = "bench"', f'name = "r{i}"\n{shared}')
        lines = [f'address = "127.0.0.1:{port}"' if line.startswith("address") else line for line in text.splitlines()]
        more = [f'log = "{volume.folder}/audit"', '[identity]\ntoken_key = "token.key"\ntoken_ttl = "2h"', LIMITS]
        config = self.folder / "project" / config.name
        config.write_text("\n".join((*lines, *more)) + "\n")
        return Replica(name=f"r{i}", port=port, config=config, volume=volume, preload=self.preload)

    def _opened(self) -> tuple[Settings, Database]:
        file = self.replicas[0].config
        settings = configuration.load(file=file, root=file.parent, environ={}).settings
        return settings, open_database(settings.serve.database, root=file.parent)

    def _clients(self) -> list[Client]:
        """Make everybody: every other one asks with a key, the rest with tokens."""
        roles, authority = roles_of(self.settings.identity), self._authority()
        made, x, ports = [], rows(), [each.port for each in self.replicas]
        names = [(kind, f"client:{kind}-{i}") for kind, n in (*KINDS.items(), ("flood", FLOOD)) for i in range(n)]
        with self.database.writing() as connection:
            # somebody must be left who could disable others
            directory.add(connection, "user:boss", by="soak")
            directory.grant(connection, roles, "user:boss", "administrator", by="soak")
            for _, name in names:
                directory.add(connection, name, by="soak")
                model = "other" if "forbidden" in name else "m"
                directory.grant(connection, roles, name, "client", model, by="soak")
        for i, (kind, name) in enumerate(names):
            if i % 2 and kind not in ("flood", "expired"):
                with self.database.writing() as connection:
                    credential = keys.make(connection, name, by="soak")[1]
            else:
                credential = authority.token(name, ttl_s=120 if kind == "expired" else 0)[0]
            made.append(
                Client(
                    name=name,
                    kind=kind,
                    credential=credential,
                    address=f"127.0.{1 + i // 200}.{1 + i % 200}",
                    ports=ports,
                    rows=x,
                    every_s={"greedy": 1 / (3 * RATE_PER_S), "flood": 0.0}.get(kind, 1 / CALM_PER_S),
                    alternates=kind != "allowed" or bool(i % 3),
                )
            )
        guess = f"redan_{'a' * 12}_{'A' * 43}"
        made.append(
            Client(name="-", kind="nobody", credential=guess, address="127.0.9.1", ports=ports, rows=x, every_s=0.5)
        )
        return made

    def _authority(self) -> Any:
        return open_authority(self.settings, self.database, self.replicas[0].config.parent)

    async def keep_checkpoints(self) -> None:
        """Keep, outside of the replicas, what their logs signed."""
        while True:
            await asyncio.sleep(5)
            for each in self.replicas:
                self.kept[each.name].append(read_checkpoint(each.log / "checkpoint"))

    async def revoke(self) -> None:
        """Revoke the keys and tokens of some, as a verb would in another process."""

        def work() -> None:
            with self.database.writing() as connection:
                for client in self.of("revoked"):
                    directory.disable(connection, client.name, roles_of(self.settings.identity))

        await asyncio.to_thread(work)

    async def suspend(self) -> None:
        """Suspend some."""
        keeping = Keeping(database=self.database, replica="soak")
        for client in self.of("suspended"):
            await asyncio.to_thread(keeping.slow, client.name, 0.0, time.time() + 1e6)

    def of(self, kind: str) -> list[Client]:
        """Return the clients of a kind."""
        return [client for client in self.clients if client.kind == kind]

    def kill(self, at: int) -> Step:
        """Kill a replica, and start it again after three seconds."""

        async def work() -> None:
            await self.replicas[at].kill()
            await asyncio.sleep(3)
            await self.replicas[at].start()

        return work

    def away(self, server: Postgres | Redis, seconds: float) -> Step:
        """Crash a server, and start it again after a while."""

        async def work() -> None:
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(server.start)

        return work

    async def full(self) -> None:
        """Leave a log's volume no room for ten seconds."""
        volume = self.replicas[0].volume
        await asyncio.to_thread(volume.fill)
        await asyncio.sleep(10)
        await asyncio.to_thread(volume.empty)

    def jump(self, seconds: int) -> Step:
        """Let a replica's wall clock be wrong for ten seconds."""

        async def work() -> None:
            self.replicas[1].clock(seconds)
            await asyncio.sleep(10)
            self.replicas[1].clock(0)

        return work

    async def flood(self) -> None:
        """Let many ask as fast as they can."""
        ends_s = time.monotonic() + FLOOD_S
        await asyncio.gather(*(client.run(ends_s) for client in self.of("flood")))

    def plan(self) -> list[tuple[float, str, Step]]:
        """Return what happens when, as shares of the whole time."""
        steps: list[tuple[float, str, Step]] = [
            (0.05, "revoked", self.revoke),
            (0.09, "suspended", self.suspend),
            (0.14, "replica killed", self.kill(0)),
            (0.26, "PostgreSQL crashed", self.away(self.postgres, 5)),
            (0.36, "Redis crashed", self.away(self.redis, 5)),
            (0.66, "overload", self.flood),
            (0.76, "replica killed", self.kill(1)),
            (0.88, "replica killed", self.kill(0)),
        ]
        if self.replicas[0].volume.mounted:
            steps.append((0.45, "disk full", self.full))
        if self.replicas[1].preload is not None:
            steps += [(0.53, "clock ahead 1 h", self.jump(3600)), (0.60, "clock back 1 h", self.jump(-3600))]
        return sorted(steps, key=lambda step: step[0])

    async def run(self, seconds: float) -> Story:
        """Live through it all."""
        await asyncio.gather(*(each.start() for each in self.replicas))
        outside = {each.name: own_key(each.log) for each in self.replicas}
        keeping = asyncio.create_task(self.keep_checkpoints())
        began_s = time.monotonic()
        asking = [
            asyncio.create_task(client.run(began_s + seconds)) for client in self.clients if client.kind != "flood"
        ]
        for share, name, step in self.plan():
            await asyncio.sleep(max(0.0, began_s + share * seconds - time.monotonic()))
            event_s = time.monotonic()
            await step()
            self.events.append(Event(name=name, began_s=event_s, ended_s=time.monotonic()))
        await asyncio.gather(*asking)
        keeping.cancel()
        await asyncio.gather(*(each.stop() for each in self.replicas))
        return Story(
            mode=self.mode,
            most_lost=self.settings.audit.most_lost,
            rate_per_s=RATE_PER_S,
            burst=BURST,
            began_s=began_s,
            ended_s=time.monotonic(),
            clients=self.clients,
            events=self.events,
            logs={each.name: each.log for each in self.replicas},
            keys=outside,
            kept=self.kept,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Live through it and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--mode", choices=("durable", "async"), default="durable")
    parser.add_argument("--keep", type=Path, help="folder that replicas' logs of errors are copied to")
    asked = parser.parse_args(argv)
    if asked.keep is not None:
        asked.keep.mkdir(parents=True, exist_ok=True)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redan-soak-")))
        # PostgreSQL runs as somebody else
        folder.chmod(0o755)
        world = World(folder, asked.mode, stack)
        for each in world.replicas:
            stack.callback(each.abandon)
        story = asyncio.run(world.run(60 * asked.minutes))
        found = judged(story)
        if asked.keep is not None:
            for each in world.replicas:
                (asked.keep / f"{each.name}.log").write_bytes(each.config.with_suffix(".log").read_bytes())
    print(json.dumps({"benchmark": "gateway soak", **found, "python": platform.python_version()}))
    return 0 if found["holds"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
