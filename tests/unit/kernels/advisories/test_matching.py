"""Which versions are affected, and what counts as one vulnerability."""

from __future__ import annotations

from pathlib import Path

import pytest

from redan.core.finding import Severity
from redan.kernels.advisories.cvss import base_score, of_score
from redan.kernels.advisories.dump import read_dump
from redan.kernels.advisories.matching import MOST_VERSIONS, exact, untested, weak_versions
from redan.kernels.advisories.merging import known, merged
from redan.kernels.advisories.model import Record
from redan.kernels.advisories.ranges import affects, unclear
from redan.kernels.packages.model import Manifest, Package

LINES = Path(__file__).with_name("osv.jsonl")
NAMES = frozenset({"torch", "keras", "mlflow", "gradio", "pillow", "py", "redis"})
DUMP = read_dump(LINES, NAMES).by_package


@pytest.mark.parametrize(
    ("name", "version", "ids"),
    [
        ("torch", "2.6.0", []),
        ("torch", "2.5.1", ["CVE-2025-32434"]),
        ("torch", "2.6.0rc1", ["CVE-2025-32434"]),
        ("torch", "2.5.1+cu121", ["CVE-2025-32434"]),
        ("torch", "1.13.0", ["CVE-2022-45907", "CVE-2025-32434"]),
        ("keras", "2.15.0", []),
        ("keras", "3.0.0", ["CVE-2025-1550"]),
        ("keras", "3.9.0", []),
        ("py", "1.11.0", ["CVE-2022-42969"]),
        ("py", "1.11.0+local", ["CVE-2022-42969"]),
        ("py", "1.12", []),
        ("pillow", "10.0.0.post1", ["PYSEC-2023-175"]),
        ("pillow", "0.dev0", ["PYSEC-2023-175"]),
    ],
)
def test_versions_are_compared_by_pep_440(name: str, version: str, ids: list[str]) -> None:
    assert [each.id for each in known(DUMP[name], version)] == ids


def test_a_trio_of_identifiers_counts_once_with_the_worst_severity() -> None:
    (one,) = known(DUMP["torch"], "2.5.1")
    assert one.aliases == ("GHSA-53q9-r3pm-6pq6", "PYSEC-2025-41")
    assert len(one.records) == 2
    assert one.severity is Severity.CRITICAL


def test_records_join_through_a_third() -> None:
    records = [
        Record(id="A", package="x", aliases=("B",)),
        Record(id="C", package="x", aliases=("D",)),
        Record(id="E", package="x", aliases=("B", "D")),
        Record(id="F", package="x"),
    ]
    assert [(each.id, each.aliases) for each in merged(records)] == [("A", ("B", "C", "D", "E")), ("F", ())]


def test_a_malicious_package_is_critical_whatever_a_vector_says() -> None:
    record = Record(id="MAL-2024-1", package="x", ranges=((("introduced", "0"),),))
    (one,) = known([record], "1.0")
    assert (one.severity, one.malicious) == (Severity.CRITICAL, True)


def test_a_severity_that_nobody_gave_is_unknown() -> None:
    assert known(DUMP["pillow"], "9.0")[0].severity is None


def test_several_ranges_and_reintroduction() -> None:
    events = (("introduced", "1.0"), ("fixed", "1.5"), ("introduced", "2.0"), ("fixed", "2.1"))
    record = Record(id="A", package="x", ranges=(events[2:] + events[:2],))
    assert [affects(record, v) for v in ("0.9", "1.0", "1.4.9", "1.5", "1.9", "2.0", "2.0.5", "2.1")] == [
        False, True, True, False, False, True, True, False
    ]  # fmt: skip


def test_ranges_that_meet_and_ranges_of_one_version() -> None:
    meeting = (("introduced", "0"), ("fixed", "3.1.1"), ("introduced", "3.1.1"), ("fixed", "3.1.3"))
    single = (("introduced", "1.5"), ("last_affected", "1.5"))
    assert [affects(Record(id="A", package="x", ranges=(meeting,)), v) for v in ("3.1", "3.1.1", "3.1.3")] == [
        True, True, False
    ]  # fmt: skip
    assert [affects(Record(id="A", package="x", ranges=(single,)), v) for v in ("1.4", "1.5", "1.6")] == [
        False, True, False
    ]  # fmt: skip


def test_a_range_in_another_language_is_not_used_and_says_so() -> None:
    record = Record(
        id="A", package="x", ranges=((("introduced", "0"), ("fixed", "1.0-x-y")),), versions=frozenset({"0.1-x-y"})
    )
    assert unclear(record)
    assert not affects(record, "0.5")
    assert affects(record, "0.1-x-y"), "the list is compared word for word"


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        # FIRST's own examples and published scores of the National Vulnerability Database
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
        ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8),
        ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 4.6),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", None),
        ("CVSS:3.1/AV:N/AC:L", None),
        ("CVSS:3.1/AV:Z/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
        ("", None),
    ],
)
def test_base_scores_are_those_that_were_published(vector: str, score: float | None) -> None:
    assert base_score(vector) == score


def test_severities_follow_the_specification() -> None:
    assert [of_score(s).word for s in (0, 0.1, 3.9, 4.0, 6.9, 7.0, 8.9, 9.0, 10)] == [
        "info", "low", "low", "medium", "medium", "high", "high", "critical", "critical"
    ]  # fmt: skip


def package(name: str, version: str = "", **rest: object) -> Package:
    return Package(name=name, version=version, **{"role": "declared", "path": "r.txt", "line": 1, **rest})  # type: ignore[arg-type]  # test data


def test_every_file_that_names_a_version_is_a_place_and_bounds_are_only_likely() -> None:
    first = Manifest(path="a.txt", kind="requirements", packages=(package("torch", "2.5.1", path="a.txt"),))
    second = Manifest(
        path="c.txt",
        kind="requirements",
        packages=(
            package("torch", "2.5.1", path="c.txt", role="constraint"),
            package("keras", "3.1", role="constraint"),
        ),
    )
    found = {w.name: w for w in weak_versions(exact([first, second]), read_dump(LINES, NAMES))}
    assert [m.path for m in found["torch"].mentions] == ["a.txt", "c.txt"]
    assert (found["torch"].sure, found["keras"].sure) == (True, False)


def test_what_cannot_be_tested_is_named() -> None:
    manifest = Manifest(
        path="r.txt",
        kind="requirements",
        packages=(
            package("numpy"),
            package("torch", "not-a-version"),
            package("lodash", "4.0.0", ecosystem="npm"),
            package("pillow", "9.0"),
        ),
    )
    assert [why for _, why in untested([manifest])] == [
        "numpy: no exact version anywhere; a lock file or an environment gives one",
        "torch: a version that PEP 440 does not know",
        "lodash: no package of PyPI",
    ]


def test_a_file_with_very_many_versions_of_one_package_is_read_in_part_and_says_so() -> None:
    many = Manifest(path="r.txt", kind="requirements", packages=tuple(package("torch", f"0.{n}") for n in range(5000)))
    assert len(exact([many])) == MOST_VERSIONS
    assert [why for _, why in untested([many])] == ["torch: more than 100 versions of one package"]
