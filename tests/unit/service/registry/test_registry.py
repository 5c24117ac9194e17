"""The registry: versions, transitions, retention, and what happens to somebody who tampers with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from redan.core.errors import EvidenceError, SignatureRefused, UsageError
from redan.core.settings_service import RegistrySettings
from redan.evidence.backup import backup
from redan.evidence.keys import generate, save
from redan.evidence.statements import describe
from redan.evidence.store import tables
from redan.evidence.store.blobs import StoreBlobs
from redan.service.models.source import Vacant
from redan.service.registry.listing import transitions, versions
from redan.service.registry.moving import move, retire, roll_back
from redan.service.registry.opening import Registry, create_registry, open_registry
from redan.service.registry.pulling import held, pull, split
from redan.service.registry.pushing import Person, push
from redan.service.registry.restoring import restore
from redan.service.registry.retention import prune, too_old
from redan.service.registry.serving import Shelf, digest_of
from redan.service.registry.transition import Transition

ADA = Person(who="user:ada", why="test")


@pytest.fixture
def settings(tmp_path: Path) -> RegistrySettings:
    save(generate("ed25519"), tmp_path / "registry.key")
    return RegistrySettings(store="registry", keys=("file:kek",), signing_key="registry.key")


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def registry(settings: RegistrySettings, tmp_path: Path, told: list[Any]) -> Iterator[Registry]:
    made = create_registry(settings, tmp_path, record=told.append)
    yield made
    made.close()


def model(folder: Path, content: bytes, name: str = "model.bin") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


def pushed(registry: Registry, tmp_path: Path, *contents: bytes) -> None:
    for number, content in enumerate(contents, start=1):
        push(registry, model(tmp_path / "made", content), name="fraud", version=str(number), by=ADA)


def promote(registry: Registry, version: str) -> None:
    move(registry, "fraud", version, "promote", by=ADA, policy=None)


def states(registry: Registry) -> dict[str, str]:
    return {version.name: version.state for version in registry.history("fraud").versions}


def test_versions_are_pushed_promoted_and_rolled_back(registry: Registry, tmp_path: Path, told: list[Any]) -> None:
    pushed(registry, tmp_path, b"one", b"two", b"three")
    promote(registry, "1")
    move(registry, "fraud", "latest", "canary", by=ADA, policy=None)
    assert states(registry) == {"1": "live", "2": "staged", "3": "canary"}
    assert registry.history("fraud").version("canary").name == "3"
    promote(registry, "3")
    promote(registry, "2")
    assert states(registry) == {"1": "standby", "2": "live", "3": "standby"}
    roll_back(registry, "fraud", by=ADA)
    assert states(registry)["3"] == "live"
    roll_back(registry, "fraud", by=ADA)
    assert states(registry)["1"] == "live"
    with pytest.raises(UsageError, match="no version to go back to"):
        roll_back(registry, "fraud", by=ADA)
    acts = [act.act.removeprefix("registry.") for act in told]
    assert acts == ["push"] * 3 + ["promote", "canary", "promote", "promote", "rollback", "rollback"]
    assert [row.act for row in transitions(registry.history("fraud"))] == acts
    assert [row.version for row in versions(registry.histories())] == ["1", "2", "3"]


def test_the_gateway_sees_who_is_canary_and_that_something_changed(registry: Registry, tmp_path: Path) -> None:
    shelf = Shelf(registry=registry)
    pushed(registry, tmp_path, b"one", b"two")
    promote(registry, "1")
    before = shelf.mark()
    with pytest.raises(Vacant, match="no version of 'fraud' is a canary"):
        shelf.fetch("fraud", "canary")
    assert shelf.mark() == before
    move(registry, "fraud", "2", "canary", by=ADA, policy=None)
    assert shelf.mark() != before
    assert list(shelf.fetch("fraud", "canary").files.values()) == [b"two"]
    old = digest_of(registry.history("fraud").version("1"))
    promote(registry, "2")
    # what was loaded as live before is judged by its own statements, not by those of what is live now
    shelf.statements("fraud", "live", old)
    with pytest.raises(Vacant):
        shelf.statements("fraud", "canary", "0" * 64)


def test_what_is_pulled_is_what_was_pushed(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "net"
    (folder / "deep").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "deep" / "weights.bin").write_bytes(bytes(range(256)) * 1000)
    bundle = model(tmp_path / "aside", b"{}\n", "statements")
    push(registry, folder, name="net", version="1", by=ADA, statements=bundle, config=bundle)
    got = pull(registry, "net", "latest", tmp_path / "out" / "net1")
    assert describe(got).digest == describe(folder).digest
    assert (got.parent / "net.intoto.jsonl").read_bytes() == b"{}\n"
    assert (got.parent / "redan.toml").read_bytes() == b"{}\n"
    in_memory = held(registry, "net", "1")
    assert in_memory.files["deep/weights.bin"] == (folder / "deep" / "weights.bin").read_bytes()
    assert in_memory.statements == b"{}\n"
    with pytest.raises(UsageError, match="exists already"):
        pull(registry, "net", "1", tmp_path / "out" / "net1")


def test_nothing_of_a_model_lies_readable_in_the_registry(registry: Registry, tmp_path: Path) -> None:
    secret = b"weights that nobody may see" * 100
    pushed(registry, tmp_path, secret)
    files = [path for path in (tmp_path / "registry").rglob("*") if path.is_file()]
    assert files
    assert not any(b"nobody may see" in path.read_bytes() for path in files)


def test_versions_never_change_and_names_are_names(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, tmp_path, b"one")
    with pytest.raises(UsageError, match="has a version 1 already"):
        pushed(registry, tmp_path, b"another")
    for odd in ("../up", "", ".", "a/b", "x" * 65, "-rf"):
        with pytest.raises(UsageError, match="is no name"):
            push(registry, tmp_path / "made" / "model.bin", name=odd, version="1", by=ADA)
    assert split("fraud") == ("fraud", "live")
    assert split("fraud@2") == ("fraud", "2")
    with pytest.raises(UsageError, match="has no version '9'"):
        promote(registry, "9")


def test_two_who_push_at_once_make_one_chain(registry: Registry, tmp_path: Path) -> None:
    def one(number: int) -> None:
        path = model(tmp_path / f"by{number}", str(number).encode())
        push(registry, path, name="fraud", version=str(number), by=ADA)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    assert len(registry.history("fraud").transitions) == 8


def test_a_transition_that_was_taken_out_is_missed(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, tmp_path, b"one", b"two")
    promote(registry, "1")
    with registry.store.database.writing() as connection:
        first = connection.execute(select(tables.statements.c.id).order_by(tables.statements.c.added_us)).scalars()
        victim = list(first)[1]
        for table in (tables.statement_subjects, tables.statement_keys):
            connection.execute(delete(table).where(table.c.statement == victim))
        connection.execute(delete(tables.statements).where(tables.statements.c.id == victim))
    with pytest.raises(EvidenceError, match="is missing"):
        registry.histories()


def test_a_transition_by_a_stranger_is_refused(
    registry: Registry, settings: RegistrySettings, tmp_path: Path, told: list[Any]
) -> None:
    pushed(registry, tmp_path, b"one")
    save(generate("ed25519"), tmp_path / "stranger.key")
    stranger = replace(settings, signing_key="stranger.key", trusted=("registry.key.pub",))
    other = open_registry(stranger, tmp_path, record=told.append)
    move(other, "fraud", "1", "promote", by=ADA, policy=None)
    other.close()
    with pytest.raises(SignatureRefused):
        registry.histories()


def test_without_a_key_nothing_can_be_changed(
    registry: Registry, settings: RegistrySettings, tmp_path: Path, told: list[Any]
) -> None:
    pushed(registry, tmp_path, b"one")
    reading = replace(settings, signing_key="", trusted=("registry.key.pub",))
    reader = open_registry(reading, tmp_path, record=told.append)
    assert [version.name for version in reader.history("fraud").versions] == ["1"]
    with pytest.raises(UsageError, match="without a key"):
        roll_back_or_promote(reader)
    reader.close()


def roll_back_or_promote(registry: Registry) -> None:
    move(registry, "fraud", "1", "promote", by=ADA, policy=None)


def test_a_changed_byte_is_found(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, tmp_path, b"one" * 1000)
    for path in (tmp_path / "registry" / "blobs").rglob("*"):
        if path.is_file() and path.stat().st_size > 3000:
            data = bytearray(path.read_bytes())
            data[100] ^= 1
            path.write_bytes(bytes(data))
    with pytest.raises(EvidenceError):
        held(registry, "fraud", "1")


def test_retention_removes_bytes_and_keeps_the_record(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, tmp_path, b"one", b"two", b"three", b"four")
    push(registry, model(tmp_path / "made", b"one"), name="other", version="1", by=ADA)
    promote(registry, "1")
    promote(registry, "3")
    assert too_old(registry.history("fraud"), 1) == ("2",)
    digests = {v.name: v.push.transition.files["model.bin"] for v in registry.history("fraud").versions}
    gone = prune(registry, 1, by=ADA)
    assert gone.versions == ("fraud@2",)
    assert gone.n_blobs == 1
    assert states(registry) == {"1": "standby", "2": "retired", "3": "live", "4": "staged"}
    assert not StoreBlobs(registry.store).holds(digests["2"])
    with pytest.raises(UsageError, match="retired"):
        held(registry, "fraud", "2")
    # bytes that another model still has stay
    promote(registry, "4")
    retire(registry, "fraud", "1", by=ADA)
    assert prune(registry, 1, by=ADA).n_blobs == 0
    assert held(registry, "other", "1").files == {"model.bin": b"one"}


def test_live_versions_are_never_retired(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, tmp_path, b"one")
    promote(registry, "1")
    with pytest.raises(UsageError, match="another must be promoted first"):
        retire(registry, "fraud", "1", by=ADA)


def test_a_destroyed_registry_is_restored(
    registry: Registry, settings: RegistrySettings, tmp_path: Path, told: list[Any]
) -> None:
    pushed(registry, tmp_path, b"one", b"two")
    promote(registry, "1")
    promote(registry, "2")
    made = backup(registry.store, tmp_path / "registry.backup")
    before = registry.history("fraud")
    registry.close()
    shutil.rmtree(tmp_path / "registry")
    with pytest.raises(SignatureRefused):
        restore(settings, tmp_path, tmp_path / "registry.backup", "0" * 64, by=ADA, record=told.append)
    shutil.rmtree(tmp_path / "registry", ignore_errors=True)
    histories = restore(settings, tmp_path, tmp_path / "registry.backup", made.sha256, by=ADA, record=told.append)
    assert histories["fraud"] == before
    again = open_registry(settings, tmp_path, record=told.append)
    assert held(again, "fraud", "live").files == {"model.bin": b"two"}
    roll_back(again, "fraud", by=ADA)
    assert held(again, "fraud", "live").files == {"model.bin": b"one"}
    again.close()


def test_a_transition_about_other_bytes_is_refused(registry: Registry, tmp_path: Path) -> None:
    pushed(registry, tmp_path, b"one", b"two")
    found = registry.history("fraud")
    wrong = Transition(name="fraud", version="1", act="promote", at="2026-01-01", who="user:eve", previous=found.head)
    with pytest.raises(UsageError, match="other bytes"):
        registry.append(wrong, found.version("2").push.model)
