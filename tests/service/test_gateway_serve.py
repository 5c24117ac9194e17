"""`redan serve` over HTTPS with client certificates and a proxy in front: connections, order, addresses, streams."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import uvloop
from tests import served as made
from tests.certificates import certificates, showing
from tests.gateway_process import TOML, WIDE, Gateway, gateway
from tests.plane import Client, model, request
from tests.served import rows, settings_for

PREDICT = "/v1/models/cancer/predict"
PROXY, CLIENT, OTHER = "127.0.0.9", "203.0.113.7", "203.0.113.8"
_SERVE = """
proxies = ["127.0.0.9"]
[serve.tls]
certificate = "server.pem"
key = "server.key"
client_ca = "authority.pem"
[[serve.models]]
name = "cancer"
target = "cancer-1.joblib"
sample = "sample.npz"
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for every test here."""
    folder = tmp_path_factory.mktemp("https")
    certificates(folder)
    settings_for(folder, made.served(folder, name="cancer"))
    (folder / "redan.toml").write_text(TOML + _SERVE + WIDE)
    with gateway(folder) as started:
        yield started


def by(running: Gateway, *, certificate: bool = True, addr: str = "127.0.0.1") -> dict[str, Any]:
    """Return how to connect."""
    trusting = ssl.create_default_context(cafile=running.folder / "authority.pem")
    return {"ssl": showing(running.folder) if certificate else trusting, "local_addr": (addr, 0)}


def body(n: int) -> bytes:
    """Return the request about row ``n``."""
    return json.dumps({"x": [rows()[0][n].tolist()]}).encode()


def test_nobody_is_let_in_without_a_certificate_and_a_certificate_is_no_credential(running: Gateway) -> None:
    (token,) = running.tokens("tls")

    async def main() -> None:
        status, headers, _ = await running.ask(PREDICT, body(0), by=by(running), token=token)
        assert status == 200
        assert (await running.ask(PREDICT, body(0), by=by(running), token=""))[0] == 401
        status, headers, _ = await running.ask("/health/live", method="GET", by=by(running), token="")
        assert status == 200
        assert "max-age" in headers["strict-transport-security"]
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await running.ask(PREDICT, body(0), by=by(running, certificate=False), token=token)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await running.ask(PREDICT, body(0), token=token)

    uvloop.run(main())


def test_one_connection_serves_many_requests_and_answers_what_was_pipelined_in_order(running: Gateway) -> None:
    (token,) = running.tokens("pipe")
    n = 48

    async def main() -> None:
        client = await running.connect(**by(running))
        for _ in range(50):
            await client.send(request(PREDICT, body(1), token=token))
            assert (await client.answer())[0] == 200
        # in between: a model that is not there, a page behind the other application, a body that is none
        others = {7: ("/v1/models/absent/predict", 404), 19: ("/openapi.json", 405), 31: (PREDICT, 422)}
        sent = []
        for i in range(n):
            path, _ = others.get(i, (PREDICT, 200))
            sent.append(request(path, b'{"x": [["a"]]}' if i == 31 else body(i), token=token))
        await client.send(b"".join(sent))
        wanted = model().answer(rows()[0][:n])
        for i in range(n):
            status, _, said = await client.answer()
            assert status == others.get(i, (PREDICT, 200))[1], (i, said)
            if i not in others:
                assert json.loads(said)["scores"][0] == pytest.approx(wanted.scores[i].tolist())  # type: ignore[index]
        await client.close()

    uvloop.run(main())


def test_a_proxy_is_believed_about_addresses_and_nobody_else(running: Gateway) -> None:
    proxied, direct = by(running, addr=PROXY), by(running)

    async def metrics(how: dict[str, Any], **headers: str) -> int:
        status, _, _ = await running.ask("/metrics", method="GET", by=how, token="", **headers)
        return status

    async def main() -> None:
        assert await metrics(direct) == 200
        assert await metrics(proxied, x_forwarded_for="127.0.0.1") == 200
        assert await metrics(proxied, x_forwarded_for=CLIENT) in {401, 403}
        assert await metrics(proxied, x_forwarded_for=f"127.0.0.1, {CLIENT}") in {401, 403}
        assert await metrics(proxied, forwarded="for=127.0.0.1") in {401, 403}
        assert await metrics(direct, x_forwarded_for="127.0.0.1") in {401, 403}
        for addr in (CLIENT, f"198.51.100.1, {CLIENT}"):
            for i in range(14):
                wrong = f"Bearer {addr[:3]}nobody{i}"
                status, _, _ = await running.ask(PREDICT, body(0), by=proxied, token=wrong, x_forwarded_for=addr)
                assert status in {401, 429}
        fresh, other, own = running.tokens("fresh", "other", "own")
        locked = await running.ask(PREDICT, body(0), by=proxied, token=fresh, x_forwarded_for=CLIENT)
        let_in = await running.ask(PREDICT, body(0), by=proxied, token=other, x_forwarded_for=OTHER)
        pretending = await running.ask(PREDICT, body(0), by=direct, token=own, x_forwarded_for=CLIENT)
        assert locked[0] in {401, 429}, "an address that fails so often must wait"
        assert (let_in[0], pretending[0]) == (200, 200)

    uvloop.run(main())


def test_a_long_stream_is_answered_in_bounded_memory_also_to_who_does_not_read(running: Gateway) -> None:
    (token, slow) = running.tokens("stream", "slow")
    x = rows()[0][:64]
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in x.tolist())
    times = 200

    async def begin(token: str) -> Client:
        client = await running.connect(**by(running))
        head = request(PREDICT, b"", token=token, content_type="application/x-ndjson", transfer_encoding="chunked")
        await client.send(head.replace(b"content-length: 0\r\n", b""))
        return client

    async def fill(client: Client, times: int) -> None:
        for _ in range(times):
            await client.send(b"%x\r\n%s\r\n" % (len(lines), lines))
        await client.send(b"0\r\n\r\n")

    async def main() -> None:
        warm = await begin(token)
        await asyncio.gather(fill(warm, 20), warm.answer())
        before = running.rss_bytes()
        blocked = await begin(slow)
        filling = asyncio.ensure_future(fill(blocked, 10 * times))
        client = await begin(token)
        _, (status, _, said) = await asyncio.gather(fill(client, times), client.answer())
        answers = [json.loads(line) for line in said.splitlines()]
        assert status == 200
        assert answers[-1]["rows"] == len(x) * times == len(answers) - 1
        got = np.array([each["scores"] for each in answers[-1 - len(x) : -1]])
        assert np.allclose(got, model().answer(x).scores)  # type: ignore[arg-type]
        assert not filling.done(), "whoever does not read is read from"
        assert running.rss_bytes() - before < 64 << 20
        filling.cancel()
        with suppress(asyncio.CancelledError):
            await filling
        blocked.writer.transport.abort()
        for each in (blocked, client, warm):
            await each.close()

    uvloop.run(main())
