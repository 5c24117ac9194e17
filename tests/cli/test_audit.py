"""`redan audit` as its users meet it, on the files of a gateway that is not running."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli

from redan.core import config as configuration
from redan.evidence.log import LogReader
from redan.kernels.merkle import tiles
from redan.service.audit.act import Act
from redan.service.audit.recorder import open_auditor

TOML = """
[serve]
name = "gateway-1"
[audit]
keep = "inputs"
redact = ["client"]
"""
BODY = b'{"rows": [[1, 2, 3]]}'
NOW_US = 1_700_000_000_000_000
Fill = Callable[..., Path]


def acts(n: int) -> list[Act]:
    given: list[Act] = []
    for i in range(n):
        more: dict[str, Any] = {"input": b64encode(BODY).decode()} if i == 5 else {}
        given.append(
            Act(
                t_us=NOW_US + i * 1_000_000,
                who=f"client:{'alice' if i % 3 else 'bob'}",
                act="predict",
                model=f"credit@{1 + i % 2}",
                x=sha256(BODY).hexdigest() if i == 5 else "",
                ok=i % 4 != 0,
                why="" if i % 4 else "rate",
                addr=f"10.0.0.{i % 5}",
                id=f"=request{i}",
                by="gateway-1",
                more=more or None,
            )
        )
    return given


@pytest.fixture
def fill(cli: Cli, tmp_path: Path) -> Fill:
    """Record acts as a gateway does, and stop it."""

    def call(n: int, toml: str = TOML) -> Path:
        (tmp_path / "redan.toml").write_text(toml, encoding="utf-8")
        read = configuration.load(file=tmp_path / "redan.toml", root=tmp_path, environ={})

        async def serve() -> None:
            auditor = open_auditor(read.settings, read.root, "gateway-1")
            await auditor.start()
            if (wait := auditor.commit(acts(n))) is not None:
                await wait
            await auditor.stop()

        asyncio.run(serve())
        return tmp_path / ".redan/service/audit/gateway-1"

    return call


def test_records_are_found_by_client_model_time_and_verdict(cli: Cli, fill: Fill) -> None:
    fill(40)
    rows = json.loads(cli("audit", "query", "--client", "bob", "--format", "json").out)
    assert [row["index"] for row in rows] == [i for i in range(39, -1, -1) if i % 3 == 0]
    assert all(row["who"].startswith("~") for row in rows), "the log holds pseudonyms, the question a name"
    denied = json.loads(cli("audit", "query", "--verdict", "denied", "--model", "credit", "-f", "json").out)
    assert [row["index"] for row in denied] == [36, 32, 28, 24, 20, 16, 12, 8, 4, 0]
    until = "2023-11-14T22:13:30"  # ten seconds after the first record
    assert len(json.loads(cli("audit", "query", "--until", until, "-f", "json").out)) == 10
    assert len(json.loads(cli("audit", "history", "alice", "-f", "json").out)) == 26
    ended = cli("audit", "query", "--why", "rate", "--limit", 2)
    assert "denied: rate" in ended.out
    assert "only the newest 2" in ended.err
    assert max(map(len, cli("audit", "query", "--address", "10.0.0.3").out.splitlines())) <= 120
    ended = cli("audit", "query", "--client", "nobody")
    assert (ended.code, ended.out, ended.err) == (0, "", "no record fits\n")
    ended = cli("audit", "query", "--since", "yesterday")
    assert (ended.code, "no time" in ended.err) == (2, True)


def test_a_spreadsheet_takes_nothing_for_a_formula(cli: Cli, fill: Fill) -> None:
    fill(3)
    rows = list(csv.DictReader(io.StringIO(cli("audit", "query", "--format", "csv").out)))
    assert [row["id"] for row in rows] == ["'=request2", "'=request1", "'=request0"]


def test_one_record_is_shown_with_a_proof_that_verifies(cli: Cli, fill: Fill, tmp_path: Path) -> None:
    folder = fill(10)
    shown = json.loads(cli("audit", "show", 7).out)
    assert json.loads(shown["entry"])["id"] == "=request7"
    (tmp_path / "entry").write_text(shown["entry"], encoding="utf-8")
    (tmp_path / "proof").write_text(shown["proof"], encoding="utf-8")
    ended = cli("log", "verify", "proof", "--entry", "entry", "--key", folder / "log.vkey")
    assert (ended.code, "is entry 7 of redan/gateway-1" in ended.out) == (0, True)
    assert cli("audit", "show", 10).code == 2
    assert cli("audit", "show", 0, "--replica", "other").code == 2


def test_verify_notices_changes_of_the_log_and_of_the_index(cli: Cli, fill: Fill, tmp_path: Path) -> None:
    folder = fill(300)
    assert cli("audit", "index").out == "gateway-1: 300 records indexed\n"
    ended = cli("audit", "verify", "--key", folder / "log.vkey")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("logs and index are as they were signed\n")
    import sqlite3

    with sqlite3.connect(tmp_path / ".redan/service/service.db") as index:
        index.execute("UPDATE audit_records SET entry = replace(entry, '=request9', '=request8') WHERE \"index\" = 9")
        index.execute('DELETE FROM audit_records WHERE "index" = 299')
    index.close()
    ended = cli("audit", "verify")
    assert ended.code == 1
    assert "record 9 reads differently" in ended.out
    assert "records 299 to 299 are missing" in ended.out
    assert cli("audit", "index", "--rebuild").out == "gateway-1: 300 records indexed\n"
    assert cli("audit", "verify").code == 0
    bundle = folder / tiles.path(tiles.ENTRIES, 0)
    bundle.write_bytes(bundle.read_bytes().replace(b"=request4", b"=request5"))
    ended = cli("audit", "verify")
    assert (ended.code, "was changed" in ended.out) == (1, True)


def test_an_export_verifies_and_a_changed_one_does_not(cli: Cli, fill: Fill, tmp_path: Path) -> None:
    folder = fill(30)
    key = folder / "log.vkey"
    assert cli("audit", "export", "--from", 3, "--to", 20, "-o", "records.jsonl").code == 0
    ended = cli("audit", "verify", "records.jsonl", "--key", key)
    assert (ended.code, ended.out) == (0, "17 records are as they were signed\n")
    data = (tmp_path / "records.jsonl").read_bytes()
    assert prove(data.decode().splitlines()) == list(range(3, 20))
    (tmp_path / "records.jsonl").write_bytes(data.replace(b"=request9", b"=request8"))
    assert cli("audit", "verify", "records.jsonl", "--key", key).code == 1
    (tmp_path / "records.jsonl").write_bytes(b"{}\n")
    assert cli("audit", "verify", "records.jsonl", "--key", key).code == 3
    last = json.loads(cli("audit", "query", "--act", "audit.export", "-f", "json").out)
    assert [row["rows"] for row in last] == [17], "taking records away is a record"


def prove(lines: list[str]) -> list[int]:
    """Check an export with nothing but hashing: RFC 9162, section 2.1.3.2; the signature is the other half."""
    from base64 import b64decode

    head = json.loads(lines[0])["checkpoint"].splitlines()
    size, root = int(head[1]), b64decode(head[2])
    proved = []
    for line in lines[1:]:
        record = json.loads(line)
        node, last = record["index"], size - 1
        found = sha256(b"\0" + record["entry"].encode()).digest()
        for text in record["proof"]:
            other = b64decode(text)
            if node & 1 or node == last:
                found = sha256(b"\1" + other + found).digest()
                while node and not node & 1:
                    node, last = node >> 1, last >> 1
            else:
                found = sha256(b"\1" + found + other).digest()
            node, last = node >> 1, last >> 1
        assert last == 0
        assert found == root
        proved.append(record["index"])
    return proved


def test_pruning_keeps_proofs_and_is_a_record(cli: Cli, fill: Fill) -> None:
    folder = fill(600)
    assert cli("audit", "index").code == 0
    ended = cli("audit", "prune", "--older-than", "1w")
    assert ended.out.startswith("gateway-1: 512 records pruned, 512 in all")
    ended = cli("audit", "verify")
    assert ended.code == 0
    assert "601 signed records, the first 512 of them as hashes only" in ended.out
    rows = json.loads(cli("audit", "query", "--limit", 1000, "-f", "json").out)
    assert (len(rows), rows[0]["act"], rows[-1]["index"]) == (89, "audit.prune", 512)
    ended = cli("audit", "show", 3)
    assert (ended.code, "pruned" in ended.err) == (3, True)
    assert cli("audit", "verify").code == 0
    assert LogReader(folder).pruned == 512
    assert cli("audit", "prune").code == 2


def test_what_was_kept_is_shown_and_erased(cli: Cli, fill: Fill, tmp_path: Path) -> None:
    folder = fill(10)
    everything = b"".join(p.read_bytes() for p in folder.parent.rglob("*") if p.is_file())
    assert b"rows" not in everything.replace(b'"rows":', b"")
    assert b64encode(BODY)[:12] not in everything
    assert cli("audit", "show", 5, "--kept", "input", "--who", "client:alice").out == BODY.decode() + "\n"
    assert cli("audit", "show", 5, "--kept", "input", "--who", "client:bob").code == 3
    assert cli("audit", "erase", "alice").code == 2
    assert cli("audit", "erase", "client:alice").out == "1 kept bodies of client:alice erased, and their key\n"
    assert cli("audit", "show", 5, "--kept", "input", "--who", "client:alice").code == 3
    assert cli("audit", "verify").code == 0
    last = json.loads(cli("audit", "query", "--act", "audit.erase", "-f", "json").out)
    assert [row["more"]["client"][0] for row in last] == ["~"]


def test_without_a_log_the_next_step_is_told(cli: Cli, tmp_path: Path) -> None:
    ended = cli("audit", "verify")
    assert (ended.code, "no audit log yet" in ended.err) == (2, True)
    assert cli("audit", "query").code == 0
    assert cli("audit", "show", 0).code == 2
