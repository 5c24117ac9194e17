"""`redan log` as its users meet it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Cli


@pytest.fixture
def log(cli: Cli, tmp_path: Path) -> Path:
    """A log of three entries, with its key beside it."""
    assert cli("key", "new", "log.key", "--kind", "ed25519").code == 0
    assert cli("log", "init", "audit", "--origin", "example.com/audit", "--key", "log.key").code == 0
    for i in range(3):
        (tmp_path / f"entry{i}").write_text(f"entry {i}\n", encoding="utf-8")
    ended = cli("log", "append", "audit", "entry0", "entry1", "entry2", "-k", "log.key")
    assert (ended.code, ended.out) == (0, "0\n1\n2\n")
    return tmp_path / "audit"


def test_entries_are_shown_as_they_were_recorded(cli: Cli, log: Path) -> None:
    assert cli("log", "show", "audit", 1).out == "entry 1\n"
    assert cli("log", "show", "audit").out.startswith("example.com/audit\n3\n")
    rows = [json.loads(line) for line in cli("log", "show", "audit", "--from", 1).out.splitlines()]
    assert rows == [{"index": 1, "text": "entry 1\n"}, {"index": 2, "text": "entry 2\n"}]
    ended = cli("log", "show", "audit", 3)
    assert (ended.code, ended.out) == (2, "")
    assert "no entry 3" in ended.err


def test_a_good_log_verifies_and_a_changed_one_does_not(cli: Cli, log: Path) -> None:
    cli("log", "checkpoint", "audit", "-k", "log.key", "-o", "outside")
    ended = cli("log", "verify", "audit", "--key", "log.key.pub", "--against", "outside")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "example.com/audit: 3 entries are as they were signed, as 1 checkpoint(s) kept elsewhere say\n"
    path = log / "tile/entries/000.p/3"
    path.write_bytes(path.read_bytes().replace(b"entry 1", b"entry X"))
    ended = cli("log", "verify", "audit", "--key", "log.key.pub")
    assert ended.code == 1
    assert "entry 1 was changed" in ended.out
    document = json.loads(cli("log", "verify", "audit", "--key", "log.key.pub", "-f", "json").out)
    assert document["size"] == 3
    assert len(b64decode(document["root"])) == 32
    assert document["problems"][0] == {"kind": "changed", "index": 1, "message": "entry 1 was changed"}
    assert cli("log", "append", "audit", "entry0", "-k", "log.key").code == 3


def test_without_a_key_the_folders_own_is_named_as_weak(cli: Cli, log: Path) -> None:
    ended = cli("log", "verify", "audit")
    assert ended.code == 0
    assert "proves little" in ended.err
    assert cli("log", "verify", "audit", "--key", log / "log.vkey").code == 0
    assert cli("log", "verify", "audit", "--key", (log / "log.vkey").read_text()).code == 0
    cli("key", "new", "other.key", "--kind", "ed25519")
    ended = cli("log", "verify", "audit", "--key", "other.key.pub")
    assert ended.code == 1
    assert "did not sign this checkpoint" in ended.out


def test_rollback_is_found_by_a_checkpoint_kept_elsewhere(cli: Cli, log: Path) -> None:
    cli("log", "checkpoint", "audit", "-k", "log.key", "-o", "outside")
    cli("log", "init", "again", "--origin", "example.com/audit", "-k", "log.key")
    cli("log", "append", "again", "entry0", "-k", "log.key")
    ended = cli("log", "verify", "again", "-k", "log.key.pub", "--against", "outside")
    assert ended.code == 1
    assert "rolled back: a checkpoint kept elsewhere covers 3 entries, this log has 1" in ended.out


def test_proofs_verify_offline(cli: Cli, log: Path, tmp_path: Path) -> None:
    cli("log", "checkpoint", "audit", "-k", "log.key", "-o", "older")
    cli("log", "append", "audit", "entry0", "-k", "log.key")
    assert cli("log", "prove", "audit", "--entry", 1, "-o", "one.tlog-proof").code == 0
    assert cli("log", "prove", "audit", "--since", "older", "-o", "since").code == 0
    log.rename(tmp_path / "gone")
    ended = cli("log", "verify", "one.tlog-proof", "--entry", "entry1", "-k", "log.key.pub")
    assert (ended.code, ended.out) == (0, "entry1 is entry 1 of example.com/audit, under a checkpoint of 4 entries\n")
    assert cli("log", "verify", "one.tlog-proof", "--entry", "entry2", "-k", "log.key.pub").code == 1
    ended = cli("log", "verify", "since", "--against", "older", "-k", "log.key.pub")
    assert (ended.code, ended.out) == (0, "example.com/audit: 4 entries begin with the 3 that were signed before\n")
    for words in (["one.tlog-proof"], ["one.tlog-proof", "-k", "log.key.pub"], ["since", "-k", "log.key.pub"]):
        assert cli("log", "verify", *words).code == 2
    assert cli("log", "verify", "entry0", "-k", "log.key.pub").code == 3
    assert cli("log", "verify", "absent", "-k", "log.key.pub").code == 3


def test_lines_of_standard_input_are_entries(cli: Cli, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n\nlast \xff")))
    assert cli("log", "append", "audit", "--lines", "-k", "log.key").out == "3\n4\n5\n"
    rows = [json.loads(line) for line in cli("log", "show", "audit", "--from", 3).out.splitlines()]
    assert rows == [{"index": 3, "text": "a"}, {"index": 4, "text": ""}, {"index": 5, "base64": "bGFzdCD/"}]


def test_a_witness_in_another_folder_signs_what_continues(cli: Cli, log: Path) -> None:
    cli("key", "new", "witness.key", "--kind", "ed25519")
    words = ("--to", "elsewhere", "--name", "w.example", "-k", "witness.key")
    ended = cli("log", "witness", "audit", *words, "-o", "cosigned")
    assert ended.code == 0
    assert "\n— w.example " in Path("cosigned").read_text(encoding="utf-8")
    assert cli("log", "verify", "audit", "-k", "log.key.pub", "--against", "cosigned").code == 0
    assert "— w.example " in cli("log", "prove", "audit", "--entry", 0, "--checkpoint", "cosigned").out
    cli("log", "init", "fork", "--origin", "example.com/audit", "-k", "log.key")
    cli("log", "append", "fork", "entry2", "entry1", "entry0", "entry0", "-k", "log.key")
    ended = cli("log", "witness", "fork", *words)
    assert (ended.code, ended.out) == (1, "")
    assert "does not continue the 3 entries signed before" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["init", "audit", "--origin", "x", "-k", "log.key"], "is not empty"),
        (["init", "new", "--origin", "a b", "-k", "log.key"], "cannot be the name"),
        (["init", "new", "--origin", "x", "-k", "p256.key"], "Ed25519"),
        (["append", "audit", "-k", "log.key"], "nothing to record"),
        (["append", "audit", "entry0", "--lines", "-k", "log.key"], "files and --lines together"),
        (["prove", "audit"], "what shall be proved"),
        (["prove", "audit", "--entry", "9"], "no entry 9"),
        (["verify", "audit", "--entry", "entry0"], "belongs to a proof"),
        (["witness", "audit", "--to", "elsewhere"], "needs --name and --key"),
        (["witness", "audit", "--to", "elsewhere", "--name", "w", "-k", "log.key"], "log's own key"),
        (["witness", "audit", "--to", "http://127.0.0.1:9"], "needs --witness-key"),
        (["witness-server", "seen", "--name", "w", "-k", "log.key", "--log", "x"], "no key of a log"),
    ],
)
def test_wrong_words_are_told(cli: Cli, log: Path, words: list[str], said: str) -> None:
    cli("key", "new", "p256.key")
    ended = cli("log", *words)
    assert ended.code in {2, 3}
    assert said in ended.err
    assert ended.out == ""


def test_a_witness_over_http_signs_what_continues(
    cli: Cli, log: Path, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    cli("key", "new", "witness.key", "--kind", "ed25519")
    key = (log / "log.vkey").read_text().strip()
    words = ("--name", "w.example", "-k", "witness.key", "--log", key, "--listen", "127.0.0.1:0")
    with spawn("log", "witness-server", "seen", *words) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        witness_key = server.stdout.readline().strip()
        url = "http://" + server.stderr.readline().split()[-1]
        try:
            ended = cli("log", "witness", "audit", "--to", url, "--witness-key", witness_key)
            assert (ended.code, ended.out.count("\n— w.example ")) == (0, 1)
        finally:
            os.kill(server.pid, signal.SIGINT)
        assert server.wait(20) == 130
    assert len([p for p in Path("seen").iterdir() if p.suffix == ".checkpoint"]) == 1


def test_the_page_about_the_log_works_word_for_word(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/log.md").read_text(encoding="utf-8")
    script = "".join(re.findall(r"^```bash\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL))
    program = re.search(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert program is not None
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    (tmp_path / "second.json").write_text("[]", encoding="utf-8")
    (tmp_path / "program.py").write_text(program[1], encoding="utf-8")
    words = f'redan() {{ {sys.executable} -m redan.cli "$@"; }}\nset -e\n{script}\n{sys.executable} program.py\n'
    ended = subprocess.run(["bash", "-c", words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "as 1 checkpoint(s) kept elsewhere say" in ended.stdout
    assert "b'durable when this returns' 3 c2sp.org/tlog-proof@v1" in ended.stdout
