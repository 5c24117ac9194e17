"""What incidents leave behind: counts of what leaked, evidence, post-mortems, notifications, drills."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.service.incidents.conftest import finding

from redan.core.config import load
from redan.core.errors import EvidenceError, SignatureRefused, UsageError
from redan.core.settings import Settings
from redan.evidence.datasets.manifest import Card, measure, to_json
from redan.evidence.keys import generate, load_signer
from redan.evidence.log import LogReader, open_log
from redan.evidence.log.proving import check_inclusion, parse
from redan.evidence.log.reading import own_key
from redan.evidence.store.database import Database
from redan.service.audit import places
from redan.service.audit.act import Act, encode
from redan.service.audit.recorder import record_once
from redan.service.incidents import evidence, postmortem, timeline
from redan.service.incidents.drill import drill
from redan.service.incidents.history import History
from redan.service.incidents.incident import Incident
from redan.service.incidents.notification import UNKNOWN, clock, concerned, draft
from redan.service.incidents.playbook import built_in

BOOKS = {playbook.name: playbook for playbook in built_in()}
HOUR_US = 3_600_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings from a file."""

    def make(text: str = "") -> Settings:
        (tmp_path / "redan.toml").write_text(text)
        return load(file=tmp_path / "redan.toml", root=tmp_path, environ={}, flags={}).settings

    return make


@pytest.fixture
def incident(new_service: Callable[..., Database]) -> Incident:
    with new_service().writing() as connection:
        taken = timeline.take(connection, finding()).incident
        return timeline.add(connection, taken, "breach", who="user:ann", text="", body={"aware_us": taken.opened_us})


def answer(
    settings: Settings, root: Path, at_us: int, *, who: str = "client:eve", ok: bool = True, rows: int = 2
) -> None:
    why = "" if ok else "rate"
    record_once(settings, root, Act(t_us=at_us, who=who, act="predict", model="credit@1", ok=ok, why=why, rows=rows))


def told(settings: Settings, root: Path, incident: Incident) -> Incident:
    """Record answers around an incident that was contained after ten seconds."""
    opened = incident.opened_us
    for at_us, ok in ((opened - HOUR_US, True), (opened - 5, True), (opened + 5, True), (opened + 6, False)):
        answer(settings, root, at_us, ok=ok)
    answer(settings, root, opened + 20_000_000)
    answer(settings, root, opened - 3, who="client:honest", rows=50)
    # names that contain the client's, and words that look like it
    answer(settings, root, opened - 3, who="client:eve2")
    return replace(incident, contained_us=opened + 10_000_000)


@pytest.mark.parametrize("redact", ["", 'redact = ["client"]'])
def test_answers_before_until_and_after_containment_are_counted(
    settings: Callable[..., Settings], tmp_path: Path, incident: Incident, redact: str
) -> None:
    chosen = settings(f"[audit]\n{redact}\n")
    contained = told(chosen, tmp_path, incident)
    leak = History(chosen, tmp_path).leak(contained, incident.opened_us + HOUR_US)
    assert (leak.queries_before, leak.rows_before) == (2, 4)
    assert (leak.queries_after, leak.rows_after, leak.queries_contained, leak.refused) == (1, 2, 1, 1)
    assert leak.first_us == incident.opened_us - HOUR_US
    text = postmortem.template(contained, leak)
    assert "Time to detect: 60.0 min" in text
    assert "Answers to its clients before: 2 requests, 4 rows" in text


def test_a_log_whose_old_records_were_let_go_still_gives_evidence(
    settings: Callable[..., Settings], tmp_path: Path, incident: Incident
) -> None:
    chosen = settings()
    told(chosen, tmp_path, incident)
    (folder,) = places.log_folders(chosen, tmp_path)
    with open_log(folder, load_signer(tmp_path / chosen.audit.key)) as log:
        for _ in range(256):
            log.append(encode(Act(t_us=incident.opened_us, who="client:honest", act="predict")))
        log.checkpoint()
        log.prune(256)
    answer(chosen, tmp_path, incident.opened_us + 5)
    contained = replace(incident, contained_us=incident.opened_us + 10_000_000)
    leak = History(chosen, tmp_path).leak(contained, incident.opened_us + HOUR_US)
    assert (leak.queries_before, leak.queries_after) == (0, 1)
    made = evidence.collect(chosen, tmp_path, contained, [])
    key = load_signer(tmp_path / chosen.audit.key).verifier
    names = [row["name"] for row in evidence.verify(tmp_path / made["path"], [key])["files"]]
    # the proof is of the record's own place, behind everything that was let go
    assert f"{folder.name}/{LogReader(folder).size - 1}.tlog-proof" in names


def test_a_bundle_verifies_offline_and_shows_what_was_changed(
    settings: Callable[..., Settings], tmp_path: Path, incident: Incident
) -> None:
    chosen = settings()
    told(chosen, tmp_path, incident)
    models = [{"model": "credit@1", "sha256": "a" * 64}]
    made = evidence.collect(chosen, tmp_path, incident, models)
    manifest = tmp_path / made["path"]
    assert manifest.parent.stat().st_mode & 0o077 == 0
    key = load_signer(tmp_path / chosen.audit.key).verifier
    document = evidence.verify(manifest, [key])
    files = {row["name"]: row["sha256"] for row in document["files"]}
    (log,) = places.log_folders(chosen, tmp_path)
    assert {"incident.json", "models.json", f"{log.name}/checkpoint", f"{log.name}/acts.jsonl"} <= set(files)

    def blob(name: str) -> bytes:
        return (manifest.parent / "blobs" / files[name][:2] / files[name][2:]).read_bytes()

    acts = [json.loads(line) for line in blob(f"{log.name}/acts.jsonl").splitlines()]
    assert len(acts) == 5
    for act in acts:
        proof = parse(blob(f"{log.name}/{act['index']}.tlog-proof"))
        check_inclusion(proof, act["entry"].encode(), own_key(log))
    with pytest.raises(SignatureRefused):
        evidence.verify(manifest, [generate("ed25519").verifier])
    blobs = manifest.parent / "blobs"
    victim = blobs / files["incident.json"][:2] / files["incident.json"][2:]
    victim.write_bytes(victim.read_bytes().replace(b"credit", b"Credit"))
    with pytest.raises(EvidenceError, match="was changed"):
        evidence.verify(manifest, [key])
    assert LogReader(log).size == 7


def test_a_bundle_without_a_key_says_so(settings: Callable[..., Settings], tmp_path: Path, incident: Incident) -> None:
    with pytest.raises(UsageError, match="cannot be signed"):
        evidence.collect(settings(), tmp_path, incident, [])


def test_a_post_mortem_must_be_filled_in(incident: Incident) -> None:
    text = postmortem.template(incident, None)
    assert "unknown, no audit log can be read here" in text
    with pytest.raises(UsageError, match="still 'TO FILL'"):
        postmortem.checked(text)
    filled = re.sub(r"TO FILL.*", "Known.", text)
    assert postmortem.checked(filled) == filled
    with pytest.raises(UsageError, match="no section 'Why it could happen'"):
        postmortem.checked(filled.replace("## Why it could happen", "## Why"))
    with pytest.raises(UsageError, match="is empty"):
        postmortem.checked(filled.replace("## Why it could happen\n\nKnown.", "## Why it could happen\n"))


@pytest.mark.parametrize(
    ("hours", "says"), [(0, "72.0 h left"), (71, "1.0 h left"), (73, "1.0 h ago"), (-2, "clock is set before")]
)
def test_the_clock_says_what_is_left(incident: Incident, hours: int, says: str) -> None:
    assert says in clock(incident, incident.opened_us + hours * HOUR_US)


def test_a_notification_holds_what_is_known_and_marks_what_is_not(
    settings: Callable[..., Settings], tmp_path: Path, incident: Incident
) -> None:
    chosen = settings('[incidents]\ncontroller = "Example Ltd"\ncontact = "dpo@example.com"\n')
    (tmp_path / "people.csv").write_text("age,income\n30,100\n40,200\n50,300\n")
    manifest = tmp_path / "people.manifest.json"
    manifest.write_bytes(to_json(measure(tmp_path / "people.csv", card=Card(name="people"))))
    data = concerned(manifest)
    assert (data.rows, data.columns) == (3, ("age", "income"))
    told(chosen, tmp_path, incident)
    now_us = incident.opened_us + 80 * HOUR_US
    leak = History(chosen, tmp_path).leak(incident, now_us)
    known: dict[str, Any] = {"leak": leak, "data": data, "now_us": now_us}
    text = draft(incident, "authority", chosen.incidents, **known)
    for words in (
        "Example Ltd",
        "dpo@example.com",
        "at most 3",
        "age, income",
        "4 requests",
        "33(3)(d)",
        "Reasons for",
    ):
        assert words in text
    assert f"Categories of data subjects: {UNKNOWN}" in text
    subjects = draft(incident, "subjects", chosen.incidents, **known)
    assert "article 34" in subjects
    assert "client:eve" not in subjects
    bare = draft(incident, "authority", settings().incidents, leak=None, data=None, now_us=incident.opened_us)
    assert bare.count(UNKNOWN) >= 8
    assert "Reasons for" not in bare
    with pytest.raises(UsageError, match="breach"):
        draft(replace(incident, aware_us=None), "authority", chosen.incidents, **known)


def test_a_drill_says_which_steps_would_fail_and_touches_nothing(
    settings: Callable[..., Settings], tmp_path: Path, new_service: Callable[..., Database]
) -> None:
    database = new_service()
    bare = drill(settings(), tmp_path, database, BOOKS["poisoned-model"], known=10)
    failed = {step.name: step.why for step in bare.steps if step.outcome == "failed"}
    assert "no served model" in failed["go-back"]
    assert "nowhere to send alerts" in failed["tell"]
    assert "no key to sign" in failed["evidence"]
    assert not bare.passed
    chosen = settings(
        '[alerts]\nsyslog = "udp://127.0.0.1:514"\n[[serve.models]]\nname = "credit"\ntarget = "m.onnx"\n'
        '[[serve.models]]\nname = "credit"\ntarget = "n.onnx"\nversion = "0"\nrole = "standby"\n'
    )
    places.made_log(chosen, tmp_path, "one")
    good = drill(chosen, tmp_path, database, BOOKS["poisoned-model"], known=10)
    assert good.passed
    assert good.contained
    assert good.contain_ms is None
    theft = drill(chosen, tmp_path, database, BOOKS["model-theft"], known=10)
    assert theft.passed
    assert theft.contain_ms is not None
    assert 0 < theft.contain_ms < 5000
    with database.reading() as connection:
        assert timeline.listed(connection) == []


def test_a_drill_without_a_standby_version_names_it(settings: Callable[..., Settings], tmp_path: Path) -> None:
    chosen = settings('[[serve.models]]\nname = "credit"\ntarget = "m.onnx"\n')
    done = drill(chosen, tmp_path, None, BOOKS["drift"], known=10)
    (step,) = [step for step in done.steps if step.do == "rollback"]
    assert (step.outcome, step.persons) == ("failed", 1)
    assert "no standby version to go back to" in step.why
