"""`redan incident` as its users meet it: no server runs, and what is ordered waits for one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.cli.conftest import Cli


@pytest.fixture
def opened(cli: Cli) -> Cli:
    """One incident, opened by hand."""
    ended = cli(
        "incident", "open", "strange answers", "--threat", "theft", "--client", "client:eve", "--subject", "fraud"
    )
    assert (ended.code, ended.out) == (0, "1\n")
    return cli


def acts(cli: Cli, tmp_path: Path) -> list[dict[str, object]]:
    """Return what the audit log holds."""
    (folder,) = [path.parent for path in (tmp_path / ".redan/service/audit").glob("*/checkpoint")]
    rows = cli("log", "show", folder, "--from", 0).out.splitlines()
    return [json.loads(json.loads(row)["text"]) for row in rows]


def test_an_incident_is_listed_shown_and_recorded(opened: Cli, tmp_path: Path) -> None:
    assert opened("incident", "note", "1", "asked the customer").code == 0
    ended = opened("incident", "list")
    assert (ended.code, ended.out.split()[:3]) == (1, ["1", "open", "high"])
    shown = opened("incident", "show", "1", "--format", "json")
    timeline = json.loads(shown.out)["timeline"]
    assert [entry["kind"] for entry in timeline] == ["opened", "note"]
    recorded = acts(opened, tmp_path)
    assert [act["x"] for act in recorded] == [entry["sha256"] for entry in timeline]
    assert all(str(act["who"]).startswith("local:") for act in recorded)
    assert all(len(line) <= 120 for line in opened("incident", "show", "1").out.splitlines())


def test_a_step_is_ordered_and_waits_for_a_gateway(opened: Cli) -> None:
    ended = opened("incident", "run", "1", "model-theft", "suspend", "--wait", "0")
    assert ended.code == 3
    assert "a running gateway does it" in ended.err
    four = opened("incident", "run", "1", "model-theft", "revoke", "--wait", "0")
    assert "another person must approve" in four.err
    again = opened("incident", "approve", "1", "model-theft", "revoke")
    assert again.code == 2
    assert "another person must" in again.err
    assert opened("incident", "release", "1", "model-theft", "suspend").code == 2


def test_a_wrong_name_gets_the_nearest_as_advice(opened: Cli) -> None:
    for words, near in (
        (("model-thef", "suspend"), "model-theft"),
        (("model-theft", "suspnd"), "suspend"),
    ):
        ended = opened("incident", "run", "1", *words)
        assert ended.code == 2
        assert near in ended.err
    assert opened("incident", "show", "7").code == 2


def test_contain_orders_what_fits_or_writes_down_what_people_did(opened: Cli) -> None:
    assert "model-theft/slow: ordered" in opened("incident", "contain", "1", "--wait", "0").out
    assert opened("incident", "contain", "1", "--note", "unplugged").code == 0
    assert opened("incident", "list").out.split()[1] == "contained"


def test_a_breach_starts_the_clock_and_is_drafted(opened: Cli, tmp_path: Path) -> None:
    assert opened("incident", "notify", "1", "--to", "authority").code == 2
    assert "72.0 h left" in opened("incident", "breach", "1", "rows leaked").err
    ended = opened("incident", "notify", "1", "--to", "authority", "-o", "n.md")
    assert ended.code == 0
    assert "[UNKNOWN" in (tmp_path / "n.md").read_text()
    assert "article 33: due" in opened("incident", "list").out
    assert opened("incident", "breach", "1", "again").code == 2


def test_closing_needs_a_filled_post_mortem(opened: Cli, tmp_path: Path) -> None:
    assert opened("incident", "postmortem", "1", "-o", "p.md").code == 0
    page = tmp_path / "p.md"
    ended = opened("incident", "close", "1", "--postmortem", "p.md")
    assert ended.code == 2
    assert "TO FILL" in ended.err
    page.write_text(re.sub("TO FILL.*", "Known.", page.read_text()))
    assert opened("incident", "close", "1", "--postmortem", "p.md").code == 0
    ended = opened("incident", "list")
    assert (ended.code, ended.out.split()[1]) == (0, "closed")
    assert opened("incident", "run", "1", "model-theft", "suspend", "--wait", "0").code == 2


def test_a_drill_fails_with_reasons_and_is_recorded(cli: Cli, tmp_path: Path) -> None:
    ended = cli("incident", "drill", "model-theft")
    assert ended.code == 1
    assert "nowhere to send alerts" in ended.out
    assert "first containment:" in ended.out
    assert acts(cli, tmp_path)[-1]["why"] == "drill"
    (tmp_path / "redan.toml").write_text('[alerts]\nsyslog = "udp://127.0.0.1:9"\n')
    passed = cli("incident", "drill", "model-theft", "--format", "json")
    assert passed.code == 0
    assert json.loads(passed.out)["passed"]


def test_playbooks_are_listed_and_judged(cli: Cli, tmp_path: Path) -> None:
    assert "model-theft" in cli("incident", "playbooks").out
    (tmp_path / "own.toml").write_text(
        'name = "own"\ntitle = "x"\n[when]\nthreats = ["theft"]\n[[steps]]\nname = "a"\ndo = "suspnd"\n'
    )
    ended = cli("incident", "playbooks", "--validate", "own.toml")
    assert ended.code == 2
    assert "step 1 ('a')" in ended.err
    assert "suspend" in ended.err


def test_what_somebody_else_wrote_moves_no_cursor(cli: Cli) -> None:
    cli("incident", "open", "x\x1b[2Jy", "--client", "client:\x1b[31m")
    shown = cli("incident", "show", "1").out + cli("incident", "list").out
    assert "\x1b" not in shown


def test_a_client_is_held_back_by_a_person_listed_recorded_and_let_go(cli: Cli, tmp_path: Path) -> None:
    assert cli("identity", "init", "--admin", "ann").code == 0
    assert cli("identity", "client", "add", "shop").code == 0
    assert (cli("incident", "held").code, cli("incident", "held").out) == (0, "")
    assert cli("incident", "throttle", "client:nobody").code == 2
    assert cli("incident", "throttle", "client:shop", "--rate", "0", "--for", "2h").code == 0
    ended = cli("incident", "held")
    assert (ended.code, ended.out.split()[:2]) == (1, ["client:shop", "suspended"])
    assert ended.out.rstrip().endswith("a person")
    assert cli("incident", "throttle", "client:shop", "--rate", "0.5").code == 0
    (found,) = json.loads(cli("incident", "held", "--format", "json").out)
    assert (found["client"], found["rate_per_s"], found["incidents"]) == ("client:shop", 0.5, [])
    assert cli("incident", "let-go", "client:shop").code == 0
    assert cli("incident", "held").code == 0
    did = [(act["act"], act["more"]) for act in acts(cli, tmp_path) if act["act"] == "clients.throttle"]
    assert [more["did"] for _, more in did] == ["suspended", "throttled", "released"]  # type: ignore[index]
    assert all(more["client"] == "client:shop" for _, more in did)  # type: ignore[index]
