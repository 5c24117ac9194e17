"""The probes of data sets, on folders as people have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from redan.core.finding import Finding, Severity
from redan.core.report import Report
from redan.evidence.datasets import schema
from redan.evidence.datasets.manifest import Card, measure, to_json
from redan.evidence.datasets.reading import read_table
from redan.evidence.keys import generate, save
from redan.runner.plan import Choice
from redan.runner.scan import scan

CARD = Card(licence="CC0-1.0")


def judged(path: Path, probe: str, **params: str) -> Report:
    return scan(path, choice=Choice(threats=("supply_chain",), probes=(probe,), params=params))


def told(report: Report) -> list[tuple[str, str]]:
    return [(f.rule, f.title) for f in report.findings]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with data and a signed manifest beside it; the key lies outside."""
    folder = tmp_path / "project"
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "a.csv").write_text("age,city\n30,Bern\n")
    (folder / "train" / "b.csv").write_text("age,city\n41,Basel\n")
    signer = generate()
    save(signer, tmp_path / "key")
    (folder / "train.manifest.json").write_bytes(to_json(measure(folder / "train", card=CARD), signer))
    return folder


def key(project: Path) -> str:
    return str(project.parent / "key.pub")


def test_signed_and_unchanged_data_has_no_findings(project: Path) -> None:
    report = judged(project, "data-sets", keys=key(project))
    assert told(report) == []
    assert [e.path for e in report.examined] == ["train.manifest.json"]


def test_each_difference_has_its_rule_and_place(project: Path) -> None:
    (project / "train" / "a.csv").write_text("age,city\n99,Bern\n")
    (project / "train" / "b.csv").unlink()
    (project / "train" / "c.csv").write_text("age,city\n1,Rome\n")
    report = judged(project, "data-sets", keys=key(project))
    found = {f.rule: [place.uri for place in f.locations] for f in report.findings}
    assert found == {
        "RDN-SUP-031": ["train/a.csv", "train.manifest.json"],
        "RDN-SUP-032": ["train/c.csv", "train.manifest.json"],
        "RDN-SUP-033": ["train/b.csv", "train.manifest.json"],
    }
    assert report.gate.exit_code == 1


def test_a_manifest_that_nobody_checks_is_of_low_severity_and_a_refused_one_of_high(project: Path) -> None:
    (unchecked,) = judged(project, "data-sets").findings
    save(generate(), project.parent / "other")
    (refused,) = judged(project, "data-sets", keys=str(project.parent / "other.pub")).findings
    assert (unchecked.rule, unchecked.severity) == ("RDN-SUP-034", Severity.LOW)
    assert (refused.rule, refused.severity) == ("RDN-SUP-034", Severity.HIGH)


def test_a_manifest_without_a_licence_is_told(project: Path) -> None:
    (project / "train.manifest.json").write_bytes(to_json(measure(project / "train", card=Card())))
    assert [f.rule for f in judged(project, "data-sets").findings] == ["RDN-SUP-034", "RDN-SUP-037"]


def test_manifests_of_other_tools_are_left_alone(project: Path) -> None:
    (project / "web.manifest.json").write_text('{"name": "an app", "icons": []}')
    report = judged(project, "data-sets", keys=key(project))
    assert told(report) == []
    assert "web.manifest.json" not in {u.path for u in report.unexamined}


@pytest.mark.parametrize("content", ["", "{", '{"payload": 3}'])
def test_a_broken_manifest_stops_nothing(project: Path, content: str) -> None:
    (project / "bad.manifest.json").write_text(content)
    (project / "train" / "a.csv").write_text("changed")
    assert [f.rule for f in judged(project, "data-sets", keys=key(project)).findings] == ["RDN-SUP-031"]


def test_data_behind_a_link_is_not_followed(project: Path, tmp_path: Path) -> None:
    (project / "train").rename(tmp_path / "elsewhere")
    (project / "train").symlink_to(tmp_path / "elsewhere")
    report = judged(project, "data-sets", keys=key(project))
    assert told(report) == []
    assert any("symbolic link" in u.why for u in report.unexamined)


def test_missing_data_is_said_and_never_read_as_clean(project: Path) -> None:
    for file in (project / "train").iterdir():
        file.unlink()
    (project / "train").rmdir()
    report = judged(project, "data-sets", keys=key(project))
    assert [u.path for u in report.unexamined] == ["train.manifest.json"]


def people(n: int, seed: int, *, shift: float = 0.0, share: float = 0.5) -> Iterator[str]:
    rng = np.random.default_rng(seed)
    yield "age,income,label"
    for _ in range(n):
        yield f"{rng.normal(40 + shift, 10):.2f},{rng.lognormal(8, 0.5):.1f},{int(rng.random() < share)}"


def written(path: Path, lines: Iterator[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_drift_is_told_by_column_with_its_size_and_interval(tmp_path: Path) -> None:
    reference = written(tmp_path / "ref.csv", people(1500, 0))
    current = written(tmp_path / "now.csv", people(1000, 1, shift=6, share=0.8))
    report = judged(current, "drift", reference=str(reference), label="label")
    columns = {str(f.params["column"]): f for f in report.findings}
    assert set(columns) == {"age", "label", ""}
    assert columns["age"].severity is Severity.MEDIUM
    assert "class priors moved, medium" in columns["label"].title
    distance = report.quantity("ks_distance")
    assert 0 < distance.low < distance.value < distance.high < 1
    whole = columns[""]
    assert whole.severity is Severity.HIGH
    assert whole.curve("ks_distance_by_column") is not None
    assert report.gate.exit_code == 1


def test_the_same_distribution_has_one_quiet_finding(tmp_path: Path) -> None:
    reference = written(tmp_path / "ref.csv", people(1500, 0))
    report = judged(written(tmp_path / "now.csv", people(1000, 1)), "drift", reference=str(reference))
    (whole,) = report.findings
    assert whole.severity is Severity.INFO
    assert "0 of 3 columns drifted" in whole.title
    assert report.gate.exit_code == 0


def test_columns_that_cannot_be_compared_are_named(tmp_path: Path) -> None:
    reference = written(tmp_path / "ref.csv", people(200, 0))
    current = tmp_path / "now.csv"
    current.write_text(reference.read_text().replace("income", "salary").replace("40.", "forty."))
    report = judged(current, "drift", reference=str(reference))
    why = {u.path: u.why for u in report.unexamined}
    assert why["now.csv, column 'income'"] == "'now.csv' has no such column"
    assert why["now.csv, column 'salary'"] == "'ref.csv' has no such column"
    assert "text here" in why["now.csv, column 'age'"]


def test_darker_images_drift(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, scale in (("ref", 1.0), ("now", 0.6)):
        x = (rng.integers(0, 256, (120, 16, 16)) * scale).astype(np.uint8)
        np.savez(tmp_path / f"{name}.npz", x=x)
    report = judged(tmp_path / "now.npz", "drift", reference=str(tmp_path / "ref.npz"))
    assert "x.mean" in {f.params["column"] for f in report.findings if f.severity is Severity.HIGH}


def test_rows_that_break_a_schema_are_counted_and_named(tmp_path: Path) -> None:
    reference = written(tmp_path / "ref.csv", people(300, 0))
    (tmp_path / "s.json").write_bytes(schema.to_json(schema.infer(read_table(reference))))
    lines = reference.read_text().splitlines()
    lines[8] = "999,100,0"
    lines[11] = "30,100,7"
    report = judged(written(tmp_path / "now.csv", iter(lines)), "data-schema", schema=str(tmp_path / "s.json"))
    found: dict[str, Finding] = {f.locations[0].address: f for f in report.findings}
    assert set(found) == {"row 7, age", "row 10, label"}
    rate = found["row 7, age"].quantity("broken_rate")
    assert rate is not None
    assert (rate.value, rate.n) == (pytest.approx(1 / 300), 300)
    assert report.gate.exit_code == 1


def test_too_few_rows_are_never_read_as_clean(tmp_path: Path) -> None:
    reference = written(tmp_path / "ref.csv", people(300, 0))
    (tmp_path / "s.json").write_bytes(schema.to_json(schema.infer(read_table(reference))))
    empty = written(tmp_path / "now.csv", people(0, 1))
    drift = judged(empty, "drift", reference=str(reference))
    checked = judged(empty, "data-schema", schema=str(tmp_path / "s.json"))
    assert [r.gate.exit_code for r in (drift, checked)] == [3, 3]
    assert "fewer than 20 rows" in drift.probes[0].why
    assert "no rows" in checked.probes[0].why


@pytest.mark.parametrize("probe", ["drift", "data-schema"])
def test_without_what_to_compare_with_nothing_is_decided(tmp_path: Path, probe: str) -> None:
    report = judged(written(tmp_path / "a.csv", people(30, 0)), probe)
    assert [p.outcome for p in report.probes] == ["skipped"]
    assert report.gate.exit_code == 3
