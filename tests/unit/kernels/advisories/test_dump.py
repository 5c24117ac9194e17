"""Dumps of OSV records in every form in which a user may give them."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from redan.core.errors import Unreadable
from redan.kernels.advisories.dump import age_d, read_dump
from redan.kernels.advisories.limits import LARGEST_RECORD_BYTES
from redan.kernels.advisories.record import NotRecordError, parse

LINES = Path(__file__).with_name("osv.jsonl")
NAMES = frozenset({"torch", "redis"})


def in_form(form: str, folder: Path) -> Path:
    """Return the records as an archive, a folder or lines."""
    rows = LINES.read_text(encoding="utf-8").splitlines()
    if form == "lines":
        return LINES
    if form == "folder":
        for row in rows:
            place = folder / "PyPI" / f"{json.loads(row)['id']}.json"
            place.parent.mkdir(exist_ok=True)
            place.write_text(json.dumps(json.loads(row), indent=2), encoding="utf-8")
        return folder
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows:
            archive.writestr(f"{json.loads(row)['id']}.json", row)
    return folder / "all.zip"


@pytest.mark.parametrize("form", ["archive", "folder", "lines"])
def test_every_form_says_the_same(form: str, tmp_path: Path) -> None:
    dump = read_dump(in_form(form, tmp_path), NAMES)
    assert sorted(record.id for record in dump.by_package["torch"]) == [
        "GHSA-53q9-r3pm-6pq6",
        "PYSEC-2022-43015",
        "PYSEC-2025-41",
    ]
    assert "redis" not in dump.by_package, "a withdrawn record says nothing"
    assert "keras" not in dump.by_package, "what nobody asked for is not kept"
    assert (dump.n_records, dump.n_broken) == (9, 0)
    assert dump.newest == "2026-11-19T03:00:00Z"


def test_a_record_says_what_it_is_about() -> None:
    (record,) = parse(LINES.read_bytes().splitlines()[1])
    assert record.package == "torch"
    assert record.ranges == ((("introduced", "0"), ("fixed", "2.6.0")),)
    assert record.ranges_left_out == 1, "the range of commits is counted and not used"
    assert record.versions == {"2.0.1", "2.5.0", "2.5.1"}


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"null", b'{"id": 5}', b'{"summary": "x"}', b"[" * 200_000, b" " * (LARGEST_RECORD_BYTES + 1)],
    ids=["nothing", "list", "null", "number", "no id", "deep", "large"],
)
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(NotRecordError):
        parse(data)


def test_odd_fields_are_left_out_and_do_not_stop_the_rest() -> None:
    odd = {"id": "X-1", "aliases": "no", "affected": [3, {"package": {"ecosystem": "PyPI", "name": "Torch_X"},
           "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": 0}, {"fixed": "1.0"}, []]}], "versions": 4}],
           "database_specific": [], "severity": [None, {"score": 3}]}  # fmt: skip
    (record,) = parse(json.dumps(odd).encode())
    assert (record.package, record.ranges, record.vectors) == ("torch-x", ((("fixed", "1.0"),),), ("",))


def test_broken_members_are_counted_and_a_dump_without_records_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(LINES.read_bytes() + b"{broken\n\n")
    assert read_dump(tmp_path / "d.jsonl", NAMES).n_broken == 1
    (tmp_path / "empty.jsonl").write_bytes(b"nothing\n")
    with pytest.raises(Unreadable, match="holds no OSV record"):
        read_dump(tmp_path / "empty.jsonl", NAMES)
    with pytest.raises(Unreadable, match="cannot read"):
        read_dump(tmp_path / "absent.zip", NAMES)


def test_a_broken_archive_is_refused_in_words(tmp_path: Path) -> None:
    whole = in_form("archive", tmp_path).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:40] + b"\xff" * 200 + whole[240:])
    with pytest.raises(Unreadable, match="broken archive"):
        read_dump(tmp_path / "cut.zip", NAMES)


def test_the_age_is_that_of_the_newest_record() -> None:
    dump = read_dump(LINES, NAMES)
    assert age_d(dump, datetime(2026, 12, 1, tzinfo=UTC)) == 11
    assert age_d(dump, datetime(2025, 1, 1, tzinfo=UTC)) is None, "data from the future has no age"
