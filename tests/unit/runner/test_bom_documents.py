"""Bills that somebody else wrote: read within bounds and held against their standard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from redan.core.errors import ConfigError, Unreadable, UsageError
from redan.runner.bom import timestamp
from redan.runner.bom_diff import compare
from redan.runner.bom_documents import Document, faults, read

SPDX: dict[str, Any] = {
    "spdxVersion": "SPDX-2.3",
    "dataLicense": "CC0-1.0",
    "SPDXID": "SPDXRef-DOCUMENT",
    "name": "x",
    "documentNamespace": "https://example.org/x",
    "creationInfo": {"created": "2026-01-01T00:00:00Z", "creators": ["Tool: x"]},
    "packages": [{"SPDXID": "SPDXRef-a", "name": "a", "downloadLocation": "NOASSERTION"}],
    "relationships": [
        {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-a"}
    ],
}


def spdx(**changes: Any) -> list[str]:
    content = {**json.loads(json.dumps(SPDX)), **changes}
    return faults(Document(standard="SPDX 2.3", text="", content=content))


def test_a_document_that_fits_has_no_faults() -> None:
    assert spdx() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"documentNamespace": ""}, "'documentNamespace' is required"),
        ({"creationInfo": {"created": "yesterday", "creators": ["x"]}}, "creationInfo"),
        ({"packages": [{"SPDXID": "a b", "name": "a", "downloadLocation": "NONE"}], "relationships": []}, "malformed"),
        ({"packages": [], "relationships": SPDX["relationships"]}, "'SPDXRef-a' is no package"),
        ({"packages": [{"SPDXID": "SPDXRef-a", "name": "a"}]}, "'downloadLocation' is required"),
        ({"packages": 3, "relationships": [3]}, "relationships/0"),
    ],
)
def test_each_broken_rule_is_named(changes: dict[str, Any], said: str) -> None:
    assert any(said in fault for fault in spdx(**changes)), spdx(**changes)


def cyclonedx(*components: dict[str, Any], **more: Any) -> Document:
    content = {"bomFormat": "CycloneDX", "specVersion": "1.7", "components": list(components), **more}
    return Document(standard="CycloneDX 1.7", text=json.dumps(content), content=content)


def package(name: str, version: str, **more: Any) -> dict[str, Any]:
    return {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}", **more}


def test_versions_are_ordered_as_versions_and_not_as_text() -> None:
    found = compare(cyclonedx(package("a", "1.9")), cyclonedx(package("a", "1.10"), package("b", "1")))
    assert [(c.kind, c.what, c.worse) for c in found] == [
        ("added", "pypi/b", False), ("upgraded", "pypi/a", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [{"dependencies": 3}, {"dependencies": [{"ref": "a", "dependsOn": 3}, 4]}, {"components": 3}, {"metadata": "x"}],
)
def test_odd_shapes_are_faults_and_no_crash(more: dict[str, Any]) -> None:
    content = {"bomFormat": "CycloneDX", "specVersion": "1.7", **more}
    assert faults(Document(standard="CycloneDX 1.7", text=json.dumps(content), content=content))
    assert spdx(relationships=3, packages="x") == []


def test_a_document_that_is_too_deep_is_refused() -> None:
    inner = '{"type": "library", "name": "a", "components": ['
    text = '{"bomFormat": "CycloneDX", "specVersion": "1.7", "components": [' + inner * 400 + "]}" * 400 + "]}"
    with pytest.raises(Unreadable, match="too deep"):
        faults(Document(standard="CycloneDX 1.7", text=text, content=json.loads(text)))


def test_a_vulnerability_that_becomes_exploitable_is_worse_and_one_that_goes_is_not() -> None:
    def stated(state: str) -> dict[str, Any]:
        return {"vulnerabilities": [{"id": "CVE-1", "affects": [{"ref": "r"}], "analysis": {"state": state}}]}

    (change,) = compare(cyclonedx(**stated("not_affected")), cyclonedx(**stated("exploitable")))
    assert (change.detail, change.worse) == ("not_affected → exploitable", True)
    (change,) = compare(cyclonedx(**stated("exploitable")), cyclonedx())
    assert (change.detail, change.worse) == ("exploitable → gone", False)


def test_hostile_shapes_are_compared_without_a_crash() -> None:
    odd = cyclonedx({"modelCard": 3, "licenses": [{"license": 4}], "hashes": 5, "properties": [6]}, metadata=7)
    odd.content["components"].append(8)
    odd.content["vulnerabilities"] = [{"affects": 9}, {"analysis": 1, "affects": [{}]}]
    assert compare(odd, odd) == ()
    compare(odd, cyclonedx())


def test_spdx_cannot_be_compared() -> None:
    with pytest.raises(UsageError, match="cannot be compared"):
        compare(Document(standard="SPDX 2.3", text="", content={}), cyclonedx())


def test_a_file_that_is_no_bill_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot read"):
        read(tmp_path / "absent.json")
    (tmp_path / "x.json").write_bytes(b"\xff")
    with pytest.raises(Unreadable, match="no JSON"):
        read(tmp_path / "x.json")


def test_the_time_of_a_bill_can_be_fixed() -> None:
    assert timestamp({"SOURCE_DATE_EPOCH": "0"}) == "1970-01-01T00:00:00Z"
    for given in ("soon", "9" * 30):
        with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH"):
            timestamp({"SOURCE_DATE_EPOCH": given})
