"""What a request leaves behind: nothing that only the collector of cycles could free."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path

import httpx
from tests.served import rows, served, settings_for

from redan.core.config import Config
from redan.core.settings_service import Guards
from redan.service.assembly import assemble
from redan.service.gateway.call import Call


def _calls() -> int:
    # isinstance would ask each object for its class, and some of other libraries warn then
    return sum(type(each) is Call for each in gc.get_objects())


def test_an_answered_call_or_stream_is_gone_without_the_collector(tmp_path: Path) -> None:
    async def work() -> None:
        guards = Guards(authentication=False)
        settings = settings_for(tmp_path, served(tmp_path, "onnx", name="m"), serve={"guards": guards})
        service = assemble(Config(settings=settings, origins={}, root=tmp_path, file=None))
        transport = httpx.ASGITransport(app=service.plane)
        async with service, httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            for _ in range(20):
                answer = await http.post("/v1/models/m/predict", json={"x": rows()[0][:1].tolist()})
                assert answer.status_code == 200
            lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows()[0][:200].tolist())
            answer = await http.post(
                "/v1/models/m/predict", content=lines, headers={"content-type": "application/x-ndjson"}
            )
            assert b'"rows":200' in answer.content
            async with asyncio.timeout(10):
                # watchers look at them a little later
                while _calls():
                    await asyncio.sleep(0.1)

    gc.collect()
    gc.disable()
    try:
        asyncio.run(work())
    finally:
        gc.enable()
