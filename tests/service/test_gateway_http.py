"""HTTP at the gateway's door, spoken byte for byte: limits, time, and messages that could be read in two ways."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import numpy as np
import uvloop
from tests.plane import Running, asked, connected, request, running, settings_of
from tests.served import rows

from redan.core.settings_service import Limits

PREDICT = "/v1/models/cancer/predict"
HEAD = b"POST /v1/models/cancer/predict HTTP/1.1\r\nhost: a\r\nauthorization: Bearer alice-token\r\n"
SMUGGLED = b"GET /v2/models/cancer HTTP/1.1\r\nhost: a\r\n\r\n"


def body_of(n: int = 1, start: int = 0) -> bytes:
    return json.dumps({"x": rows()[0][start : start + n].tolist()}).encode()


AMBIGUOUS = {
    "length beside chunks": HEAD + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks beside length": HEAD + b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"content-length: 0\r\ncontent-length: 44\r\n\r\n",
    "twice the same length": HEAD + b"content-length: 4\r\ncontent-length: 4\r\n\r\nabcd",
    "list of lengths": HEAD + b"content-length: 0, 44\r\n\r\n",
    "signed length": HEAD + b"content-length: +4\r\n\r\nabcd",
    "hexadecimal length": HEAD + b"content-length: 0x4\r\n\r\nabcd",
    "empty length": HEAD + b"content-length:\r\n\r\n",
    "endless length": HEAD + b"content-length: 99999999999999999999999\r\n\r\n",
    "space before the colon": HEAD + b"content-length : 4\r\n\r\nabcd",
    "folded header": HEAD + b"x-a: b\r\n c\r\ncontent-length: 0\r\n\r\n",
    "folded encoding": HEAD + b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "another encoding": HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "misspelt encoding": HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two encodings": HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
    "tabulated encoding": HEAD + b"transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "line feed alone": HEAD.replace(b"\r\n", b"\n") + b"content-length: 0\n\n",
    "line feed in the head": HEAD + b"x-a: b\ncontent-length: 0\r\n\r\n",
    "carriage return in the head": HEAD + b"x-a: b\rcontent-length: 0\r\n\r\n",
    "null in the head": HEAD + b"x-a: b\0c\r\n\r\n",
    "chunk size with a prefix": HEAD + b"transfer-encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "chunk size that overflows": HEAD + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n",
    "chunk ended by a line feed": HEAD + b"transfer-encoding: chunked\r\n\r\n1\na\n0\n\n",
    "extension with a line feed": HEAD + b"transfer-encoding: chunked\r\n\r\n1;a\nb\r\na\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "no host": b"GET /v2 HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /v2 HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "whole address": b"GET http://b/v2 HTTP/1.1\r\nhost: a\r\n\r\n",
    "tunnel": b"CONNECT b:1 HTTP/1.1\r\nhost: a\r\n\r\n",
    "another protocol": HEAD + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 4\r\n\r\nabcd",
    "web socket": b"GET /v2 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    "fragment": b"GET /v2#a HTTP/1.1\r\nhost: a\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /v2\r\n\r\n",
    "bytes": bytes(range(256)),
}


def test_a_message_that_can_be_read_in_two_ways_ends_the_connection_and_nothing_after_it_is_answered(
    tmp_path: Path,
) -> None:
    async def tried(gateway: Running, message: bytes) -> bytes:
        client = await connected(gateway)
        await client.send(message + SMUGGLED)
        answer = await client.rest()
        await client.close()
        return answer

    ids: list[str] = []

    async def main() -> None:
        async with running(tmp_path) as gateway:
            for name, message in AMBIGUOUS.items():
                answer = await tried(gateway, message)
                assert answer.startswith(b"HTTP/1.1 400 "), (name, answer[:200])
                assert answer.count(b"HTTP/1.1") == 1, (name, answer)
                assert b"connection: close" in answer, name
                assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "malformed", name
                ids.append(answer.partition(b"x-request-id: ")[2].partition(b"\r\n")[0].decode())
            assert (await asked(gateway, PREDICT, body_of()))[0] == 200
        refused = [act for act in gateway.acts() if act.why == "malformed"]
        assert len(refused) == len(AMBIGUOUS)
        assert {act.addr for act in refused} == {"127.0.0.1"}
        assert sorted(act.id for act in refused) == sorted(ids), "an answer and its record have one identifier"

    uvloop.run(main())


def test_what_is_sent_by_one_byte_at_a_time_is_understood_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            client = await connected(gateway)
            for byte in request(PREDICT, body_of()):
                await client.send(bytes([byte]))
            assert (await client.answer())[0] == 200
            await client.close()

    uvloop.run(main())


def test_trailers_cannot_pass_for_headers(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            client = await connected(gateway)
            body = body_of()
            head = b"POST /v1/models/cancer/predict HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            trailer = b"0\r\nauthorization: Bearer alice-token\r\n\r\n"
            await client.send(head + b"%x\r\n%s\r\n" % (len(body), body) + trailer)
            assert (await client.answer())[0] == 401
            await client.close()

    uvloop.run(main())


def test_pipelined_requests_are_answered_in_order_and_a_broken_one_after_those_before_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            client = await connected(gateway)
            good = b"".join(request(PREDICT, body_of(start=n)) for n in range(10))
            await client.send(good + request("/v2", method="GET") + AMBIGUOUS["two lengths"] + good)
            got = [await client.answer() for _ in range(12)]
            assert [status for status, _, _ in got] == [200] * 11 + [400]
            scores = [json.loads(body)["scores"][0] for _, _, body in got[:10]]
            wanted = gateway.parts.models.all()[0][0].answer(rows()[0][:10]).scores
            assert np.allclose(scores, wanted)
            assert await client.rest() == b""
            await client.close()

    uvloop.run(main())


def test_heads_and_bodies_have_a_size(tmp_path: Path) -> None:
    limits = Limits(header_bytes=2000, body_bytes=5000)

    async def tried(gateway: Running, data: bytes) -> int:
        client = await connected(gateway)
        await client.send(data)
        status = (await client.answer())[0]
        assert await client.rest() == b""
        await client.close()
        return status

    async def main() -> None:
        async with running(tmp_path, settings_of(tmp_path, limits=limits)) as gateway:
            chunks = b"transfer-encoding: chunked\r\n\r\n" + b"3e8\r\n" + b" " * 1000 + b"\r\n"
            assert await tried(gateway, HEAD + b"x-a: " + b"a" * 3000) == 413
            assert await tried(gateway, HEAD + b"x-a: " + b"a" * 9000 + b"\r\n\r\n") == 413
            assert await tried(gateway, HEAD + b"a: b\r\n" * 300 + b"\r\n") == 413
            assert await tried(gateway, b"GET /" + b"a" * 9000) == 413
            assert await tried(gateway, HEAD + b"content-length: 5001\r\nexpect: 100-continue\r\n\r\n") == 413
            assert await tried(gateway, HEAD + chunks + (b"3e8\r\n" + b" " * 1000 + b"\r\n") * 5) == 413
            trailer = b"0\r\n" + b"x-a: b\r\n" * 400 + b"\r\n"
            assert await tried(gateway, HEAD + chunks + trailer) == 413
        assert [act.why for act in gateway.acts()] == ["size"] * 7

    uvloop.run(main())


def test_a_slow_head_a_slow_body_and_idleness_end_in_time(tmp_path: Path) -> None:
    limits = Limits(header_s=0.2, body_s=0.3, idle_s=0.4)

    async def tried(gateway: Running, data: bytes) -> bytes:
        client = await connected(gateway)
        if data:
            await client.send(data)
        answer = await client.rest()
        await client.close()
        return answer

    async def dripping(gateway: Running) -> bytes:
        client = await connected(gateway)
        reading = asyncio.ensure_future(client.rest())
        while not reading.done():
            client.writer.write(b"x")
            await asyncio.wait({reading}, timeout=0.05)
        await client.close()
        return reading.result()

    async def main() -> None:
        async with running(tmp_path, settings_of(tmp_path, limits=limits)) as gateway:
            head, body, idle, drip = await asyncio.gather(
                tried(gateway, HEAD),
                tried(gateway, HEAD + b"content-length: 10\r\n\r\nabc"),
                tried(gateway, b""),
                dripping(gateway),
            )
            assert head.startswith(b"HTTP/1.1 408 ")
            assert body.startswith(b"HTTP/1.1 408 ")
            assert drip.startswith(b"HTTP/1.1 4")
            assert idle == b""
            assert (await asked(gateway, PREDICT, body_of()))[0] == 200

    uvloop.run(asyncio.wait_for(main(), 20))


def test_connections_are_counted_in_all_and_by_address(tmp_path: Path) -> None:
    limits = Limits(connections=20, connections_per_address=5)

    async def main() -> None:
        async with running(tmp_path, settings_of(tmp_path, limits=limits)) as gateway:
            first = [await connected(gateway) for _ in range(5)]
            for client in first:
                await client.send(request("/v2", method="GET"))
                assert (await client.answer())[0] == 200
            turned_away = await connected(gateway)
            status, headers, _ = await turned_away.answer()
            assert status == 503
            assert headers["retry-after"] == "1"
            await turned_away.close()
            others = [await connected(gateway, local_addr=("127.0.0.2", 0)) for _ in range(5)]
            await others[4].send(request("/v2", method="GET"))
            assert (await others[4].answer())[0] == 200
            for client in (*first, *others):
                await client.close()
            while gateway.server.doors.connections:
                await asyncio.sleep(0.01)
            assert not gateway.server.doors.addresses
            assert (await asked(gateway, "/v2", method="GET"))[0] == 200

    uvloop.run(main())


def test_a_denial_before_the_body_has_come_keeps_the_connection_in_step(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            client = await connected(gateway)
            body = body_of(100)
            first = request(PREDICT, body, token="Bearer wrong")
            await client.send(first[:2000])
            assert (await client.answer())[0] == 401
            await client.send(first[2000:] + request(PREDICT, body_of()))
            assert (await client.answer())[0] == 200
            await client.close()
            # a client that waits for leave to send its body may send another request instead: nobody can tell
            client = await connected(gateway)
            await client.send(request(PREDICT, token="Bearer wrong", expect="100-continue", content_length="50"))
            assert (await client.answer())[0] == 401
            assert await client.rest() == b""
            await client.close()

    uvloop.run(main())


def test_a_client_that_does_not_read_is_let_go(tmp_path: Path) -> None:
    limits = Limits(body_s=0.3, idle_s=0.3, header_s=0.3)

    async def main() -> None:
        async with running(tmp_path, settings_of(tmp_path, limits=limits)) as gateway:
            gateway.server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            small = socket.create_connection(("127.0.0.1", gateway.port))
            small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client = await connected(gateway, limit=1024, sock=small)
            client.writer.transport.pause_reading()
            await client.send(request(PREDICT, content_type="application/x-ndjson", content_length="900000000"))
            line = json.dumps(rows()[0][:64].tolist()).encode() + b"\n"
            try:
                for _ in range(20000):
                    client.writer.write(line)
                    await asyncio.wait_for(client.writer.drain(), 5)
            except (ConnectionError, TimeoutError):
                pass
            while gateway.server.doors.connections:
                await asyncio.sleep(0.02)
            client.writer.transport.abort()

    uvloop.run(asyncio.wait_for(main(), 30))
