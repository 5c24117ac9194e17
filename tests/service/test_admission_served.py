"""The whole gateway, put together from a redan.toml: what is admitted is served, what is not says why and is not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests import served as made
from tests.served import seal_scan, settings_for

from redan.core import config as configuration
from redan.core.errors import ConfigError
from redan.core.settings import Settings
from redan.evidence.keys import generate, save
from redan.evidence.log.reading import LogReader
from redan.evidence.privacy_ledger.book import Cost, Ledger
from redan.evidence.statements.statement import strict_json
from redan.service.assembly import Service, assemble
from redan.service.audit.places import log_folder
from redan.service.registry.opening import create_registry
from redan.service.registry.pushing import Person, push

_TOML = """
[admission]
keys = ["ci.key.pub"]
max_age = "90d"

[[admission.require]]
statement = "scan"

[identity]
token_key = "token.key"

[audit]
key = "audit.key"

[serve]
address = "127.0.0.1:0"
name = "r1"
"""
_MODEL = """
[[serve.models]]
name = "{name}"
version = "{version}"
target = "{target}"
role = "{role}"
sample = "sample.npz"
"""


def toml(folder: Path, *models: tuple[str, str, str, str]) -> Path:
    """Write keys, models with statements, and a redan.toml that serves them."""
    settings_for(folder)
    text = _TOML + "".join(
        _MODEL.format(name=name, version=version, target=target, role=role) for name, version, target, role in models
    )
    (folder / "redan.toml").write_text(text)
    return folder / "redan.toml"


def service(folder: Path) -> Service:
    return assemble(configuration.load(file=folder / "redan.toml", root=folder, environ={}))


def check(folder: Path) -> tuple[int, str]:
    """Run ``redan serve --check`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "redan.cli.__main__", "serve", "--check"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr


def with_service(folder: Path, work: Callable[[Service], Awaitable[None]]) -> None:
    async def main() -> None:
        async with service(folder) as running:
            await work(running)

    asyncio.run(main())


def test_what_is_sealed_is_served_and_what_is_not_says_why(tmp_path: Path) -> None:
    made.served(tmp_path, "sklearn", name="bad", seed=1)
    (tmp_path / "bad-1.joblib.intoto.jsonl").unlink()
    toml(tmp_path, ("sklearn", "1", "sklearn-1.joblib", "live"), ("bad", "1", "bad-1.joblib", "live"))
    code, told = check(tmp_path)
    assert code == 1
    assert "sklearn@1 is admitted, live: " in told
    assert "bad@1 is refused: scan: expected a statement by ci.key.pub" in told
    assert "redan seal REPORT --model MODEL --key KEY" in told
    seal_scan(tmp_path / "bad-1.joblib")

    async def work(running: Service) -> None:
        assert running.parts.models.refused() == ()

    with_service(tmp_path, work)


def test_a_reload_reads_the_configuration_again_and_the_audit_log_says_so(tmp_path: Path) -> None:
    made.served(tmp_path, "sklearn", version="2", seed=1)
    one, two = ("sklearn", "1", "sklearn-1.joblib", "live"), ("sklearn", "2", "sklearn-2.joblib", "standby")
    toml(tmp_path, one)

    async def work(running: Service) -> None:
        pool = running.parts.models
        assert [served.label for served, _ in pool.all()] == ["sklearn@1"]
        toml(tmp_path, one, two)
        await pool.reload()
        assert [served.label for served, _ in pool.all()] == ["sklearn@1", "sklearn@2"]
        await pool.promote("sklearn", "2")
        await pool.rollback("sklearn")

    with_service(tmp_path, work)
    entries = [each for each in recorded(tmp_path) if each["act"].startswith("models.")]
    assert [(each["act"], each["model"], each["why"]) for each in entries] == [
        ("models.reload", "sklearn@1", "admitted"),
        ("models.reload", "sklearn@2", "admitted"),
        ("models.promote", "sklearn@2", "promoted"),
        ("models.rollback", "sklearn@1", "rolled-back"),
    ]
    assert all(len(each["digest"]) == 64 for each in entries)


def test_a_gateway_whose_noise_nobody_pays_for_does_not_start(tmp_path: Path) -> None:
    made.served(tmp_path, "sklearn")
    path = toml(tmp_path, ("sklearn", "1", "sklearn-1.joblib", "live"))
    with path.open("a") as file:
        file.write('[serve.guards]\ndp_epsilon = 50.0\ndp_ledger = "privacy.ledger"\n')

    async def work(running: Service) -> None:
        assert len(running.parts.models.all()) == 1

    with pytest.raises(ConfigError, match="there is no ledger") as refused:
        with_service(tmp_path, work)
    assert "redan data allow model:sklearn" in refused.value.hint
    cost = Cost(epsilon=100.0)
    Ledger(path=tmp_path / "privacy.ledger").open_account("model:sklearn", cost, cost)
    with_service(tmp_path, work)


def recorded(folder: Path) -> list[dict[str, str]]:
    """Read the audit log's entries."""
    return [strict_json(entry) for entry in LogReader(log_folder(Settings(), folder, "r1")).entries()]


@pytest.mark.parametrize("kind", ["sklearn", "xgboost"])
def test_a_version_of_an_encrypted_registry_is_served_from_memory(tmp_path: Path, kind: made.Kind) -> None:
    model = made.served(tmp_path, kind)
    path = toml(tmp_path, (kind, "1", f"registry:{kind}@1", "live"))
    save(generate("ed25519"), tmp_path / "registry.key")
    with path.open("a") as file:
        file.write('\n[registry]\nkeys = ["file:registry.kek"]\nsigning_key = "registry.key"\n')
    config = configuration.load(file=path, root=tmp_path, environ={})
    registry = create_registry(config.settings.registry, tmp_path, record=lambda act: None)
    push(registry, tmp_path / model.target, name=kind, version="1", by=Person(who="user:test", why="first"))
    registry.close()
    plain = (tmp_path / model.target).read_bytes()
    for each in tmp_path.glob(f"{model.target}*"):
        each.unlink()

    async def work(running: Service) -> None:
        assert running.parts.models.refused() == ()
        ((served, role),) = running.parts.models.all()
        assert (served.label, role) == (f"{kind}@1", "live")
        x, y = made.rows()
        assert (served.answer(x.astype(served.dtype)).labels == y).mean() > 0.95

    with_service(tmp_path, work)
    assert not any(plain[:64] in each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
