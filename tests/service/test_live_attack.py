"""A real gateway is attacked by `redan attack`: monitors find it, a playbook contains it, and the attacker says so."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.siege import ASKED, Crowd, Siege, besieged, digits, leaked, model

from redan.core.settings import Endpoint
from redan.subjects.http import HttpSubject

BENIGN = tuple(f"shop{number}" for number in range(8))
ASKED_EACH = 50
PAGE = Path(__file__).resolve().parents[2] / "docs" / "watching.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fought:
    """What became of it: the reports of a search (eve) and of a theft (mallory), and ordinary clients beside them."""

    siege: Siege
    crowd: Crowd
    reports: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def fought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fought]:
    detectors = ("query-sequence", "extraction-stream")
    with besieged(
        tmp_path_factory.mktemp("siege"), "eve", "mallory", *BENIGN, detectors=detectors, keep="inputs"
    ) as siege:
        with Crowd(siege, BENIGN, rows_each=ASKED_EACH) as crowd:
            search = ("--probe", "hopskipjump", "--norm", "l2", "--limit", "5")
            theft = ("--probe", "knockoff", "--limit", "60", "--param", "queries=300", "--param", "sampling=random")
            reports = {
                "eve": siege.attacks("eve", *search, batch=5, rate_per_s=20),
                "mallory": siege.attacks("mallory", *theft, batch=10, rate_per_s=8, reference="noise.npz"),
            }
        yield Fought(siege=siege, crowd=crowd, reports=reports)


@pytest.mark.parametrize(("who", "rule", "whole"), [("eve", "RDN-EVA-205", 5000), ("mallory", "RDN-THE-201", 960)])
def test_an_attack_opens_an_incident_and_is_contained(fought: Fought, who: str, rule: str, whole: int) -> None:
    stopped = fought.siege.contained(who, wait_s=5)
    assert stopped is not None
    assert rule in stopped.rules
    assert stopped.done_us - stopped.found_us < 5_000_000
    told, ends_s = leaked(fought.siege.acts(), who, stopped), time.monotonic() + 10
    while not told.refused and time.monotonic() < ends_s:
        time.sleep(0.1)  # the last refusals reach the log a moment after they were answered
        told = leaked(fought.siege.acts(), who, stopped)
    assert 0 < told.rows < whole
    assert told.refused > 0


@pytest.mark.parametrize("who", ["eve", "mallory"])
def test_an_attack_that_was_cut_off_is_never_clean_and_tells_its_queries(fought: Fought, who: str) -> None:
    report = fought.reports[who]
    assert report["exit"] in (1, 3)
    assert not report["run"]["complete"]
    (count,) = re.findall(r"contained by the service after ([\d,]+) queries", " ".join(report["gate"]["reasons"]))
    assert int(count.replace(",", "")) <= leaked(fought.siege.acts(), who, None).rows


def test_the_address_alone_tells_the_attacker_how_to_ask(fought: Fought, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", fought.siege.keys[BENIGN[0]])
    x = digits()[0][ASKED][:4]
    answers = []
    for place in ("/v1/models/digits/predict", "/v2/models/digits/infer"):
        with closing(
            HttpSubject(fought.siege.url + place, endpoint=Endpoint(token_env="SHOP_KEY"), sample=x)
        ) as subject:
            assert "scores" in subject.capabilities
            answers.append(subject.scores(x))
    np.testing.assert_allclose(answers[0], model().predict_proba(x), atol=1e-5)
    np.testing.assert_allclose(answers[0], answers[1])


def test_nobody_else_was_disturbed(fought: Fought) -> None:
    assert fought.crowd.answered == dict.fromkeys(BENIGN, ASKED_EACH)
    named = {client for incident in fought.siege.incidents() for client in incident.clients}
    assert named == {"client:eve", "client:mallory"}


def test_its_log_says_offline_what_the_monitors_said_live(fought: Fought) -> None:
    live = {
        (entry.body["rule"], entry.body["client"])
        for incident in fought.siege.incidents()
        for entry in incident.entries
        if entry.body.get("rule") and entry.body.get("client")
    }
    (line,) = re.findall(r"^redan watch .*extraction-stream.npz$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    report = fought.siege.runs(line)
    assert [each["outcome"] for each in report["probes"]] == ["ran", "ran"]
    assert live == {
        (finding["rule"], place["address"])
        for finding in report["findings"]
        for place in finding["locations"]
        if place["uri"] == "client"
    }
    assert {client for _, client in live} == {"client:eve", "client:mallory"}
