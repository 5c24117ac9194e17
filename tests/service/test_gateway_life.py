"""A gateway's beginning and end: ports, HTTPS, and a drain that loses nothing."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.certificates import certificates
from tests.plane import Running, connected, request, running, settings_of
from tests.served import rows

from redan.core.errors import ConfigError, Unreadable
from redan.core.settings_service import Batching, Limits, Tls
from redan.service.gateway.server import open_socket, tls_context

PREDICT = "/v1/models/cancer/predict"


async def asked(gateway: Running, **how: Any) -> int:
    client = await connected(gateway, **how)
    await client.send(request(PREDICT, body_of()))
    return (await client.answer())[0]


def body_of(n: int = 1) -> bytes:
    return json.dumps({"x": rows()[0][:n].tolist()}).encode()


def test_requests_under_way_are_answered_new_ones_on_old_connections_are_told_and_idle_ones_are_closed(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        settings = settings_of(tmp_path, batching=Batching(wait_ms=300), limits=Limits(drain_s=5))
        async with running(tmp_path, settings) as gateway:
            under_way, old, idle = [await connected(gateway) for _ in range(3)]
            await under_way.send(request(PREDICT, body_of()))
            while not gateway.plane.batcher.waiting:
                await asyncio.sleep(0.001)
            gateway.server.should_exit = True
            while not gateway.plane.draining:
                await asyncio.sleep(0.001)
            await old.send(request(PREDICT, body_of()))
            status, headers, body = await old.answer()
            assert (status, json.loads(body)["error"], headers["connection"]) == (503, "draining", "close")
            assert headers["retry-after"] == "1"
            assert (await under_way.answer())[0] == 200
            assert await idle.rest() == b""
            assert await under_way.rest() == b""
            with pytest.raises(ConnectionRefusedError):
                await connected(gateway)
        assert sorted(act.status for act in gateway.acts()) == [200, 503]

    uvloop.run(main())


def test_what_takes_longer_than_the_drain_allows_is_ended(tmp_path: Path) -> None:
    async def main() -> None:
        settings = settings_of(tmp_path, limits=Limits(drain_s=0.3, body_s=60))
        async with running(tmp_path, settings) as gateway:
            slow = await connected(gateway)
            await slow.send(request(PREDICT, body_of())[:-10])
            await asyncio.sleep(0.05)
        assert await slow.rest() == b""

    uvloop.run(asyncio.wait_for(main(), 10))


def test_several_replicas_share_a_port_and_a_free_one_is_found() -> None:
    first = open_socket("127.0.0.1:0", shared=True)
    first.listen()
    port = first.getsockname()[1]
    assert port
    open_socket(f"127.0.0.1:{port}", shared=True).close()
    with pytest.raises(ConfigError, match="cannot be listened on"):
        open_socket(f"127.0.0.1:{port}")
    first.close()
    for wrong in ("8080", "localhost:x", "a:99999"):
        with pytest.raises(ConfigError):
            open_socket(wrong)


def test_https_asks_clients_for_a_certificate_where_that_is_set_and_speaks_nothing_old(tmp_path: Path) -> None:
    certificates(tmp_path)
    tls = Tls(certificate="server.pem", key="server.key", client_ca="authority.pem")

    def trusting(**how: Any) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=tmp_path / "authority.pem")
        if how.get("client"):
            context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
        if how.get("old"):
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
        return context

    async def main() -> None:
        settings = settings_of(tmp_path, tls=tls, limits=Limits(header_s=1))
        async with running(tmp_path, settings) as gateway:
            for old in (False, True):
                client = await connected(gateway, ssl=trusting(client=True, old=old))
                await client.send(request(PREDICT, body_of()))
                assert (await client.answer())[0] == 200
                await client.close()
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await asked(gateway, ssl=trusting())
            plain = await connected(gateway)
            await plain.send(request(PREDICT, body_of()))
            assert b"200 OK" not in await plain.rest()
            silent = await connected(gateway)
            assert await asyncio.wait_for(silent.rest(), 5) == b""

    uvloop.run(main())
    context = tls_context(tls, tmp_path)
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls_context(Tls(), tmp_path) is None
    with pytest.raises(ConfigError, match="both"):
        tls_context(Tls(certificate="server.pem"), tmp_path)
    with pytest.raises(Unreadable):
        tls_context(Tls(certificate="server.pem", key="client.key"), tmp_path)
    with pytest.raises(Unreadable):
        tls_context(Tls(certificate="absent.pem", key="client.key"), tmp_path)
