"""`redan bom` as a user meets it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bom"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the example, and a time that stands still."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "iris"))


def made(cli, *words: object) -> dict:
    done = cli("bom", "make", *words)
    assert done.code == 0, done.err
    return json.loads(done.out)


def component(bom: dict, name: str) -> dict:
    (found,) = [c for c in bom["components"] if c["name"] == name]
    return found


def test_the_example_names_model_data_and_packages(cli, project: Path) -> None:
    bom = made(cli, project, "--env", sys.prefix)
    model = component(bom, "iris.safetensors")
    card = model["modelCard"]["modelParameters"]
    assert card["task"] == "tabular-classification"
    assert card["datasets"] == [{"ref": "data:iris"}]
    assert {"name": "model:parameters", "value": "15"} in model["properties"]
    assert component(bom, "iris")["version"] == "1936"
    numpy = component(bom, "numpy")
    assert numpy["purl"].startswith("pkg:pypi/numpy@")
    assert numpy["evidence"]["occurrences"][0] == {"location": "pyproject.toml", "line": 7}
    needs = {row["ref"]: row.get("dependsOn", []) for row in bom["dependencies"]}
    assert model["bom-ref"] in needs["project"]
    assert any(ref.startswith("pkg:pypi/scipy@") for ref in needs[component(bom, "scikit-learn")["bom-ref"]])
    assert bom["metadata"]["timestamp"] == "2026-01-01T00:00:00Z"
    assert bom["vulnerabilities"][0]["analysis"]["state"] == "not_affected"


def test_the_same_input_gives_the_same_bytes_and_both_forms_fit(cli, project: Path) -> None:
    for form in ("cyclonedx", "spdx"):
        first = cli("bom", "make", project, "--as", form)
        assert first.out == cli("bom", "make", project, "--as", form).out
        (project.parent / "b.json").write_text(first.out, encoding="utf-8")
        done = cli("bom", "validate", project.parent / "b.json")
        assert (done.code, done.out) == (0, "")
        assert "fits" in done.err


def test_what_does_not_fit_is_said_with_its_place(cli, project: Path, tmp_path: Path) -> None:
    bom = made(cli, project)
    bom["components"][0]["type"] = "flower"
    bom["dependencies"].append({"ref": "nowhere"})
    (tmp_path / "b.json").write_text(json.dumps(bom), encoding="utf-8")
    done = cli("bom", "validate", tmp_path / "b.json")
    assert done.code == 1
    assert "components/0/type: 'flower'" in done.out
    assert "no component has bom-ref 'nowhere'" in done.out


@pytest.mark.parametrize("text", ["[" * 100_000, "{}", '{"bomFormat": "CycloneDX", "specVersion": "9"}', "no"])
def test_no_bill_is_an_error_in_words(cli, tmp_path: Path, text: str) -> None:
    (tmp_path / "b.json").write_text(text, encoding="utf-8")
    done = cli("bom", "validate", tmp_path / "b.json")
    assert done.code == 3
    assert "RDN-E330" in done.err


def test_numbers_come_from_the_report_about_exactly_this_model(cli, project: Path) -> None:
    digest = component(made(cli, project), "iris.safetensors")["hashes"][0]["content"]
    golden = json.loads((EXAMPLE.parents[1] / "tests/golden/report.json").read_text(encoding="utf-8"))
    golden["subject"]["components"] = [
        {"role": "weights", "uri": "iris.safetensors", "sha256": digest, "size_bytes": 1}
    ]
    report = project.parent / "report.json"
    report.write_text(json.dumps(golden), encoding="utf-8")
    bom = made(cli, project, "--report", report)
    metrics = component(bom, "iris.safetensors")["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    wanted = golden["findings"][0]["quantities"][0]
    (found,) = [m for m in metrics if m["type"] == wanted["name"]][:1]
    assert float(found["value"]) == wanted["value"]
    assert float(found["confidenceInterval"]["lowerBound"]) == wanted["low"]
    assert f"n={wanted['n']}" in found["slice"]
    golden["subject"]["components"][0]["sha256"] = "0" * 64
    report.write_text(json.dumps(golden), encoding="utf-8")
    done = cli("bom", "make", project, "--report", report)
    assert done.code == 2
    assert "measured none of these models" in done.err


def test_what_was_not_read_makes_the_bill_incomplete(cli, project: Path) -> None:
    (project / "uv.lock").write_text("[[[", encoding="utf-8")
    done = cli("bom", "make", project)
    assert done.code == 3
    assert "not read: uv.lock" in done.err
    assert json.loads(done.out)["compositions"][0]["aggregate"] == "incomplete"


def test_models_behind_links_are_listed_and_what_is_no_file_is_said(cli, project: Path, benign: Path) -> None:
    (project / "linked.pkl").symlink_to(benign)
    assert component(made(cli, project), "linked.pkl")["hashes"]
    (project / "gone.pkl").symlink_to(project / "nowhere")
    done = cli("bom", "make", project)
    assert done.code == 3
    assert "not read: gone.pkl: no regular file" in done.err


def test_a_hostile_model_is_stated_as_exploitable(cli, project: Path, hostile: Path) -> None:
    shutil.move(hostile, project / "hostile.pkl")
    bom = made(cli, project)
    states = {v["affects"][0]["ref"]: v["analysis"]["state"] for v in bom["vulnerabilities"]}
    assert states["model:hostile.pkl"] == "exploitable"


def edited(bom: dict, path: Path, **changes: object) -> Path:
    """Write a bill in which one component is changed."""
    copy = json.loads(json.dumps(bom))
    component(copy, str(changes.pop("name"))).update(changes)
    path.write_text(json.dumps(copy), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "kind", "worse"),
    [
        ({"version": "9"}, "upgraded", False),
        ({"version": "1.0"}, "downgraded", True),
        ({"licenses": [{"expression": "GPL-3.0-only"}]}, "licence", True),
        ({"hashes": [{"alg": "SHA-256", "content": "0" * 64}]}, "digest", True),
    ],
)
def test_a_change_of_a_package_is_named_and_judged(
    cli, project: Path, tmp_path: Path, changes: dict, kind: str, worse: bool
) -> None:
    digest = "1" * 64
    (project / "requirements.txt").write_text(f"numpy==2.0 --hash=sha256:{digest}\n", encoding="utf-8")
    bom = made(cli, project)
    component(bom, "numpy")["licenses"] = [{"expression": "MIT"}]
    before = edited(bom, tmp_path / "before.json", name="numpy")
    after = edited(bom, tmp_path / "after.json", name="numpy", **changes)
    done = cli("bom", "diff", before, after, "--format", "json")
    (change,) = json.loads(done.out)["changes"]
    assert (change["kind"], change["what"], change["worse"]) == (kind, "pypi/numpy", worse)
    assert done.code == int(worse)
    assert kind in cli("bom", "diff", before, after).out
    assert f"| {kind} |" in cli("bom", "diff", before, after, "--format", "markdown").out


def test_the_same_bill_twice_has_no_changes(cli, project: Path, tmp_path: Path) -> None:
    cli("bom", "make", project, "-o", tmp_path / "b.json")
    done = cli("bom", "diff", tmp_path / "b.json", tmp_path / "b.json")
    assert (done.code, done.out) == (0, "no changes\n")


@pytest.mark.parametrize(("value", "low", "worse"), [("0.5", "0.45", True), ("0.89", "0.85", False)])
def test_a_number_is_worse_only_beyond_its_interval(
    cli, project: Path, tmp_path: Path, value: str, low: str, worse: bool
) -> None:
    bom = made(cli, project)
    name = "iris.safetensors"
    bill = []
    for number, (v, a, b) in enumerate((("0.9", "0.86", "0.93"), (value, low, str(float(value) + 0.04)))):
        card = json.loads(json.dumps(component(bom, name)["modelCard"]))
        interval = {"lowerBound": a, "upperBound": b}
        metric = {"type": "robust_accuracy", "value": v, "slice": "eps=0.1; n=200", "confidenceInterval": interval}
        card["quantitativeAnalysis"] = {"performanceMetrics": [metric]}
        card["properties"] = [{"name": "redan:better:robust_accuracy", "value": "higher"}]
        bill.append(edited(bom, tmp_path / f"{number}.json", name=name, modelCard=card))
    done = cli("bom", "diff", *bill)
    assert done.code == int(worse)
    assert ("robust_accuracy 0.9 → 0.5" in " ".join(done.out.split())) == worse
    assert all(len(line) <= 80 for line in done.out.splitlines())
