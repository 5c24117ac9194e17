"""What somebody can do to a registry with its own doors: attach, restore, an update that goes on by itself."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete

from redan.core import config as configuration
from redan.core.config import Config
from redan.core.errors import EvidenceError, UsageError
from redan.core.settings import Admission, Requirement
from redan.evidence import dsse
from redan.evidence.backup import backup
from redan.evidence.keys import Signer, generate, save
from redan.evidence.statements import Resource, statement
from redan.evidence.statements.bundle import Bundle
from redan.evidence.store import tables
from redan.service.audit.places import log_folders
from redan.service.audit.recorder import record_once
from redan.service.database import open_database
from redan.service.models.admitting import NotAdmitted
from redan.service.models.pool import Pool
from redan.service.registry import stated
from redan.service.registry.endpoints import ENDPOINTS, Reason
from redan.service.registry.logged import missing
from redan.service.registry.moving import move
from redan.service.registry.opening import Registry, create_registry
from redan.service.registry.progress import Done, Progress, keep
from redan.service.registry.pushing import Person, push
from redan.service.registry.restoring import restore
from redan.service.registry.stated import attach, known
from redan.service.registry.transition import PREDICATE_TYPE
from redan.service.registry.update import Pipeline, Stopped, update
from redan.service.web.endpoint import Asked

ADA = Person(who="user:ada", why="test")
SETTINGS = """
[registry]
keys = ["file:registry.kek"]
signing_key = "registry.key"
[registry.update]
name = "fraud"
seal_key = "registry.key"
canary = "1h"
agreement = 0.9
gateway = "https://gateway.example.com"
"""


@pytest.fixture
def project(tmp_path: Path) -> Config:
    save(generate("ed25519"), tmp_path / "registry.key")
    (tmp_path / "redan.toml").write_text(SETTINGS, encoding="utf-8")
    return configuration.load(file=tmp_path / "redan.toml", root=tmp_path, environ={})


@pytest.fixture
def registry(project: Config) -> Iterator[Registry]:
    record = partial(record_once, project.settings, project.root)
    made = create_registry(project.settings.registry, project.root, record=record)
    yield made
    made.close()


def pushed(registry: Registry, root: Path, *versions: str) -> None:
    for version in versions:
        (root / "model.bin").write_bytes(f"model {version}".encode())
        push(registry, root / "model.bin", name="fraud", version=version, by=ADA)


def said(registry: Registry, what: str, signer: Signer | None = None, *, type: str = "https://example.com/v1") -> Any:
    """Return an envelope about version 1."""
    model = registry.history("fraud").version("1").push.model
    payload = statement([Resource(name=model.name, digest=model.digest)], type, {"what": what})
    return dsse.seal(payload, signer or generate("ed25519"))


def test_a_flood_of_statements_does_not_hide_a_revocation(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stated, "MOST_STATEMENTS", 8)
    pushed(registry, tmp_path, "1")
    revocation = said(registry, "revoked")
    attach(registry, Bundle(envelopes=(revocation,)), by=ADA)
    noise = tuple(said(registry, f"noise {i}") for i in range(6))
    attach(registry, Bundle(envelopes=noise), by=ADA)
    version = registry.history("fraud").version("1")
    assert revocation in known(registry, version).envelopes
    with pytest.raises(UsageError, match="more than 8 statements"):
        attach(registry, Bundle(envelopes=(said(registry, "one more"),)), by=ADA)
    assert revocation in known(registry, version).envelopes
    # whoever writes into the database himself gets no further: the version is not judged without its oldest statements
    monkeypatch.setattr(stated, "MOST_STATEMENTS", 7)
    with pytest.raises(EvidenceError, match="more than 7 statements about fraud@1"):
        known(registry, version)


def test_nobody_brings_transitions_with_a_bundle(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, tmp_path, "1")
    for signer in (None, registry.signer):
        foreign = said(registry, "promote", signer, type=PREDICATE_TYPE)
        with pytest.raises(UsageError, match="made by the registry itself"):
            attach(registry, Bundle(envelopes=(said(registry, "fine"), foreign)), by=ADA)
    assert list(registry.histories()) == ["fraud"]


def test_what_an_older_backup_does_not_hold_is_named_by_the_audit_log(
    project: Config, registry: Registry, tmp_path: Path
) -> None:
    pushed(registry, tmp_path, "1", "2")
    move(registry, "fraud", "2", "promote", by=ADA, policy=None)
    logs = log_folders(project.settings, project.root)
    made = backup(registry.store, tmp_path / "registry.backup")
    assert missing(registry, logs) == []
    move(registry, "fraud", "1", "promote", by=ADA, policy=None)
    attach(registry, Bundle(envelopes=(said(registry, "revoked"),)), by=ADA)
    assert missing(registry, logs) == []
    registry.close()
    shutil.rmtree(tmp_path / ".redan" / "registry")
    record = partial(record_once, project.settings, project.root)
    found = restore(
        project.settings.registry, tmp_path, tmp_path / "registry.backup", made.sha256, by=ADA, record=record
    )
    assert found["fraud"].version("live").name == "2"
    gone = missing(registry, logs)
    assert [line.partition(": ")[2].partition(" is in")[0] for line in gone] == [
        "registry.promote fraud@1 by user:ada",
        "registry.attach  by user:ada",
    ]


def test_rows_that_were_deleted_are_named_by_the_audit_log(project: Config, registry: Registry, tmp_path: Path) -> None:
    pushed(registry, tmp_path, "1")
    attach(registry, Bundle(envelopes=(said(registry, "revoked"),)), by=ADA)
    with registry.store.database.writing() as connection:
        rows = tables.statements.c.predicate_type != PREDICATE_TYPE
        ids = [row.id for row in connection.execute(tables.statements.select().where(rows))]
        for table, column in (
            (tables.statement_subjects, tables.statement_subjects.c.statement),
            (tables.statement_keys, tables.statement_keys.c.statement),
            (tables.statements, tables.statements.c.id),
        ):
            connection.execute(delete(table).where(column.in_(ids)))
    registry.histories()
    assert len(missing(registry, log_folders(project.settings, project.root))) == 1


def test_an_update_does_not_promote_what_is_a_canary_no_more(
    project: Config, registry: Registry, tmp_path: Path
) -> None:
    pushed(registry, tmp_path, "1", "2", "3")
    move(registry, "fraud", "1", "promote", by=ADA, policy=None)
    move(registry, "fraud", "2", "canary", by=ADA, policy=None)
    steps = tuple(
        Done(step=step, at="2026-11-21T00:00:00+00:00") for step in ("retrain", "check", "seal", "push", "canary")
    )  # fmt: skip
    folder = project.path(project.settings.registry.store)
    keep(folder, Progress(why="test", started=steps[0].at, steps=steps, version="2"))
    move(registry, "fraud", "3", "canary", by=ADA, policy=None)
    pipeline = Pipeline(config=project, registry=registry, by=ADA, agreement=lambda name, version: None)
    with pytest.raises(Stopped, match="fraud@2 is a canary no more"):
        update(pipeline)
    assert registry.history("fraud").version("live").name == "1"
    assert json.loads((folder / "update.json").read_text())["ended"].startswith("promote: ")


def test_a_promotion_over_http_is_judged_by_the_policy_that_was_read_last(
    project: Config, registry: Registry, tmp_path: Path
) -> None:
    pushed(registry, tmp_path, "1", "2")
    tighter = Admission(keys=("registry.key.pub",), require=(Requirement(statement="scan"),))
    database = open_database("service.db", root=tmp_path)
    pool = Pool(
        project.settings,
        tmp_path,
        database=database,
        reread=lambda: replace(project.settings, admission=tighter),
    )
    row = next(each for each in ENDPOINTS if each.path.endswith("/promote"))

    def asked(version: str) -> Any:
        parts = SimpleNamespace(settings=project.settings, root=tmp_path, models=pool, more={"registry": registry})
        request = SimpleNamespace(path_params={"name": "fraud", "version": version})
        return Asked(request=request, parts=parts, principal=None, body=Reason(), note={})  # type: ignore[arg-type]  # what the handler reads of them

    async def main() -> None:
        await row.handler(asked("1"))
        await pool.reload()
        with pytest.raises(NotAdmitted, match="fraud@2 is not admitted: scan: expected a statement"):
            await row.handler(asked("2"))

    asyncio.run(main())
    assert registry.history("fraud").version("live").name == "1"
    database.close()
