"""Zip archives and the tricks that make two readers see two things."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import pytest

from redan.kernels.artifacts import Reading, inspect_bytes

GOOD = pickle.dumps({"w": [1, 2]}, 4)
BAD = b"\x80\x02cos\nsystem\n(S'true'\ntR."


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(data: bytes) -> Reading:
    return inspect_bytes(data, "model.zip")


def kinds(data: bytes) -> set[str]:
    return {reason.kind for reason in read(data).reasons}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_members_are_read_however_they_are_compressed(method):
    good = read(zipped({"a.pkl": GOOD, "b/c.pkl": GOOD}, method))
    assert (good.verdict, good.format, good.members) == ("safe", "zip", ("a.pkl", "b/c.pkl"))
    bad = read(zipped({"a.pkl": GOOD, "b/c.pkl": BAD}, method))
    assert bad.verdict == "unsafe"
    (reason,) = bad.reasons
    assert (reason.kind, reason.where) == ("denied-import", "b/c.pkl @ byte 2")
    assert [(call.callable, call.stream, call.offset) for call in bad.calls] == [("os.system", "b/c.pkl", len(BAD) - 2)]


def test_lzma_members_are_read_and_unknown_methods_reported():
    data = zipped({"a.pkl": GOOD}, zipfile.ZIP_LZMA)
    assert (read(data).verdict, kinds(data)) == ("safe", set())
    other = data.replace(b"\x0e\0", b"\x09\0")
    assert (read(other).verdict, kinds(other)) == ("unknown", {"unread-compression"})


def test_names_do_not_matter():
    assert read(zipped({"README.md": BAD, "picture.png": GOOD})).verdict == "unsafe"


def test_nested_archive_is_read():
    reading = read(zipped({"inner.zip": zipped({"deep.pkl": BAD})}))
    assert reading.verdict == "unsafe"
    assert reading.reasons[0].where == "inner.zip/deep.pkl @ byte 2"
    assert {"inner.zip", "inner.zip/deep.pkl"} <= set(reading.members)


def test_archive_of_no_members_is_never_safe():
    assert (read(zipped({})).verdict, kinds(zipped({}))) == ("unknown", {"empty-archive"})


def test_prefix_is_read_too():
    data = GOOD + zipped({"a.pkl": GOOD})
    assert (read(data).verdict, kinds(data)) == ("unknown", {"prefixed-archive"})
    bad = read(BAD + zipped({"a.pkl": GOOD}))
    assert bad.verdict == "unsafe"
    assert read(b"#!/bin/sh\n" + zipped({"a.pkl": BAD})).verdict == "unsafe"


def test_local_header_of_another_name_is_ambiguous():
    data = zipped({"aaaa.pkl": GOOD}).replace(b"aaaa.pkl", b"bbbb.pkl", 1)
    reading = read(data)
    assert reading.verdict == "unknown"
    assert [r.kind for r in reading.reasons] == ["ambiguous-archive"]
    assert "aaaa.pkl" in reading.reasons[0].message
    assert "bbbb.pkl" in reading.reasons[0].message


def test_local_header_of_another_method_is_ambiguous():
    data = bytearray(zipped({"a.pkl": GOOD}))
    data[8:10] = struct.pack("<H", 8)
    assert "ambiguous-archive" in kinds(bytes(data))
    assert read(bytes(data)).verdict != "safe"


def test_wrong_checksum_does_not_hide_a_member():
    data = bytearray(zipped({"a.pkl": BAD}))
    at = data.rindex(b"PK\x01\x02")
    data[14:18] = data[at + 16 : at + 20] = b"\0\0\0\0"
    assert read(bytes(data)).verdict == "unsafe"


def test_encryption_flag_does_not_hide_a_member():
    data = bytearray(zipped({"a.pkl": BAD}))
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    assert {"encrypted", "denied-import"} <= kinds(bytes(data))
    good = bytearray(zipped({"a.pkl": GOOD}))
    good[6] |= 1
    good[good.rindex(b"PK\x01\x02") + 8] |= 1
    assert read(bytes(good)).verdict == "unknown"


def test_member_that_no_directory_names_is_read():
    shown, hidden = zipped({"a.pkl": GOOD}), zipped({"h.pkl": BAD})
    at = shown.index(b"PK\x01\x02")
    local = hidden[: hidden.index(b"PK\x01\x02")]
    data = bytearray(shown[:at] + local + shown[at:])
    end = data.rindex(b"PK\x05\x06")
    data[end + 16 : end + 20] = struct.pack("<I", at + len(local))
    assert {"hidden-member", "denied-import"} <= kinds(bytes(data))


def test_wrong_member_count_is_a_broken_archive():
    data = bytearray(zipped({"a.pkl": GOOD}))
    end = data.rindex(b"PK\x05\x06")
    data[end + 8 : end + 12] = struct.pack("<HH", 7, 7)
    assert (read(bytes(data)).verdict, kinds(bytes(data))) == ("unknown", {"broken-archive"})


def test_zip64_sizes_and_end_records_are_followed():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, archive.open("big.pkl", "w", force_zip64=True) as member:
        member.write(BAD)
    assert read(file.getvalue()).verdict == "unsafe"
    with_record = add_zip64_end(zipped({"a.pkl": BAD}))
    assert read(with_record).verdict == "unsafe"
    assert read(add_zip64_end(zipped({"a.pkl": GOOD}))).verdict == "safe"


def add_zip64_end(data: bytes) -> bytes:
    """The archive with a zip64 end record and locator before its end record, as torch writes them."""
    end = data.rindex(b"PK\x05\x06")
    count, n_bytes, offset = struct.unpack_from("<HII", data, end + 10)
    record = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, n_bytes, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    plain = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:end] + record + locator + plain


@pytest.mark.parametrize(
    "name", ["../evil.pkl", "/etc/evil.pkl", "a/../../evil.pkl", "..\\evil.pkl", "C:/evil.pkl", "C:\\evil.pkl"]
)
def test_names_that_leave_the_folder_are_unsafe(name):
    data = zipped({name: GOOD})
    assert (read(data).verdict, kinds(data)) == ("unsafe", {"path-traversal"})


@pytest.mark.parametrize("name", ["a/../b.pkl", "./b.pkl", "a/./b.pkl", "..b.pkl", "a..pkl"])
def test_names_that_stay_in_the_folder_are_safe(name):
    assert read(zipped({name: GOOD})).verdict == "safe"


def test_comment_does_not_hide_the_end_record():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.pkl", BAD)
        archive.comment = b"c" * 60_000
    assert read(file.getvalue()).verdict == "unsafe"


def test_trailing_bytes_do_not_hide_the_end_record():
    assert read(zipped({"a.pkl": BAD}) + b"\0" * 5_000).verdict == "unsafe"


def test_second_end_record_does_not_hide_the_first():
    decoy = zipped({"a.pkl": GOOD})
    assert read(zipped({"a.pkl": BAD}) + decoy).verdict == "unsafe"


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_truncated_archive_is_never_safe(cut):
    data = zipped({"a.pkl": GOOD})
    assert read(data[:-cut]).verdict != "safe"


def test_executable_member_is_unsafe():
    assert read(zipped({"lib.so": b"\x7fELF\x02\x01\x01" + bytes(50)})).verdict == "unsafe"


def test_disguised_archive_is_unsafe():
    reading = inspect_bytes(b"Rar!\x1a\x07\x01\x00" + bytes(100), "model.pt")
    assert (reading.verdict, len(reading.reasons)) == ("unsafe", 1)
