"""The commands of the page about statements, word for word and in their order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import torch
from tests.cli.conftest import Cli

from redan.core.config import load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statements.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_page_work_as_they_stand(cli: Cli, tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2, 2)}, tmp_path / "net.pt")
    seal, decide = ([shlex.split(line)[1:] for line in block.splitlines()] for block in blocks("bash"))
    for words in seal:
        assert cli(*words).code == 0, words
    assert cli("verify", "net.pt", "--key", "signing.key.pub").code == 0
    (tmp_path / "keys").mkdir()
    for name in ("ml", "lead", "risk"):
        assert cli("key", "new", f"keys/{name}").code == 0
    (tmp_path / "redan.toml").write_text(blocks("toml")[0], encoding="utf-8")
    for words in decide:
        ended = cli(*words)
        assert ended.code == 1, ended.err
    assert re.search(r"found\W+none that count", ended.out)
    revoke = re.search(r"`redan (seal [^`]*--revoke [^`]*)`", PAGE.read_text(encoding="utf-8"))
    assert revoke is not None
    assert cli(*shlex.split(revoke[1])).code == 0
    (tmp_path / "redan.toml").unlink()
    assert cli("verify", "net.pt", "--key", "signing.key.pub").code == 1


def test_the_policy_of_the_page_is_one(tmp_path: Path) -> None:
    (tmp_path / "redan.toml").write_text(blocks("toml")[0], encoding="utf-8")
    admission = load(file=tmp_path / "redan.toml", root=tmp_path, environ={}).settings.admission
    assert [r.statement for r in admission.require] == ["scan", "robustness", "approval"]
