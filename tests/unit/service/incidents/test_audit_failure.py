"""A record that cannot be written opens an incident by itself, and people are told what to do."""

from __future__ import annotations

import asyncio

from tests.unit.service.incidents.test_desk import ANN, BOB, Make, of, order, read, settled

from redan.core.errors import EvidenceError
from redan.service.audit.telling import Telling
from redan.service.findings import Findings
from redan.service.incidents import acting


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


def test_two_persons_take_every_model_out_of_service_while_nothing_can_be_recorded(bench: Make) -> None:
    made, full = bench("audit-failure"), [True]
    made.hands.live = {"credit": ["credit@2"], "fraud": ["fraud@1"]}
    quarantine, known = made.hands.quarantine, dict[str, str]()

    async def unrecorded(model: str) -> str:
        known.setdefault(model, await quarantine(model))
        if full[0]:
            raise EvidenceError("the audit log takes nothing")
        return known[model]

    made.hands.quarantine = unrecorded  # type: ignore[method-assign]  # the log of this gateway is full
    name = "audit-failure/quarantine"

    async def live() -> None:
        findings = Findings()
        findings.listen(made.desk.notice)
        await made.desk.start()
        Telling(findings, "r1").look("No space left on device", full=False, lost=0)
        await made.until(settled(made, "audit-failure/evidence", "done"))
        assert order(made, name, ANN) == "waiting"
        assert made.hands.out == set()
        assert order(made, name, BOB) == "ordered"
        await made.until(lambda: made.hands.out == {"credit", "fraud"})
        assert read(made.database).steps[name].status != "done", "it is done when it is recorded"
        full[0] = False
        made.desk.hurry()
        await made.until(settled(made, name, "done"))
        assert read(made.database).steps[name].targets == ("credit", "fraud")
        with made.database.writing() as connection:
            acting.order_undo(connection, 1, *of(made, name), BOB)
        made.desk.hurry()
        await made.until(settled(made, name, "undone"))
        await made.desk.stop()

    asyncio.run(live())
    assert made.hands.out == set()
