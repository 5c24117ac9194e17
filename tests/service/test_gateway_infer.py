"""Requests for predictions against a gateway of real parts: who may ask, what is answered, what is recorded."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import struct
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import uvloop
from tests.plane import TOKEN, Shelf, asked, connected, model, principal, request, running, settings_of
from tests.served import rows

from redan.core.errors import EvidenceError, SubjectFailed
from redan.core.settings_service import Batching, Guards, Limits
from redan.service.gateway.call import Batch
from redan.service.models.served import Answers

PREDICT, INFER = "/v1/models/cancer/predict", "/v2/models/cancer/infer"


def native(n: int = 1, start: int = 0) -> bytes:
    return json.dumps({"x": rows()[0][start : start + n].tolist()}).encode()


def v2(x: Any, datatype: str = "FP64", **more: Any) -> bytes:
    tensor = {
        "name": "input-0",
        "shape": list(np.shape(x)),
        "datatype": datatype,
        "data": np.asarray(x).ravel().tolist(),
    }
    return json.dumps({"inputs": [tensor], **more}).encode()


def test_native_answers_are_those_of_the_model_and_both_digests_are_in_the_log(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            status, headers, body = await asked(gateway, PREDICT, native(5))
            assert status == 200
        answer = json.loads(body)
        wanted = model().answer(rows()[0][:5])
        assert answer["labels"] == wanted.labels.tolist()
        assert np.allclose(answer["scores"], wanted.scores)
        assert (answer["model"], answer["digest"]) == ("cancer@1", model().digest)
        (act,) = gateway.acts()
        assert (act.who, act.cred, act.act, act.ok, act.status, act.rows) == (
            "client:alice", "key-alice", "predict", True, 200, 5
        )  # fmt: skip
        assert (act.model, act.digest, act.by, act.id) == ("cancer@1", model().digest, "r1", headers["x-request-id"])
        assert act.x == sha256(native(5)).hexdigest()
        assert act.y == sha256(body).hexdigest()
        assert act.us > 0

    uvloop.run(main())


def test_rows_may_name_their_columns_and_a_missing_one_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            columns = model().columns
            row = dict(zip(columns, rows()[0][0].tolist(), strict=True))
            shuffled = dict(reversed(row.items()))
            status, _, body = await asked(gateway, PREDICT, json.dumps({"rows": [row, shuffled]}).encode())
            assert status == 200
            first, second = json.loads(body)["scores"]
            assert first == second
            del row[columns[3]]
            status, _, body = await asked(gateway, PREDICT, json.dumps({"rows": [row]}).encode())
            assert (status, json.loads(body)["error"]) == (422, "invalid")

    uvloop.run(main())


def test_open_inference_json_takes_flat_and_nested_data_echoes_the_id_and_shows_what_is_asked(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            x = rows()[0][:3]
            wanted = model().answer(x)
            nested = {"name": "x", "shape": [3, 30], "datatype": "FP64", "data": x.tolist()}
            bodies = [v2(x, id="mine"), json.dumps({"inputs": [nested], "id": "mine", "unknown": {"a": [1]}}).encode()]
            for body in bodies:
                status, _, answer = await asked(gateway, INFER, body)
                document = json.loads(answer)
                assert status == 200, answer
                assert (document["model_name"], document["model_version"], document["id"]) == ("cancer", "1", "mine")
                labels, scores = document["outputs"]
                assert (labels["name"], labels["shape"], labels["datatype"]) == ("labels", [3], "INT64")
                assert labels["data"] == wanted.labels.tolist()
                assert (scores["name"], scores["shape"], scores["datatype"]) == ("scores", [3, 2], "FP64")
                assert np.allclose(np.reshape(scores["data"], (3, 2)), wanted.scores)
            body = v2(x, outputs=[{"name": "scores"}])
            document = json.loads((await asked(gateway, "/v2/models/cancer/versions/1/infer", body))[2])
            assert [output["name"] for output in document["outputs"]] == ["scores"]
            assert document["id"]
            columns = [
                {"name": name, "shape": [3, 1], "datatype": "FP64", "data": x[:, n].tolist()}
                for n, name in enumerate(model().columns)
            ]
            document = json.loads((await asked(gateway, INFER, json.dumps({"inputs": columns[::-1]}).encode()))[2])
            assert np.allclose(np.reshape(document["outputs"][1]["data"], (3, 2)), wanted.scores)

    uvloop.run(main())


def test_binary_tensors_go_both_ways(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            x = rows()[0][:4]
            wanted = model().answer(x)
            data = x.astype("<f8").tobytes()
            tensor = {
                "name": "x", "shape": [4, 30], "datatype": "FP64", "parameters": {"binary_data_size": len(data)}
            }  # fmt: skip
            head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
            how = {"inference_header_content_length": str(len(head)), "content_type": "application/octet-stream"}
            status, headers, answer = await asked(gateway, INFER, head + data, **how)
            assert status == 200, answer
            length = int(headers["inference-header-content-length"])
            document = json.loads(answer[:length])
            labels, _ = document["outputs"]
            size = labels["parameters"]["binary_data_size"]
            assert np.frombuffer(answer[length : length + size], "<i8").tolist() == wanted.labels.tolist()
            assert np.allclose(np.frombuffer(answer[length + size :], "<f8").reshape(4, 2), wanted.scores)
            for wrong in (head + data[:-1], head + data + b"x", head):
                assert (await asked(gateway, INFER, wrong, **how))[0] in (400, 422)
            for wrong in ("0", "-1", "999999", "1e3", "9" * 40):
                how["inference_header_content_length"] = wrong
                assert (await asked(gateway, INFER, head + data, **how))[0] == 400

    uvloop.run(main())


def test_metadata_readiness_and_health(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            answers = {}
            for path in ("", "/health/live", "/health/ready", "/models/cancer", "/models/cancer/ready"):
                status, _, body = await asked(gateway, f"/v2{path}", method="GET")
                assert status == 200, path
                answers[path] = json.loads(body)
            assert answers[""]["extensions"] == ["binary_tensor_data"]
            assert answers["/models/cancer"]["inputs"] == [{"name": "input-0", "datatype": "FP64", "shape": [-1, 30]}]
            assert answers["/models/cancer"]["versions"] == ["1"]
            assert (await asked(gateway, "/v2/models/cancer", method="GET", token=""))[0] == 401
            gateway.plane.draining = True
            assert (await asked(gateway, "/v2/health/ready", method="GET"))[0] == 503
            gateway.plane.draining = False

    uvloop.run(main())


def test_who_may_not_ask_learns_nothing_about_models_and_every_denial_is_recorded(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:

            async def tell(path: str, **how: Any) -> tuple[int, str]:
                status, _, body = await asked(gateway, path, native(), **how)
                return status, json.loads(body)["error"]

            other = PREDICT.replace("cancer", "secret")
            assert await tell(PREDICT, token="") == (401, "unauthenticated")
            assert await tell(PREDICT, token="Bearer nobody") == await tell(other, token="Bearer nobody")
            assert await tell(PREDICT, token="Bearer bob-token") == (403, "forbidden")
            assert await tell(other, token="Bearer bob-token") == (403, "forbidden")
            assert await tell(other) == (403, "forbidden")
            assert await tell(PREDICT.replace("cancer", "absent")) == (404, "not-found")
            assert await tell("/v1/models/cancer/versions/9/predict") == (404, "not-found")
            assert await tell(PREDICT, method="GET") == (405, "method")
            assert await tell("/nothing") == (404, "not-found")
            two = request(PREDICT, native()).replace(b"authorization", b"authorization: Bearer x\r\nauthorization")
            client = await connected(gateway)
            await client.send(two)
            assert (await client.answer())[0] == 401
        acts = gateway.acts()
        assert len(acts) == 11
        assert not any(act.ok for act in acts)
        assert {act.why for act in acts} == {"unauthenticated", "forbidden", "not-found", "method"}
        assert [act.who for act in acts].count("client:bob") == 2
        assert len(gateway.parts.watching.denials) == 11

    uvloop.run(main())


@pytest.mark.parametrize(
    "path",
    [
        "//v1/models/cancer/predict",
        "/v1//models/cancer/predict",
        "/v1/models/cancer/predict/",
        "/v1/models/cancer;a=b/predict",
        "/v1/models/cancer/predict;x",
        "/v1/models/secret/../cancer/predict",
        "/v1/models/./cancer/predict",
        "/v1/models/secret/%2e%2e/cancer/predict",
        "/v1/models/secret%2f..%2fcancer/predict",
        "/v1/models/%63ancer/predict",
        "/v1/models/cancer%00/predict",
        "/v1/models/cancer%0d%0a/predict",
        "/v1/models\\cancer\\predict",
        "/V1/models/cancer/predict",
        "/v1/models/cancer/%70redict",
        "/v1/models/" + "a" * 200 + "/predict",
    ],
)
def test_there_is_one_spelling_of_an_address(path: str) -> None:
    from redan.service.gateway.paths import address

    assert address(path.encode()) is None


def test_odd_paths_do_not_reach_the_application_behind(tmp_path: Path) -> None:
    reached: list[str] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def main() -> None:
        async with running(tmp_path, fallback=behind) as gateway:
            for path in (
                "//v1/x",
                "/a/../b",
                "/a/%2e%2e/b",
                "/a%2Fb",
                "/a%5cb",
                "/a;b",
                "/a/.",
                "/a%00",
                "/a%",
                "/a%2",
            ):
                assert (await asked(gateway, path, method="GET"))[0] in (400, 404), path
            assert not reached
            assert (await asked(gateway, "/console/models?x=//..", method="GET"))[2] == b"ok"
            assert (await asked(gateway, "/v1/clients/client%3Abob", method="GET"))[2] == b"ok"

    uvloop.run(main())


def test_bodies_that_are_no_requests_are_refused_quickly_and_cost_the_client_a_request(tmp_path: Path) -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    cases: dict[bytes, int] = {
        b"": 400,
        b"{": 400,
        b"null": 422,
        b"[]": 422,
        b'{"x": 1}': 422,
        b'{"x": []}': 422,
        b'{"x": [[]]}': 422,
        b'{"x": [[1, 2]]}': 422,
        b'{"x": [[1, 2], [1]]}': 422,
        b'{"x": [["a"]]}': 422,
        b'{"x": [[NaN]]}': 400,
        b'{"x": ' + deep + b"}": 400,
        b'{"y": ' + deep + b', "x": [[1]]}': 400,
        b"\xff\xfe": 400,
        json.dumps({"x": np.zeros((200, 30)).tolist()}).encode(): 413,
        json.dumps({"x": [[1e308] * 30]}).encode(): 422,
        json.dumps({"x": [[10**400] * 30]}).encode(): 422,
    }
    odd_v2 = [
        {},
        {"inputs": []},
        {"inputs": [{"name": "x", "shape": [1, 30], "datatype": "FP64"}]},
        {"inputs": [{"name": "x", "shape": [1, 30], "datatype": "FP65", "data": [0] * 30}]},
        {"inputs": [{"name": "x", "shape": [2, 30], "datatype": "FP64", "data": [0] * 30}]},
        {"inputs": [{"name": "x", "shape": [-1, 30], "datatype": "FP64", "data": [0] * 30}]},
        {"inputs": [{"name": "x", "shape": [1] * 40, "datatype": "FP64", "data": [0]}]},
        {"inputs": [{"name": "x", "shape": [1, 30], "datatype": "UINT8", "data": [300] * 30}]},
        {"inputs": [{"name": "x", "shape": [1, 30], "datatype": "BYTES", "data": ["a"] * 30}]},
        {"inputs": [{"name": "x", "shape": [1, 30], "datatype": "FP64", "data": [0] * 30}], "outputs": [{"name": "z"}]},
        {"inputs": [{"name": "x", "shape": [1, 30], "datatype": "FP64", "data": [0] * 30}], "id": "a" * 300},
        {"inputs": [{"name": "x", "shape": [2**40, 2**40], "datatype": "FP64", "data": [0]}]},
    ]

    async def main() -> None:
        settings = settings_of(tmp_path, limits=Limits(rows=100), guards=Guards(rate_per_s=0.001, burst=40))
        async with running(tmp_path, settings) as gateway:
            for body, wanted in cases.items():
                status, _, answer = await asked(gateway, PREDICT, body)
                assert status == wanted, (body[:60], status, answer)
            for document in odd_v2:
                status, _, answer = await asked(gateway, INFER, json.dumps(document).encode())
                assert status in (400, 422), (document, answer)
            assert (await asked(gateway, INFER, b'{"inputs": ' + deep + b"}"))[0] == 400
            assert (await asked(gateway, PREDICT, native(), content_type="text/plain"))[0] == 415
            assert (await asked(gateway, PREDICT, native(), content_encoding="gzip"))[0] == 415
            statuses = [(await asked(gateway, PREDICT, b"{"))[0] for _ in range(20)]
            assert statuses[-1] == 429
        assert all(act.status in (400, 413, 415, 422, 429) for act in gateway.acts())

    uvloop.run(main())


def test_requests_that_arrive_together_are_one_batch_and_a_bad_row_fails_only_its_own_request(tmp_path: Path) -> None:
    sizes: list[int] = []

    def answer(x: Any) -> Answers:
        sizes.append(len(x))
        if (x == -1).all(axis=1).any():
            raise SubjectFailed("this row is too much")
        return model().answer(x)

    served = dataclasses.replace(model(), answer=answer)

    async def main() -> None:
        how = {"shelf": Shelf((served, "live")), "chain": lambda served: ()}
        async with running(tmp_path, settings_of(tmp_path, batching=Batching(wait_ms=50)), **how) as gateway:
            bodies = [native(start=n) for n in range(9)]
            bodies[4] = json.dumps({"x": [[-1.0] * 30]}).encode()
            clients = [await connected(gateway) for _ in bodies]
            for client, body in zip(clients, bodies, strict=True):
                await client.send(request(PREDICT, body))
            answers = [await client.answer() for client in clients]
            assert [status for status, _, _ in answers] == [200] * 4 + [503] + [200] * 4
            assert answers[4][1]["retry-after"] == "5"
            assert b"too much" not in answers[4][2]
            assert sizes[0] == 9
            assert sorted(sizes[1:]) == [1] * 9
            wanted = model().answer(rows()[0][:9]).scores
            for n in (0, 1, 2, 3, 5, 6, 7, 8):
                assert np.allclose(json.loads(answers[n][2])["scores"], wanted[n])
        assert sorted(act.status for act in gateway.acts()) == [200] * 8 + [503]

    uvloop.run(main())


def test_a_guard_refuses_one_request_of_a_batch_and_the_others_do_not_notice(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, settings_of(tmp_path, batching=Batching(wait_ms=50))) as gateway:
            clients = [await connected(gateway) for _ in range(4)]
            bodies = [native(start=n) for n in range(4)]
            bodies[2] = json.dumps({"x": [[1e9] * 30]}).encode()
            for client, body in zip(clients, bodies, strict=True):
                await client.send(request(PREDICT, body))
            answers = [await client.answer() for client in clients]
            assert [status for status, _, _ in answers] == [200, 200, 422, 200]
            assert np.allclose(json.loads(answers[3][2])["scores"], model().answer(rows()[0][3:4]).scores)
            (batch,) = gateway.parts.watching.batches
            assert len(batch.calls) == 3
            assert np.allclose(batch.x, rows()[0][[0, 1, 3]])
            assert gateway.parts.recorder.lanes["cancer", "1"].status == {200: 3, 422: 1}
        acts = {act.status: act for act in gateway.acts()}
        assert set(acts) == {200, 422}
        assert acts[422].more

    uvloop.run(main())


class FullLog:
    """Records until it is told that the disk is full: at once, or in the time of a durable record."""

    def __init__(self, real: Any) -> None:
        self.real, self.full, self.late = real, False, False
        self.error: Exception = EvidenceError("no space left")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def commit(self, acts: Any) -> Any:
        if self.full and not self.late:
            raise self.error
        if self.full:
            return self._fails()
        return self.real.commit(acts)

    async def _fails(self) -> None:
        await asyncio.sleep(0.01)
        raise self.error


@pytest.mark.parametrize("error", [EvidenceError("no space left"), ValueError("a mistake of ours")])
@pytest.mark.parametrize("late", [False, True])
def test_what_cannot_be_recorded_is_not_answered(tmp_path: Path, late: bool, error: Exception) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway, asyncio.timeout(20):
            log = gateway.parts.auditor = FullLog(gateway.parts.auditor)  # type: ignore[assignment]
            log.error = error
            assert (await asked(gateway, PREDICT, native()))[0] == 200
            log.full, log.late = True, late
            for how in ({}, {"token": "Bearer nobody"}):
                status, headers, body = await asked(gateway, PREDICT, native(), **how)
                assert (status, json.loads(body)["error"], headers["retry-after"]) == (503, "audit", "5")
                assert b"scores" not in body
            log.full = False
            assert (await asked(gateway, PREDICT, native()))[0] == 200
            assert gateway.plane.batcher.waiting == 0
        assert len(gateway.acts()) == 2

    uvloop.run(main())


def test_an_answer_leaves_after_its_record_is_durable_and_batches_go_on_meanwhile(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            real = gateway.parts.auditor
            gate, waiting = asyncio.Event(), []

            class Slow:
                def __getattr__(self, name: str) -> Any:
                    return getattr(real, name)

                def commit(self, acts: Any) -> Any:
                    waiting.append(len(acts))

                    async def later() -> None:
                        await gate.wait()
                        await real.commit(acts)

                    return later()

            gateway.parts.auditor = Slow()  # type: ignore[assignment]
            clients = [await connected(gateway) for _ in range(3)]
            for n, client in enumerate(clients):
                await client.send(request(PREDICT, native(start=n)))
                while len(waiting) <= n:
                    await asyncio.sleep(0.001)
            assert gateway.plane.batcher.waiting == 3
            first = asyncio.ensure_future(clients[0].answer())
            done, _ = await asyncio.wait({first}, timeout=0.1)
            assert not done
            gate.set()
            assert (await first)[0] == 200
            gateway.parts.auditor = real

    uvloop.run(main())


def test_what_is_too_much_is_told_to_come_again_and_nothing_waits_without_end(tmp_path: Path) -> None:
    async def main() -> None:
        settings = settings_of(tmp_path, limits=Limits(waiting=8), batching=Batching(wait_ms=100, rows=1000))
        async with running(tmp_path, settings) as gateway:
            clients = [await connected(gateway) for _ in range(20)]
            for client in clients:
                await client.send(request(PREDICT, native()))
            answers = [await client.answer() for client in clients]
            statuses = [status for status, _, _ in answers]
            assert (statuses.count(200), statuses.count(503)) == (8, 12)
            assert {headers.get("retry-after") for status, headers, _ in answers if status == 503} == {"1"}
            assert gateway.plane.batcher.waiting == 0
        assert [act.why for act in gateway.acts()].count("overload") == 12

    uvloop.run(main())


def test_a_client_that_went_away_is_not_computed(tmp_path: Path) -> None:
    sizes: list[int] = []

    def answer(x: Any) -> Answers:
        sizes.append(len(x))
        return model().answer(x)

    shelf = Shelf((dataclasses.replace(model(), answer=answer), "live"))

    async def main() -> None:
        settings = settings_of(tmp_path, batching=Batching(wait_ms=150))
        async with running(tmp_path, settings, shelf=shelf) as gateway:
            gone, stays = await connected(gateway), await connected(gateway)
            await gone.send(request(PREDICT, native(3)))
            await stays.send(request(PREDICT, native()))
            while gateway.plane.batcher.waiting < 2:
                await asyncio.sleep(0.001)
            gone.writer.transport.abort()
            assert (await stays.answer())[0] == 200
            assert sizes == [1]
        assert sorted(act.why for act in gateway.acts()) == ["", "gone"]

    uvloop.run(main())


def stream_of(lines: list[Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def test_a_stream_is_answered_line_by_line_while_it_is_sent(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, settings_of(tmp_path, batching=Batching(rows=10))) as gateway:
            x = rows()[0]
            head = request(PREDICT, content_type="application/x-ndjson", transfer_encoding="chunked")
            client = await connected(gateway)
            await client.send(head.replace(b"content-length: 0\r\n", b""))
            part = stream_of(x[:25].tolist())
            await client.send(b"%x\r\n%s\r\n" % (len(part), part))
            status = await client.reader.readuntil(b"\r\n\r\n")
            assert b"200 OK" in status
            size = int(await client.reader.readline(), 16)
            early = await client.reader.readexactly(size + 2)
            assert early.count(b"label") == 10
            part = stream_of([x[25:60].tolist()])
            await client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(part), part))
            late = await client._chunks()
            lines = [json.loads(line) for line in (early[:-2] + late).splitlines()]
            assert lines[-1] == {"model": "cancer@1", "digest": model().digest, "rows": 60}
            wanted = model().answer(x[:60])
            assert [line["label"] for line in lines[:25]] + lines[25]["labels"] == wanted.labels.tolist()
            assert np.allclose(lines[25]["scores"], wanted.scores[25:])
        acts = gateway.acts()
        assert sum(act.rows for act in acts) == 60
        assert len(acts) >= 3

    uvloop.run(main())


def test_a_stream_pays_for_its_rows_as_it_goes_and_waits_where_a_request_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        guards = Guards(rate_per_s=0.001, burst=9, rows_per_s=200, rows_burst=20)
        async with running(tmp_path, settings_of(tmp_path, guards=guards)) as gateway:
            x, how = rows()[0], {"content_type": "application/x-ndjson"}
            # three pieces of singles, a line as large as may be at once, and one more: 85 rows, 20 of them at once
            sent = stream_of([*x[:45].tolist(), x[:20].tolist(), x[:20].tolist()])
            began_s = time.monotonic()
            status, _, body = await asked(gateway, PREDICT, sent, **how)
            took_s = time.monotonic() - began_s
            assert (status, json.loads(body.splitlines()[-1])["rows"]) == (200, 85)
            assert took_s > 65 / 200 - 0.01
            status, headers, _ = await asked(gateway, PREDICT, native(20))
            assert (status, headers["retry-after"]) == (429, "1")
            status, _, body = await asked(gateway, PREDICT, native(21))
            assert (status, json.loads(body)["error"]) == (413, "size")
            status, _, body = await asked(gateway, PREDICT, stream_of([x[:21].tolist()]), **how)
            assert (status, json.loads(body)["error"]) == (413, "size")
            # five pieces and no refusal cost a request each
            await asyncio.sleep(0.1)
            found = [(await asked(gateway, PREDICT, native(1)))[0] for _ in range(5)]
            assert found == [200, 200, 200, 200, 429]

    uvloop.run(main())


def test_a_stream_that_goes_wrong_says_where_it_ended(tmp_path: Path) -> None:
    async def main() -> None:
        settings = settings_of(tmp_path, batching=Batching(rows=4), limits=Limits(body_bytes=20_000))
        async with running(tmp_path, settings) as gateway:
            how = {"content_type": "application/x-ndjson"}
            good = rows()[0][:8].tolist()
            status, _, body = await asked(gateway, PREDICT, stream_of([*good, [1, 2]]), **how)
            last = json.loads(body.splitlines()[-1])
            assert (status, last["error"], last["rows"]) == (200, "invalid", 8)
            status, _, body = await asked(gateway, PREDICT, stream_of([*good, [1e9] * 30]), **how)
            last = json.loads(body.splitlines()[-1])
            assert (last["rows"], status) == (8, 200)
            assert "error" in last
            assert (await asked(gateway, PREDICT, b"[1\n", **how))[0] == 422
            assert (await asked(gateway, PREDICT, b"\n\n", **how))[0] == 422
            assert (await asked(gateway, PREDICT, b"[" + b" " * 300_000 + b"\n", **how))[0] in (413, 422)
            assert (await asked(gateway, PREDICT, stream_of(good), token="", **how))[0] == 401
            assert (await asked(gateway, PREDICT, native()))[0] == 200

    uvloop.run(main())


@pytest.mark.parametrize("ends", ["unauthenticated", "forbidden", "quarantine", "version", "version: rolled back"])
def test_a_stream_ends_when_its_credential_its_permission_or_its_model_does(tmp_path: Path, ends: str) -> None:
    async def main() -> None:
        shelf = Shelf((model(), "live"))
        async with running(tmp_path, settings_of(tmp_path, batching=Batching(rows=4)), shelf=shelf) as gateway:
            head = request(PREDICT, content_type="application/x-ndjson", transfer_encoding="chunked")
            client = await connected(gateway)
            await client.send(head.replace(b"content-length: 0\r\n", b""))
            part = stream_of(rows()[0][:4].tolist())
            await client.send(b"%x\r\n%s\r\n" % (len(part), part))
            assert b"200 OK" in await client.reader.readuntil(b"\r\n\r\n")
            early = await client.reader.readexactly(int(await client.reader.readline(), 16) + 2)
            assert early.count(b"label") == 4
            known: dict[bytes, Any] = gateway.parts.authority.known  # type: ignore[attr-defined]
            if ends == "unauthenticated":
                known.clear()
            elif ends == "forbidden":
                known[TOKEN.encode()] = principal("alice", {("predict", "another")})
            elif ends == "quarantine":
                shelf.versions[0] = (model(), "quarantined")
            elif ends == "version":
                # newer bytes under the same name, which may be there because the others were revoked
                shelf.versions[0] = (model(seed=1), "live")
            else:
                shelf.versions[:] = [(shelf.versions[0][0], "standby"), (model(version="0", seed=1), "live")]
            await client.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(part), part))
            last = json.loads((await client._chunks()).splitlines()[-1])
            why = ends.partition(":")[0]
            assert (last["error"], last["rows"]) == (why, 4)
        acts = gateway.acts()
        assert [(act.ok, act.why) for act in acts] == [(True, ""), (False, why)]

    uvloop.run(main())


def test_who_is_suspended_is_told_nothing_of_a_model_either(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            about = "/v2/models/cancer", "/v2/models/cancer/ready"
            assert [(await asked(gateway, path, method="GET"))[0] for path in about] == [200, 200]
            await gateway.parts.limiter.throttle("client:alice", rate_per_s=0.0, until_s=time.time() + 60)
            assert [(await asked(gateway, path, method="GET"))[0] for path in about] == [403, 403]
        assert [act.why for act in gateway.acts()] == ["suspended"] * 2

    uvloop.run(main())


def test_a_model_that_left_service_while_a_body_arrived_does_not_answer(tmp_path: Path) -> None:
    async def main() -> None:
        shelf = Shelf((model(), "live"))
        async with running(tmp_path, shelf=shelf) as gateway:
            client, whole = await connected(gateway), request(PREDICT, native())
            await client.send(whole[:-5])
            await asked(gateway, PREDICT, native())
            shelf.versions[0] = (model(), "quarantined")
            await client.send(whole[-5:])
            assert (await client.answer())[0] == 503

    uvloop.run(main())


def test_prices_are_measured_when_asked(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as gateway:
            await asked(gateway, PREDICT, native())
            assert not gateway.plane.prices.us_per_row()
            gateway.plane.prices.measuring = True
            await asked(gateway, PREDICT, native())
            assert set(gateway.plane.prices.us_per_row()) == {"validation", "audit"}
            assert {name for name, _, _ in gateway.plane.prices.readings()} == {
                "redan_guard_seconds", "redan_guard_rows"
            }  # fmt: skip

    uvloop.run(main())


def test_a_guard_that_breaks_answers_nobody_and_tells_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        name = "broken"

        def before(self, batch: Batch) -> None:
            raise RuntimeError("secret detail")

        def after(self, batch: Batch) -> None:
            raise AssertionError

    async def main() -> None:
        async with running(tmp_path, chain=lambda served: (Broken(),)) as gateway:
            status, _, body = await asked(gateway, PREDICT, native())
            assert (status, json.loads(body)["error"]) == (503, "failed")
            assert b"secret" not in body
        assert [act.why for act in gateway.acts()] == ["failed"]
        assert "secret detail" in capsys.readouterr().err

    uvloop.run(main())


@pytest.mark.parametrize("shape", [(1 << 70, 0), (0, 1 << 70), (1 << 62, 0), (1 << 31,) * 15 + (0,), (10**4000,) * 16])
@pytest.mark.parametrize("datatype", ["FP32", "BYTES"])
def test_axes_longer_than_any_body_are_refused(datatype: str, shape: tuple[int, ...]) -> None:
    from redan.service.gateway.tensors import from_bytes, from_json
    from redan.service.web.errors import Refused

    with pytest.raises(Refused):
        from_bytes(memoryview(b""), datatype, shape)
    with pytest.raises(Refused):
        from_json(msgspec.Raw(b"[]"), datatype, shape)


def test_bytes_tensors_are_text_behind_their_length() -> None:
    from redan.service.gateway.tensors import from_bytes, to_bytes
    from redan.service.web.errors import Refused

    texts = np.array(["a", "ü", ""], object)
    data = to_bytes(texts, "BYTES")
    assert data == struct.pack("<I", 1) + b"a" + struct.pack("<I", 2) + "ü".encode() + struct.pack("<I", 0)
    assert from_bytes(memoryview(data), "BYTES", (3,)).tolist() == texts.tolist()
    for wrong in (data[:-1], data + b"x", data + data):
        with pytest.raises(Refused):
            from_bytes(memoryview(wrong), "BYTES", (3,))
