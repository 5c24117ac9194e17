"""HTTP at the door of the whole gateway: smuggled requests, slow clients, bombs, and what the others notice of it.

What can be read in two ways ends the connection, and the request that was hidden in it is neither answered nor in the
audit log. `tests/service/test_gateway_http.py` has the same for the data path alone.
"""

from __future__ import annotations

import asyncio
import json
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from tests.fortress import INFER, MINE, PREDICT, Fortress, Line, address, fortress, request, tensor
from tests.plane import Client
from tests.served import rows
from tests.service.test_gateway_http import AMBIGUOUS

from redan.service.gateway.protocol import MOST_LINGERING

_marks = count(1)
HEAD = b"POST /v1/models/cancer/predict HTTP/1.1\r\nhost: a\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
HIDDEN = {
    "chunked by another case": (HEAD + b"Transfer-Encoding: cHuNkEd\r\ncontent-length: 3\r\n\r\n0\r\n\r\n", 400),
    "chunked behind a tab": (HEAD + b"transfer-encoding:\tchunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n", 400),
    "a blank before the name": (HEAD + b" transfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a name with a null": (HEAD + b"transfer-encoding\0: chunked\r\n\r\n0\r\n\r\n", 400),
    "a name with quotes": (HEAD + b'"transfer-encoding": chunked\r\n\r\n0\r\n\r\n', 400),
    "a comma behind chunked": (HEAD + b"transfer-encoding: chunked,\r\n\r\n0\r\n\r\n", 400),
    "chunked with a parameter": (HEAD + b"transfer-encoding: chunked;a=b\r\n\r\n0\r\n\r\n", 400),
    "chunked in quotes": (HEAD + b'transfer-encoding: "chunked"\r\n\r\n0\r\n\r\n', 400),
    "chunked twice": (HEAD + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked in two headers": (
        HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "identity first": (HEAD + b"transfer-encoding: identity\r\ncontent-length: 0\r\n\r\n", 400),
    "an empty encoding": (HEAD + b"transfer-encoding:\r\ncontent-length: 0\r\n\r\n", 400),
    "a length with a tail": (HEAD + b"content-length: 0abc\r\n\r\n", 400),
    "a length in the middle": (HEAD + b"content-length: 0 44\r\n\r\n", 400),
    "an octal length": (HEAD + b"content-length: 0o4\r\n\r\nabcd", 400),
    "a negative length": (HEAD + b"content-length: -1\r\n\r\n", 400),
    "a wide digit": (HEAD + b"content-length: \xef\xbc\x94\r\n\r\nabcd", 400),
    "a length by 2**64": (HEAD + b"content-length: 18446744073709551616\r\n\r\n", 400),
    "a negative chunk": (CHUNKED + b"-1\r\n\r\n0\r\n\r\n", 400),
    "an empty chunk size": (CHUNKED + b"\r\n0\r\n\r\n", 400),
    "a chunk size by 2**64": (CHUNKED + b"10000000000000000\r\na\r\n0\r\n\r\n", 400),
    "a blank before the size": (CHUNKED + b" 1\r\na\r\n0\r\n\r\n", 400),
    "a chunk longer than its size": (CHUNKED + b"1\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk without its end": (CHUNKED + b"1\r\na0\r\n\r\n", 400),
    "an extension with a carriage return": (CHUNKED + b"1;a\rb\r\na\r\n0\r\n\r\n", 400),
    "a trailer that is folded": (CHUNKED + b"0\r\na: b\r\n c\r\n\r\n", 400),
    "a trailer without a colon": (CHUNKED + b"0\r\nabc\r\n\r\n", 400),
    "a length in a trailer": (CHUNKED + b"0\r\ncontent-length: 5\r\n\r\n", 400),
    "an encoding in a trailer": (CHUNKED + b"0\r\ntransfer-encoding: chunked\r\n\r\n", 400),
    "no name": (HEAD + b": a\r\n\r\n", 400),
    "no colon": (HEAD + b"abc\r\n\r\n", 400),
    "a version to come": (b"GET /v2 HTTP/1.2\r\nhost: a\r\n\r\n", 400),
    "a version of nothing": (b"GET /v2 HTTP/9.9\r\nhost: a\r\n\r\n", 400),
    "a blank in the path": (b"GET /v2 /x HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    "a tab in the line": (b"GET\t/v2\tHTTP/1.1\r\nhost: a\r\n\r\n", 400),
    "small letters": (b"get /v2 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    "a whole address of ours": (b"GET http://127.0.0.1/v2 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 400),
    "a star": (b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    "a host in the path": (b"GET a/v2 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    "a response": (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, 400),
    "Redis": (b"*1\r\n$4\r\nPING\r\n", 400),
    "SMTP": (b"EHLO a\r\n", 400),
}


def marked() -> str:
    """Return a path that nobody asked yet."""
    return f"/hidden-{next(_marks)}"


async def tried(gateway: Fortress, message: bytes, addr: str) -> tuple[bytes, str]:
    """Send something with a request hidden behind it; return all that is answered, and the hidden path."""
    mark, client = marked(), await gateway.connect(addr)
    await client.send(message + b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n" % mark.encode())
    answer = await client.rest()
    await client.close()
    return answer, mark


@pytest.mark.parametrize("kind", ["ours", "the data path's"])
def test_no_request_can_be_hidden_in_another(gateway: Fortress, kind: str) -> None:
    messages = HIDDEN if kind == "ours" else {name: (message, 400) for name, message in AMBIGUOUS.items()}
    addr, began = address(), gateway.recorded()

    async def main() -> list[str]:
        marks = []
        for name, (message, status) in messages.items():
            answer, mark = await tried(gateway, message, addr)
            marks.append(mark)
            assert answer.startswith(b"HTTP/1.1 %d " % status), (name, answer[:300])
            assert answer.count(b"HTTP/1.1") == 1, (name, answer)
            assert b"connection: close" in answer, name
            gateway.judge(status, {}, answer, name)
        return marks

    marks = asyncio.run(main())
    acts = [act for act in gateway.acts(began) if act.addr == addr]
    # a head that was fine was judged by itself before its body turned out to be broken
    assert [act.why for act in acts if act.why != "unauthenticated"] == ["malformed"] * len(messages)
    assert not [act for act in acts if act.more and any(mark in str(act.more) for mark in marks)]
    asyncio.run(gateway.serves())


def test_what_is_allowed_is_read_in_one_way(gateway: Fortress) -> None:
    """Extensions and trailers of chunks, noughts before a length, blank lines before a request: one request each."""
    body = json.dumps({"x": rows()[0][:1].tolist()}).encode()
    head = HEAD + b"authorization: %s\r\n" % gateway.tokens["client"].encode()
    size, addr = b"%x" % len(body), address()
    fine = {
        "extension": head + b"transfer-encoding: chunked\r\n\r\n" + size + b";a=b\r\n" + body + b"\r\n0\r\n\r\n",
        "trailer": head + b"transfer-encoding: chunked\r\n\r\n" + size + b"\r\n" + body
        + b"\r\n0\r\nauthorization: b\r\nhost: b\r\n\r\n",
        "noughts": head + b"content-length: 000%d\r\n\r\n" % len(body) + body,
        "blank lines": b"\r\n\r\n" + head + b"content-length: %d\r\n\r\n" % len(body) + body,
    }  # fmt: skip

    async def main() -> None:
        for name, message in fine.items():
            client = await gateway.connect(addr)
            await client.send(message + request("/v2", method="GET", token=""))
            first, second = await client.answer(), await client.answer()
            assert (first[0], second[0]) == (200, 200), (name, first, second)
            assert b'"labels"' in first[2]
            assert b'"redan"' in second[2]
            await client.close()

    asyncio.run(main())


def test_pipelined_requests_of_every_kind_are_answered_in_order(gateway: Fortress) -> None:
    """Predictions, routes of the table, refusals: whichever is ready first, each answer stands in its place."""
    token = gateway.tokens["client"]
    good = [json.dumps({"x": rows()[0][n : n + 1].tolist()}).encode() for n in range(12)]

    async def main() -> None:
        client = await gateway.connect(address())
        await client.send(
            b"".join(
                request(PREDICT, body, token=token)
                + request("/v1/models", method="GET", token=token)
                + request("/nowhere", method="GET", token="")
                for body in good
            )
        )
        answers = [await client.answer() for _ in range(36)]
        assert [status for status, _, _ in answers] == [200, 403, 404] * 12
        labels = [json.loads(body)["labels"][0] for _, _, body in answers[::3]]
        assert labels == [0] * 12
        assert len({json.loads(body)["id"] for _, _, body in answers[::3]}) == 12
        await client.close()

    asyncio.run(main())


BODIES = {
    "deep arrays": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "deep in a field that nobody reads": b'{"inputs":[],"parameters":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    "deep in data": b'{"inputs":[{"name":"x","shape":[1,30],"datatype":"FP64","data":' + b"[" * 100_000,
    "a number of a million digits": b'{"x":[[' + b"9" * 1_000_000 + b"]]}",
    "a fraction of a million digits": b'{"x":[[0.' + b"1" * 1_000_000 + b"]]}",
    "a huge exponent": b'{"x":[[1e' + b"9" * 1000 + b"]]}",
    "a string of a million characters": b'{"x":"' + b"a" * 1_000_000 + b'"}',
    "escapes": b'{"' + b"\\u0000" * 100_000 + b'":1}',
    "a hundred thousand fields": b"{" + b",".join(b'"a%d":1' % n for n in range(100_000)) + b"}",
    "the same field a hundred thousand times": b"{" + b",".join([b'"x":[[1]]'] * 100_000) + b"}",
    "NaN": b'{"x":[[' + b",".join([b"NaN"] * 30) + b"]]}",
    "Infinity": b'{"x":[[' + b",".join([b"Infinity"] * 30) + b"]]}",
    "no UTF-8": b'{"x":"\xff\xfe\xed\xa0\x80"}',
    "UTF-16": '{"x": [[1]]}'.encode("utf-16"),
    "a mark in front": b"\xef\xbb\xbf{}",
    "nulls": b"\x00" * 1000,
    "nothing": b"",
    "a million zeros": b'{"x":[[' + b",".join([b"0"] * 1_000_000) + b"]]}",
    "a hundred thousand rows": b'{"x":[' + b",".join([b"[0]"] * 100_000) + b"]}",
    "a hundred thousand tensors": b'{"inputs":['
    + b",".join([b'{"name":"x","shape":[1],"datatype":"FP64","data":[1]}'] * 100_000)
    + b"]}",
}


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_costs_little_and_is_refused(gateway: Fortress, name: str) -> None:
    line = Line(gateway, address())
    paths = [(PREDICT, "client"), (INFER, "client"), ("/v1/tokens", "client"), ("/v1/login", ""),
             (f"/v1/models/{MINE}/explain", "client"), ("/v1/identity/users", "almighty")]  # fmt: skip
    for path, who in paths:
        token = f"Bearer {gateway.token(f'client:{who}', mfa=int(time.time()))}" if who else ""
        before_s = gateway.cpu_s()
        status, headers, body = line.ask(request(path, BODIES[name], token=token))
        gateway.judge(status, headers, body, (name, path))
        assert status in {400, 401, 403, 404, 409, 413, 415, 422, 429}, (name, path, status, body[:300])
        spent_s = gateway.cpu_s() - before_s
        assert spent_s < 1.0, (name, path, spent_s)
        assert len(body) < 2000
    line.close()


def test_bodies_that_are_packed_or_that_never_end_are_refused_early(gateway: Fortress) -> None:
    token = gateway.tokens["client"]

    async def endless(client: Client, piece: bytes) -> bytes:
        """Write without end until the gateway has enough; return what it said."""
        reading = asyncio.ensure_future(client.reader.read())
        sent = 0
        with suppress(ConnectionError):
            while not reading.done() and sent < 64 << 20:
                client.writer.write(piece)
                sent += len(piece)
                await client.writer.drain()
                await asyncio.sleep(0)
        assert sent < 64 << 20
        with suppress(ConnectionError):
            return await asyncio.wait_for(reading, 20)
        return b""

    async def main() -> None:
        addr = address()
        for encoding in ("gzip", "br", "deflate", "zstd", "gzip, gzip", "compress"):
            sent = request(PREDICT, b"\x1f\x8b" + b"\x00" * 50, token=token, content_encoding=encoding)
            status, headers, body = await gateway.ask(sent, addr)
            gateway.judge(status, headers, body)
            assert status == 415
        before_bytes = gateway.rss_bytes()
        asked = [(path, "application/json", b" ") for path in (PREDICT, INFER, "/v1/tokens")]
        asked += [("/login", "application/x-www-form-urlencoded", b"a"), (PREDICT, "application/x-ndjson", b"1")]
        for path, kind, filling in asked:
            client = await gateway.connect(addr)
            head = request(path, token=token, content_type=kind)
            await client.send(head.replace(b"content-length: 0", b"transfer-encoding: chunked"))
            said = await endless(client, b"10000\r\n" + filling * 65536 + b"\r\n")
            assert said.startswith(b"HTTP/1.1 4"), said[:200]
            client.writer.transport.abort()
        assert gateway.rss_bytes() - before_bytes < 128 << 20
        await gateway.serves()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_bodies_of_many_clients_together_stay_within_their_limit_and_leave_it(tmp_path: Path) -> None:
    """Each may send a megabyte; all of them may hold sixteen."""
    limits = "body_bytes = 1000000\nheld_bytes = 16000000\nbody_s = 60"

    async def main(gateway: Fortress) -> None:
        token, addr = gateway.tokens["client"], address()
        before_bytes = gateway.rss_bytes()
        clients = [await gateway.connect(addr) for _ in range(64)]
        for number, client in enumerate(clients):
            kind = "application/x-ndjson" if number % 2 else "application/json"
            with suppress(ConnectionError):
                await client.send(
                    request(PREDICT, b"1" * 900_000, token=token, content_type=kind, content_length="900001")
                )
        tasks = [asyncio.create_task(client.answer()) for client in clients]
        ends_s = time.monotonic() + 20
        while sum(task.done() for task in tasks) < 64 - 18 and time.monotonic() < ends_s:
            await asyncio.wait(tasks, timeout=0.2)
        refused, held = await asyncio.wait(tasks, timeout=0.5)
        for task in refused:
            # who is turned away while still sending may be reset before it reads the words
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                status, headers, _ = task.result()
                assert (status, headers["retry-after"]) == (503, "1")
        waiting = len(held)
        for task, client in zip(tasks, clients, strict=True):
            task.cancel()
            client.writer.transport.abort()
        await asyncio.wait(tasks)
        assert 8 <= waiting <= 18
        assert gateway.rss_bytes() - before_bytes < 80 << 20
        for _ in range(40):
            # each body is counted out when it is answered, or its client has gone
            sent = request(PREDICT, b" " * 990_000, token=token)
            assert (await gateway.ask(sent, addr))[0] == 400
        await gateway.serves()

    with fortress(tmp_path, limits=limits) as small:
        asyncio.run(main(small))
        assert [act.why for act in small.acts()].count("overload") >= 64 - 18


def test_tiny_chunks_cost_no_more_than_their_bytes(gateway: Fortress) -> None:
    """One byte a chunk, six on the wire: nobody known can burn more than some microseconds a byte."""
    n = 60_000

    async def main() -> None:
        client = await gateway.connect(address())
        before_s = gateway.cpu_s()
        await client.send(CHUNKED + b"1\r\na\r\n" * n + b"0\r\n\r\n")
        assert (await client.answer())[0] in {400, 401, 413}
        await client.close()
        await gateway.serves()
        spent_us = 1e6 * (gateway.cpu_s() - before_s) / n
        assert spent_us < 10, spent_us

    asyncio.run(main())


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fortress]:
    """A gateway with short patience and room for many."""
    limits = "header_s = 0.5\nbody_s = 0.5\nidle_s = 60\nconnections = 12000\nconnections_per_address = 12000"
    with fortress(tmp_path_factory.mktemp("impatient"), limits=limits) as running:
        yield running


async def asked_meanwhile(gateway: Fortress, stop: asyncio.Event) -> list[float]:
    """Ask for predictions until told to stop; return how long each took, in seconds."""
    client, took_s = await gateway.connect(address()), []
    body = json.dumps(tensor()).encode()
    while not stop.is_set():
        began_s = time.perf_counter()
        await client.send(request(INFER, body, token=gateway.tokens["client"]))
        assert (await client.answer())[0] == 200
        took_s.append(time.perf_counter() - began_s)
        await asyncio.sleep(0.01)
    await client.close()
    return took_s


def test_slow_clients_are_let_go_and_the_others_are_served(impatient: Fortress) -> None:
    """Two hundred each drip a head, drip a body, or do not read what they asked for."""
    token, n = impatient.tokens["client"], 200

    async def drip(data: bytes, addr: str) -> bytes:
        client = await impatient.connect(addr)
        await client.send(data)
        reading = asyncio.ensure_future(client.reader.read())
        while not reading.done():
            with suppress(ConnectionError):
                client.writer.write(b"x")
            await asyncio.wait({reading}, timeout=0.1)
        client.writer.transport.abort()
        with suppress(ConnectionError):
            return reading.result()
        return b""

    async def main() -> None:
        stop, addr = asyncio.Event(), address()
        meanwhile = asyncio.ensure_future(asked_meanwhile(impatient, stop))
        before_bytes, began_s = impatient.rss_bytes(), time.monotonic()
        heads = [drip(HEAD + b"x-a: ", addr) for _ in range(n)]
        body = request(PREDICT, token=token, content_length="5000")
        answers = await asyncio.wait_for(asyncio.gather(*heads, *(drip(body, addr) for _ in range(n))), 30)
        held_s = time.monotonic() - began_s
        stop.set()
        took_s = sorted(await meanwhile)
        # more than may linger were let go at once; who of them went on writing was reset and may have lost the words
        assert {answer[:13] for answer in answers} <= {b"HTTP/1.1 408 ", b""}
        assert sum(answer != b"" for answer in answers) >= MOST_LINGERING
        assert held_s < 15
        assert len(took_s) >= 5
        assert took_s[len(took_s) // 2] < 1.0, took_s
        assert impatient.rss_bytes() - before_bytes < 64 << 20
        await impatient.serves()

    asyncio.run(main())


def idle(gateway: Fortress, n: int) -> tuple[float, float]:
    """Hold n idle connections; return bytes of memory for each, and the median of predictions meanwhile in seconds."""

    async def main() -> tuple[float, float]:
        before_bytes = gateway.rss_bytes()
        clients: list[Client] = []
        for start in range(0, n, 100):
            addr = address()
            clients += await asyncio.gather(*(gateway.connect(addr) for _ in range(start, min(n, start + 100))))
        stop = asyncio.Event()
        meanwhile = asyncio.ensure_future(asked_meanwhile(gateway, stop))
        # a few of them ask now and then, from first to last
        for client in clients[:: max(1, n // 50)]:
            await client.send(request("/health/live", method="GET", token=""))
            assert (await client.answer())[0] == 200
        stop.set()
        took_s = sorted(await meanwhile)
        each_bytes = (gateway.rss_bytes() - before_bytes) / n
        for client in clients:
            client.writer.transport.abort()
        await gateway.serves()
        return each_bytes, took_s[len(took_s) // 2]

    return asyncio.run(main())


def test_a_thousand_idle_connections_cost_little_and_hinder_nobody(impatient: Fortress) -> None:
    each_bytes, median_s = idle(impatient, 1000)
    assert each_bytes < 32_768, each_bytes
    assert median_s < 1.0


@pytest.mark.slow
def test_ten_thousand_idle_connections_do_so_too(impatient: Fortress) -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 10_500:
        pytest.skip(f"a process may open {soft} files here; ulimit -n 12000")
    each_bytes, median_s = idle(impatient, 10_000)
    print(f"{each_bytes:.0f} bytes for each idle connection, predictions meanwhile in {1000 * median_s:.1f} ms")
    assert each_bytes < 32_768, each_bytes
    assert median_s < 1.0


def test_a_stream_without_end_is_answered_in_bounded_memory(impatient: Fortress) -> None:
    """Fifty thousand rows in lines, without a length and without an end, read as they are answered."""

    async def main() -> None:
        client = await impatient.connect(address())
        head = request(PREDICT, token=impatient.tokens["client"], content_type="application/x-ndjson")
        await client.send(head.replace(b"content-length: 0", b"transfer-encoding: chunked"))
        lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows()[0][:500].tolist())
        chunk = b"%x\r\n%s\r\n" % (len(lines), lines)
        before_bytes, got = impatient.rss_bytes(), 0

        async def read() -> None:
            nonlocal got
            while got < 10_000:
                got += (await client.reader.read(1 << 16)).count(b'"label"')

        reading = asyncio.ensure_future(read())
        while not reading.done():
            client.writer.write(chunk)
            await client.writer.drain()
            await asyncio.sleep(0)
        await reading
        client.writer.transport.abort()
        assert impatient.rss_bytes() - before_bytes < 64 << 20
        await impatient.serves()

    asyncio.run(asyncio.wait_for(main(), 60))
