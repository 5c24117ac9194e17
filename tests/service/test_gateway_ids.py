"""Every answer bears an identifier, and what is recorded of it bears the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
from tests.served import rows, served, settings_for

from redan.core.config import Config
from redan.core.settings_service import Guards
from redan.evidence.log.reading import LogReader
from redan.service.assembly import assemble
from redan.service.audit.act import decode
from redan.service.audit.places import log_folder, replica_name

ASKED = (
    ("GET", "/v2", 200),
    ("GET", "/v2/health/ready", 200),
    ("GET", "/v2/models/m", 200),
    ("GET", "/v2/models/m/ready", 200),
    ("POST", "/v1/models/m/predict", 200),
    ("POST", "/v1/models/none/predict", 404),
    ("GET", "/v1/models/m/predict", 405),
    ("GET", "/health/live", 200),
    ("GET", "/login", 200),
    ("GET", "/v1/audit", 401),
    ("GET", "/console", 303),
    ("GET", "/nothing/here", 404),
    ("POST", "/v1/audit", 405),
    ("GET", "/v1//audit", 404),
)


def test_every_answer_bears_the_identifier_of_its_record(tmp_path: Path) -> None:
    guards = Guards(authentication=False)
    settings = settings_for(tmp_path, served(tmp_path, "onnx", name="m"), serve={"guards": guards})
    told: dict[str, int] = {}

    async def work() -> None:
        service = assemble(Config(settings=settings, origins={}, root=tmp_path, file=None))
        transport = httpx.ASGITransport(app=service.plane)
        async with service, httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            for method, path, status in ASKED:
                body = {"x": rows()[0][:1].tolist()} if method == "POST" else None
                answer = await http.request(method, path, json=body)
                assert answer.status_code == status, (path, answer.text)
                assert len(answer.headers.get_list("x-request-id")) == 1, path
                told[answer.headers["x-request-id"]] = status

    asyncio.run(work())
    assert len(told) == len(ASKED), "no two answers bear the same"
    entries = LogReader(log_folder(settings, tmp_path, replica_name(settings))).entries()
    recorded = {act.id for act in map(decode, entries) if act.status}
    assert recorded <= set(told)
    assert {id for id, status in told.items() if status != 200} <= recorded, "every denial is recorded"
