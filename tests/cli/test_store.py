"""`redan store` as a user meets it: from an empty folder over a destroyed store to a restored one."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest
from tests.cli.conftest import Cli

from redan.evidence.dsse import seal
from redan.evidence.keys import generate


@pytest.fixture
def filled(cli: Cli, tmp_path: Path, hostile: Path) -> Path:
    """An encrypted store with one failed scan in it."""
    cli("scan", hostile, "-f", "json", "-o", "report.json")
    (tmp_path / "redan.toml").write_text('[store]\nkeys = ["file:store.key"]\n', encoding="utf-8")
    assert cli("store", "init").code == 0
    assert cli("store", "add", "report.json").code == 0
    return tmp_path


def test_a_run_comes_back_as_it_was(cli: Cli, filled: Path) -> None:
    given = (filled / "report.json").read_text()
    assert cli("store", "show", "-f", "json").out == given
    (row,) = json.loads(cli("store", "list", "-f", "json").out)
    assert (row["subject"], row["verdict"], row["gate"]) == ("hostile.pkl", "fail", "high")
    assert cli("store", "show", row["id"][:8], "-f", "json").out == given
    assert "hostile.pkl" in cli("store", "show").out


def test_adding_says_what_is_new(cli: Cli, filled: Path) -> None:
    (filled / "model.intoto.jsonl").write_bytes(statement() + b"\n" + b"{broken\n")
    first = cli("store", "add", "report.json", "model.intoto.jsonl")
    assert first.code == 0
    run, added = first.out.splitlines()
    assert "there already" in run
    assert added.startswith("statement ")
    assert added.endswith("new")
    assert "line 2 is ignored" in first.err
    (row,) = json.loads(cli("store", "list", "statements", "--digest", "ab" * 32, "-f", "json").out)
    assert row["predicate_type"] == "https://example.org/scan/v1"
    assert json.loads(cli("store", "show", row["id"]).out)["payloadType"] == "application/vnd.in-toto+json"


def statement() -> bytes:
    document = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": "ab" * 32}}],
        "predicateType": "https://example.org/scan/v1",
    }
    return seal(json.dumps(document).encode(), generate("ed25519")).to_json()


def test_findings_are_listed_by_what_they_are(cli: Cli, filled: Path) -> None:
    found = json.loads(cli("store", "list", "findings", "--severity", "high", "-f", "json").out)
    assert found
    assert {row["severity"] for row in found} <= {"high", "critical"}
    rule = found[0]["rule"]
    assert rule in cli("store", "list", "findings", "--rule", rule, "--since", "2026-01-01").out
    none = cli("store", "list", "findings", "--rule", "RDN-XXX-001")
    assert (none.code, none.out) == (0, "")
    assert "no findings in the store fit" in none.err
    assert cli("store", "list", "findings", "--since", "yesterday").code == 2
    wrong = cli("store", "list", "runs", "--rule", rule)
    assert wrong.code == 2
    assert "--rule does not fit runs" in wrong.err


def test_lists_fit_into_eighty_columns(cli: Cli, filled: Path) -> None:
    (filled / "model.intoto.jsonl").write_bytes(statement())
    cli("store", "add", "model.intoto.jsonl")
    for kind in ("runs", "findings", "statements"):
        lines = cli("store", "list", kind).out.splitlines()
        assert lines
        assert max(map(len, lines)) <= 80


def test_a_destroyed_store_is_restored(cli: Cli, filled: Path) -> None:
    made = cli("store", "backup", "b.tar")
    assert made.code == 0
    assert "it can be read only with key" in made.err
    shutil.rmtree(filled / ".redan")
    assert cli("store", "list").code == 3
    assert cli("store", "verify", "b.tar").code == 0
    assert cli("store", "restore", "b.tar", "--sha256", "0" * 64).code == 1
    assert not (filled / ".redan").exists()
    assert cli("store", "restore", "b.tar", "--sha256", made.out.strip()).code == 0
    whole = cli("store", "verify")
    assert (whole.code, whole.out) == (0, "")
    assert cli("store", "show", "-f", "json").out == (filled / "report.json").read_text()
    assert cli("store", "restore", "b.tar").code == 2


def test_a_backup_that_was_touched_is_refused(cli: Cli, filled: Path) -> None:
    cli("store", "backup", "b.tar")
    data = bytearray((filled / "b.tar").read_bytes())
    data[600] ^= 1
    (filled / "b.tar").write_bytes(data)
    for words in (("verify", "b.tar"), ("restore", "b.tar", "--url", "new.db", "--blobs", "new")):
        ended = cli("store", *words)
        assert ended.code == 1
        assert "blobs/" in ended.err
        assert "was changed" in ended.err


def test_a_damaged_store_is_told(cli: Cli, filled: Path) -> None:
    blob = next(path for path in (filled / ".redan/store/blobs").rglob("*") if path.is_file())
    blob.write_bytes(blob.read_bytes()[:-1])
    ended = cli("store", "verify")
    assert ended.code == 1
    assert "was changed" in ended.out
    assert cli("store", "show").code in (1, 3)
    assert cli("store", "backup", "b.tar").code == 1


def test_the_key_is_rotated_and_the_old_one_may_go(cli: Cli, filled: Path) -> None:
    done = cli("store", "rotate", "--to", "file:new.key")
    assert done.code == 0
    assert done.out.endswith(" 1\n")
    (filled / "store.key").unlink()
    new = ("--key", "file:new.key")
    assert cli("store", "verify", *new).code == 0
    assert cli("store", "show", "-f", "json", *new).out == (filled / "report.json").read_text()
    assert stat.S_IMODE((filled / "new.key").stat().st_mode) == 0o600


def test_without_its_key_a_store_lists_and_decides_nothing(cli: Cli, filled: Path) -> None:
    (filled / "redan.toml").unlink()
    assert "hostile.pkl" in cli("store", "list").out
    assert cli("store", "show").code == 3
    ended = cli("store", "verify")
    assert ended.code == 3
    assert "contents were not checked" in ended.err


def test_a_plain_store_says_that_it_is_plain(cli: Cli, tmp_path: Path) -> None:
    made = cli("store", "init")
    assert made.code == 0
    assert "NOT encrypted" in made.err
    assert (tmp_path / ".redan/.gitignore").read_text() == "*\n"
    assert stat.S_IMODE((tmp_path / ".redan/store/redan.db").stat().st_mode) == 0o600
    assert cli("store", "init").code == 2
    assert cli("store", "rotate", "--to", "file:k").code == 2
    assert not (tmp_path / "k").exists()
    assert cli("store", "migrate").code == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("list",), 3, "redan store init"),
        (("migrate",), 3, "there is no store"),
        (("init", "--url", "mysql://h/x"), 2, "cannot be of kind"),
        (("init", "--blobs", "nonsense://x"), 2, "blobs cannot be kept at"),
        (("init", "--key", "store.key"), 2, "is no source of a key"),
        (("init", "--key", "env:NOT_THERE"), 3, "the environment has no NOT_THERE"),
        (("init", "--url", "/proc/none/store.db"), 3, "cannot make the store"),
        (("verify", "nothing.tar"), 3, "cannot read the backup"),
        (("restore", "nothing.tar"), 3, "cannot read the backup"),
    ],
)
def test_what_cannot_be_done_is_said(cli: Cli, words: tuple[str, ...], code: int, said: str) -> None:
    ended = cli("store", *words)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
