"""Tar archives and compressed streams, alone and within one another."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib

import pytest

from redan.kernels.artifacts import Reading, inspect_bytes
from redan.kernels.artifacts.readers import zips

GOOD = pickle.dumps({"w": [1, 2]}, 4)
BAD = b"\x80\x02cos\nsystem\n(S'true'\ntR."

COMPRESS = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
}


def tarred(members: dict[str, bytes], mode: str = "w", kind: int = tarfile.GNU_FORMAT) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=kind) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def linked(name: str, target: str, kind: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return file.getvalue()


def read(data: bytes) -> Reading:
    return inspect_bytes(data, "model.bin")


def kinds(data: bytes) -> set[str]:
    return {reason.kind for reason in read(data).reasons}


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("name", ["a.pkl", "f/" * 60 + "long.pkl"])
def test_tar_members_are_read(kind, name):
    good = read(tarred({name: GOOD}, kind=kind))
    assert (good.verdict, good.format, good.members) == ("safe", "tar", (name,))
    bad = read(tarred({"first.pkl": GOOD, name: BAD}, kind=kind))
    assert (bad.verdict, bad.reasons[0].where) == ("unsafe", f"{name} @ byte 2")


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_compressed_tars_are_read(mode):
    assert read(tarred({"a.pkl": GOOD}, mode)).verdict == "safe"
    assert read(tarred({"a.pkl": BAD}, mode)).verdict == "unsafe"


@pytest.mark.parametrize("name", ["../evil.pkl", "/etc/evil.pkl", "a/../../evil.pkl"])
def test_tar_names_that_leave_the_folder_are_unsafe(name):
    assert (read(tarred({name: GOOD})).verdict, kinds(tarred({name: GOOD}))) == ("unsafe", {"path-traversal"})


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret"])
def test_links_out_of_the_folder_are_unsafe(kind, target):
    assert kinds(linked("inside", target, kind)) == {"path-traversal"}


def test_links_within_the_folder_are_harmless():
    assert read(linked("a/inside", "../b/other", tarfile.SYMTYPE)).verdict == "safe"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_unsafe(kind):
    assert kinds(linked("device", "", kind)) == {"device-member"}


def test_damaged_tar_header_is_a_broken_archive():
    data = bytearray(tarred({"a.pkl": GOOD, "b.pkl": GOOD}))
    data[1024:1030] = b"\xff" * 6
    assert (read(bytes(data)).verdict, kinds(bytes(data))) == ("unknown", {"broken-archive"})


def header(kind: bytes, n_bytes: int, name: str = "x") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, n_bytes
    return info.tobuf(tarfile.GNU_FORMAT)


def blocks(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


@pytest.mark.parametrize("kind", [bytes([code]) for code in b"xgLK1256SDVMA"])
def test_a_zip_at_the_end_is_read_wherever_a_tar_hides_it(kind):
    """What a loader finds from the end need not be a member for one that reads from the start."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.pkl", BAD)
    data = header(b"0", len(GOOD), "a.pkl") + blocks(GOOD) + header(kind, len(file.getvalue())) + file.getvalue()
    assert zipfile.is_zipfile(io.BytesIO(data))
    assert read(data).verdict == "unsafe"


def test_a_zip_that_is_the_last_member_is_read_once():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("weights.pkl", GOOD)
    reading = read(tarred({"model.yaml": b"a: 1\n", "weights.ckpt": file.getvalue()}))
    assert (reading.verdict, reading.reasons) == ("safe", ())
    assert len(reading.members) == 3


def test_a_zip_whose_directory_reaches_out_of_the_last_member_is_read_too():
    """Within the member its end record names a harmless directory, within the whole file another one."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("w.pkl", BAD)
    whole = made.getvalue()
    at = whole.index(b"PK\x01\x02")
    hidden, end = whole[:at], whole[at:]
    data = header(b"x", len(hidden)) + blocks(hidden) + header(b"0", len(end), "a.bin") + blocks(end)
    assert read(data).verdict != "safe"


@pytest.mark.parametrize("kind", [bytes([code]) for code in b"DVMA7S"])
def test_whatever_a_member_calls_itself_it_is_read_as_tarfile_unpacks_it(kind, tmp_path):
    data = header(kind, len(BAD), "a.pkl") + blocks(BAD) + bytes(1024)
    assert read(data).verdict == "unsafe"
    if kind != b"S":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(tmp_path, filter="fully_trusted")
        assert (tmp_path / "a.pkl").read_bytes() == BAD


@pytest.mark.parametrize("kind", [bytes([code]) for code in b"125"])
def test_members_within_the_content_that_a_folder_or_link_claims_are_read(kind):
    inner = header(b"0", len(BAD), "b.pkl") + blocks(BAD)
    data = header(b"0", len(GOOD), "a.pkl") + blocks(GOOD) + header(kind, len(inner), "d") + inner + bytes(1024)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert "b.pkl" in archive.getnames()
    assert read(data).verdict == "unsafe"


@pytest.mark.parametrize("size", ["²", "9" * 5000, "-1"])
def test_a_size_that_is_no_number_is_told(size):
    record = f"14 size={size}\n".encode()
    data = header(b"x", len(record)) + blocks(record) + header(b"0", len(GOOD), "a.pkl") + blocks(GOOD) + bytes(1024)
    assert (read(data).verdict, kinds(data)) == ("unknown", {"ambiguous-archive"})


def test_a_directory_without_end_is_not_walked_to_its_end():
    # headers at a distance, so that only a walk that stops early says 0
    entry = b"PK\x01\x02" + bytes(38) + struct.pack("<I", 1000)
    listed = entry * (zips.MOST_LISTED + 10)
    ends = b"".join(
        b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0, 0, len(listed) + 22 * n, 2000, 0) for n in range(8)
    )
    # where it begins is not told once so many entries were looked at
    assert [start for start, _ in zips.spans(bytes(2000) + listed + ends)] == [0] * 8


def test_a_size_for_all_members_is_not_believed():
    record = b"14 size=99999\n"
    data = header(b"g", len(record)) + blocks(record) + header(b"0", len(GOOD), "a.pkl") + blocks(GOOD) + bytes(1024)
    assert (read(data).verdict, kinds(data)) == ("unknown", {"ambiguous-archive"})


@pytest.mark.parametrize("method", COMPRESS)
def test_compressed_pickles_are_read(method):
    good = read(COMPRESS[method](GOOD))
    assert (good.verdict, good.format) == ("safe", method)
    bad = read(COMPRESS[method](BAD))
    assert bad.verdict == "unsafe"
    assert bad.reasons[0].kind == "denied-import"
    assert bad.reasons[0].where == f"{method} @ byte 2"


@pytest.mark.parametrize("outer", COMPRESS)
@pytest.mark.parametrize("inner", COMPRESS)
def test_double_compression_is_read(outer, inner):
    assert read(COMPRESS[outer](COMPRESS[inner](BAD))).verdict == "unsafe"


@pytest.mark.parametrize("method", COMPRESS)
def test_truncated_stream_is_unknown(method):
    data = COMPRESS[method](pickle.dumps(list(range(3_000)), 4))
    assert read(data[: len(data) // 2]).verdict == "unknown"


@pytest.mark.parametrize("method", ["gzip", "bz2", "xz", "zlib"])
def test_damaged_stream_is_unknown(method):
    data = bytearray(COMPRESS[method](pickle.dumps(list(range(3_000)), 4)))
    data[len(data) // 2] ^= 0xFF
    reading = read(bytes(data))
    assert reading.verdict == "unknown"
    assert {"broken-compression"} <= {r.kind for r in reading.reasons}


@pytest.mark.parametrize("method", ["gzip", "bz2", "xz"])
def test_second_stream_of_a_compressed_file_is_read(method):
    assert read(COMPRESS[method](GOOD) + COMPRESS[method](BAD)).verdict == "unsafe"


def test_bytes_behind_a_zlib_stream_are_not_safe():
    assert read(zlib.compress(GOOD) + BAD).verdict != "safe"


@pytest.mark.parametrize("method", COMPRESS)
def test_stream_of_nothing_is_never_safe(method):
    assert read(COMPRESS[method](b"")).verdict == "unknown"


def test_mixed_nesting_is_read():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.tar.gz", tarred({"b.pkl.xz": lzma.compress(BAD)}, "w:gz"))
    reading = read(file.getvalue())
    assert reading.verdict == "unsafe"
    assert reading.reasons[0].where == "a.tar.gz/gzip/b.pkl.xz/xz @ byte 2"
