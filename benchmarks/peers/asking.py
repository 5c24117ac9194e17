"""Clients that write down every answer they got, over plain HTTP/1.1, and go to the other replica when one fails."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

ANSWER_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer.

    Attributes:
        who: the client.
        sent_s: monotonic seconds.
        got_s: monotonic seconds.
        replica: which one answered, by its place.
        status: of HTTP.
        why: word of a refusal.
        retry: whether Retry-After told when to come again.
        id: of the request.
        x: SHA-256 of what was sent.
        y: SHA-256 of what came back.
    """

    who: str
    sent_s: float
    got_s: float
    replica: int
    status: int
    why: str
    retry: bool
    id: str
    x: str
    y: str


@dataclass(slots=True, kw_only=True)
class Client:
    """Somebody who asks.

    Attributes:
        name: as the gateway knows it.
        kind: what is to be expected.
        credential: key or token.
        address: loopback address that it comes from.
        ports: of the replicas.
        rows: what it asks.
        every_s: between two questions; 0 as fast as answers come.
        alternates: goes to the replicas in turns, not to the next one on failure alone.
        answers: everything that it was told.
        unanswered: questions whose connection broke.
    """

    name: str
    kind: str
    credential: str
    address: str
    ports: Sequence[int]
    rows: Sequence[Sequence[float]]
    every_s: float
    alternates: bool = False
    answers: list[Answer] = field(default_factory=list)
    unanswered: int = 0
    _at: int = 0
    _n: int = 0
    _links: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=dict)

    async def run(self, ends_s: float) -> None:
        """Ask until a monotonic time."""
        next_s = time.monotonic() + hash(self.name) % 100 / 100 * self.every_s
        while (now_s := time.monotonic()) < ends_s:
            if now_s < next_s:
                await asyncio.sleep(next_s - now_s)
            next_s = max(next_s + self.every_s, time.monotonic() - self.every_s)
            await self.ask()
        self.hang_up()

    async def ask(self) -> None:
        """Ask once; go to the other replica next time when this one fails."""
        self._n += 1
        row = self.rows[self._n % len(self.rows)]
        tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP32", "data": row}
        # each body is one of a kind, so that its digest tells which request it was
        body = json.dumps({"id": f"{self.name}-{self._n}", "inputs": [tensor]}).encode()
        sent_s = time.monotonic()
        try:
            status, headers, reply = await asyncio.wait_for(self._exchange(body), ANSWER_S)
        except (OSError, EOFError, TimeoutError, ValueError):
            self.unanswered += 1
            self._hang_up(self._at)
            self._at = (self._at + 1) % len(self.ports)
            await asyncio.sleep(0.05)
            return
        why = "" if status == 200 else str(json.loads(reply).get("error", ""))
        self.answers.append(
            Answer(
                who=self.name,
                sent_s=sent_s,
                got_s=time.monotonic(),
                replica=self._at,
                status=status,
                why=why,
                retry=int(headers.get("retry-after", "0")) > 0,
                id=headers.get("x-request-id", ""),
                x=sha256(body).hexdigest(),
                y=sha256(reply).hexdigest(),
            )
        )
        if headers.get("connection") == "close":
            self._hang_up(self._at)
        if status == 503 or self.alternates:
            self._at = (self._at + 1) % len(self.ports)

    async def _exchange(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        at = self._at
        link = self._links.get(at)
        if link is None:
            link = await asyncio.open_connection("127.0.0.1", self.ports[at], local_addr=(self.address, 0))
            self._links[at] = link
        reader, writer = link
        writer.write(
            f"POST /v2/models/m/infer HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {self.credential}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))

    def hang_up(self) -> None:
        """Close every connection."""
        for at in list(self._links):
            self._hang_up(at)

    def _hang_up(self, at: int) -> None:
        link = self._links.pop(at, None)
        if link is not None:
            with suppress(OSError):
                link[1].close()
