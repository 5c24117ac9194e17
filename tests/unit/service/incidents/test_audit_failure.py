"""A record that cannot be written opens an incident by itself, and people are told what to do."""

from __future__ import annotations

import asyncio

from tests.unit.service.incidents.test_desk import Make, read, settled

from redan.service.audit.telling import Telling
from redan.service.findings import Findings


def test_a_log_that_takes_no_records_starts_its_playbook(bench: Make) -> None:
    made, findings = bench("audit-failure"), Findings()
    findings.listen(made.desk.notice)
    telling = Telling(findings, "r1")

    async def live() -> None:
        await made.desk.start()
        telling.look("No space left on device", full=False, lost=0)
        telling.look("", full=False, lost=3)
        for name in ("tell", "evidence"):
            await made.until(settled(made, f"audit-failure/{name}", "done"))
        await made.desk.stop()

    asyncio.run(live())
    incident = read(made.database)
    assert (incident.rule, incident.threat, incident.subject) == ("RDN-OPE-207", "audit", "r1")
    assert "cannot record its decisions" in incident.title
    assert made.hands.told
    assert "audit log cannot be written" in made.hands.told[0]
    assert set(incident.steps) == {"audit-failure/tell", "audit-failure/evidence"}, "the rest is for people"
    assert made.hands.out == set()
