"""`redan identity` as its users meet it: no server runs."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from pathlib import Path

import pytest
from tests.cli.conftest import Cli

KEY = re.compile(r"redan_([a-z0-9]{12})_[A-Za-z0-9_-]{43}\n")


@pytest.fixture
def started(cli: Cli) -> Cli:
    """An administrator ann and a client shop."""
    ended = cli("identity", "init", "--admin", "ann")
    assert (ended.code, ended.out) == (0, "user:ann\n")
    assert "next: redan identity user password ann" in ended.err
    assert cli("identity", "client", "add", "shop", "--role", "client", "--model", "fraud").out == "client:shop\n"
    return cli


def acts(cli: Cli, tmp_path: Path) -> list[dict[str, object]]:
    """Return what the audit log holds."""
    (folder,) = [path for path in (tmp_path / ".redan/service/audit").iterdir() if path.is_dir()]
    rows = cli("log", "show", folder, "--from", 0).out.splitlines()
    return [json.loads(json.loads(row)["text"]) for row in rows]


def test_without_a_database_it_says_how_to_make_one(cli: Cli, tmp_path: Path) -> None:
    ended = cli("identity", "review")
    assert (ended.code, ended.out) == (2, "")
    assert "redan identity init" in ended.err
    assert not (tmp_path / ".redan").exists()


def test_the_first_administrator_is_made_once(started: Cli) -> None:
    ended = started("identity", "init", "--admin", "eve")
    assert ended.code == 2
    assert "there is an administrator already: user:ann" in ended.err


def test_a_key_is_shown_once_and_its_life_is_listed(started: Cli) -> None:
    made = started("identity", "key", "new", "client:shop", "--expires", "30d", "--scope", "predict:fraud")
    assert made.code == 0
    match = KEY.fullmatch(made.out)
    assert match is not None
    assert made.out.strip() not in made.err
    (row,) = json.loads(started("identity", "key", "list", "-f", "json").out)
    assert (row["id"], row["state"], row["scope"]) == (match[1], "good", "predict:fraud")
    rotated = started("identity", "key", "rotate", match[1], "--overlap", "1h")
    assert KEY.fullmatch(rotated.out)
    assert started("identity", "key", "revoke", match[1]).code == 0
    states = [row["state"] for row in json.loads(started("identity", "key", "list", "client:shop", "-f", "json").out)]
    assert states == ["revoked", "good"]
    ended = started("identity", "key", "rotate", match[1])
    assert (ended.code, ended.out) == (2, "")


def test_a_client_and_its_key_are_made_at_once(started: Cli) -> None:
    made = started("identity", "client", "add", "till", "--role", "client", "--key")
    match = KEY.fullmatch(made.out)
    assert match is not None
    (row,) = json.loads(started("identity", "key", "list", "client:till", "-f", "json").out)
    assert (row["id"], row["state"], row["scope"]) == (match[1], "good", "")


def test_every_change_is_in_the_audit_log_and_no_secret_is(started: Cli, tmp_path: Path) -> None:
    text = started("identity", "key", "new", "client:shop").out.strip()
    token = started("identity", "token", "mint", "client:shop").out.strip()
    started("identity", "grant", "client:shop", "monitor")
    started("identity", "revoke", "client:shop", "monitor")
    started("identity", "client", "disable", "shop")
    refused = started("identity", "user", "disable", "ann")
    assert refused.code == 2
    found = acts(started, tmp_path)
    assert [act["more"]["did"] for act in found] == [  # type: ignore[index]
        "initialised", "client added", "key made", "token minted", "role given", "role taken", "client disabled",
    ]  # fmt: skip
    assert all(str(act["who"]).startswith("local:") and act["act"] == "identity.write" for act in found)
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".redan").rglob("*") if path.is_file())
    for secret in (text[20:], token, token.rpartition(".")[2]):
        assert secret.encode() not in kept


def test_a_change_that_cannot_be_recorded_is_not_made(started: Cli, tmp_path: Path) -> None:
    (folder,) = [path for path in (tmp_path / ".redan/service/audit").iterdir() if path.is_dir()]
    (folder / "checkpoint").write_bytes(b"broken")
    ended = started("identity", "client", "add", "other")
    assert ended.code in (1, 2, 3)
    assert [row["id"] for row in json.loads(started("identity", "client", "list", "-f", "json").out)] == ["client:shop"]


def test_the_review_tells_who_has_what_and_what_must_be_decided(started: Cli, tmp_path: Path) -> None:
    ended = started("identity", "review")
    assert ended.code == 1
    assert "! user:ann: may identity.write and has no second factor" in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines())
    rows = json.loads(started("identity", "review", "-f", "json").out)
    shop = next(row for row in rows if row["subject"] == "client:shop")
    assert (shop["role"], shop["model"], shop["used"], shop["open"]) == ("client", "fraud", None, False)
    assert shop["actions"] == ["explain", "feedback", "predict"]
    table = list(csv.DictReader(io.StringIO(started("identity", "review", "-f", "csv").out)))
    assert [row["subject"] for row in table] == ["client:shop", "user:ann"]
    database = sqlite3.connect(tmp_path / ".redan/service/service.db")
    with database:
        database.execute("UPDATE identity_subjects SET created_us = created_us - 91 * 86400000000")
    database.close()
    ended = started("identity", "review", "--open", "-f", "json")
    codes = {row["subject"]: [r["code"] for r in row["remarks"] if r["open"]] for row in json.loads(ended.out)}
    assert codes == {"client:shop": ["never-used"], "user:ann": ["never-used", "no-second-factor"]}


def test_a_decision_settles_a_review_and_is_recorded(started: Cli, tmp_path: Path) -> None:
    words = ("identity", "decide", "user:ann", "administrator")
    assert started(*words, "keep", "--note", "enrols tomorrow").code == 0
    assert started("identity", "review").code == 0
    refused = started(*words, "revoke")
    assert (refused.code, "last administrator" in refused.err) == (2, True)
    assert started("identity", "decide", "client:shop", "client", "revoke", "--model", "fraud").code == 0
    (row,) = [
        row for row in json.loads(started("identity", "review", "-f", "json").out) if row["subject"] == "client:shop"
    ]
    assert (row["role"], [r["code"] for r in row["remarks"]]) == ("", ["never-used", "no-role"])
    assert acts(started, tmp_path)[-1]["more"]["decision"] == "revoke"  # type: ignore[index]


def test_a_cell_that_a_spreadsheet_would_run_is_text(started: Cli) -> None:
    started("identity", "client", "add", "evil", "--title", "=HYPERLINK(1)")
    table = csv.DictReader(io.StringIO(started("identity", "review", "-f", "csv").out))
    assert [row["title"] for row in table if row["subject"] == "client:evil"] == ["'=HYPERLINK(1)"]


def test_tokens_are_signed_without_a_server_and_their_key_is_rotated(started: Cli) -> None:
    first = started("identity", "token", "mint", "client:shop", "--ttl", "1h").out
    kid = started("identity", "token", "rotate").out.strip()
    second = started("identity", "token", "mint", "client:shop").out
    assert first.partition(".")[0] != second.partition(".")[0]
    assert started("identity", "token", "distrust", kid).code == 0
    ended = started("identity", "token", "mint", "client:shop")
    assert (ended.code, ended.out) == (3, "")
    assert "was revoked" in ended.err
    assert started("identity", "token", "distrust", "nothing").code == 2
    assert started("identity", "token", "mint", "client:shop", "--ttl", "25h").code == 2


def test_a_person_gets_a_password_from_the_environment(started: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEW", "a long and odd sentence 91")
    ended = started("identity", "user", "password", "ann", "--password-env", "NEW")
    assert (ended.code, ended.out) == (0, "")
    assert "odd sentence" not in ended.err
    monkeypatch.setenv("NEW", "password")
    assert started("identity", "user", "password", "ann", "--password-env", "NEW").code == 2
    assert started("identity", "user", "reset-factors", "ann").code == 0


def test_roles_of_redan_toml_are_roles(started: Cli, tmp_path: Path) -> None:
    (tmp_path / "redan.toml").write_text(
        '[[identity.roles]]\nname = "asker"\nactions = ["predict"]\n', encoding="utf-8"
    )
    assert started("identity", "grant", "client:shop", "asker").code == 0
    assert "asker (redan.toml)" in started("identity", "role", "list").out
    (tmp_path / "redan.toml").write_text("", encoding="utf-8")
    rows = json.loads(started("identity", "review", "-f", "json").out)
    assert [r["code"] for row in rows if row["role"] == "asker" for r in row["remarks"] if r["open"]] == ["role-gone"]
    (tmp_path / "redan.toml").write_text('[[identity.roles]]\nname = "x"\nactions = ["fly"]\n', encoding="utf-8")
    assert started("identity", "review").code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("client", "add", "a b"),
        ("client", "add", "shop"),
        ("grant", "client:nobody", "client"),
        ("grant", "client:shop", "nothing"),
        ("grant", "client:shop", "client", "--model", "../x"),
        ("revoke", "client:shop", "operator"),
        ("key", "new", "client:nobody"),
        ("key", "new", "client:shop", "--expires", "3000w"),
        ("key", "new", "client:shop", "--scope", "fly"),
        ("key", "revoke", "nothing"),
        ("decide", "client:shop", "operator", "keep"),
    ],
)
def test_wrong_words_are_told_and_change_nothing(started: Cli, words: tuple[str, ...]) -> None:
    before = started("identity", "review", "-f", "json").out
    ended = started("identity", *words)
    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err
    assert started("identity", "review", "-f", "json").out == before
