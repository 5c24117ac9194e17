"""Each limit turns a file that is harmless but large into unknown, with the limit's name; none makes a file safe."""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import io
import json
import pickle
import struct
import zipfile

import pytest

from redan.kernels.artifacts import Limits, inspect, inspect_bytes


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def nested_zip(levels: int) -> bytes:
    content = pickle.dumps([1], 4)
    for _ in range(levels):
        content = zipped({"inner.pkl": content})
    return content


def many_imports(n: int) -> bytes:
    return b"\x80\x02(" + b"".join(f"cmylib.m{i}\nC{i}\n".encode() for i in range(n)) + b"l."


def unlisted_call(argument: str) -> bytes:
    return b"\x80\x02cmylib\nStep\n(X" + struct.pack("<I", len(argument)) + argument.encode() + b"tR."


LARGE_HEADER = struct.pack("<Q", 5_000) + b'{"__metadata__":{"a":"' + b"x" * (5_000 - 25) + b'"}}'

FILES = {
    "opcodes": (pickle.dumps(list(range(20_000)), 4), 1_000),
    "judged": (b"\x80\x02(" + b"ccollections\nOrderedDict\n)R" * 20_000 + b"l.", 1_000),
    "streams": (pickle.dumps(1, 4) * 50, 10),
    "stack_values": (b"\x80\x04(" + b"N" * 300_000 + b"t.", 1_000),
    "memo_entries": (pickle.dumps([(i,) for i in range(200_000)], 4), 1_000),
    "imports": (many_imports(50), 10),
    "marks": (b"\x80\x04" + b"(" * 300_000, 1_000),
    "text_bytes": (pickle.dumps([str(i) * 20 for i in range(100_000)], 4), 10_000),
    "members": (zipped({f"{i}.bin": b"x" for i in range(50)}), 10),
    "depth": (nested_zip(8), 5),
    "expanded_bytes": (gzip.compress(pickle.dumps(b"\0" * 2_000_000, 4)), 1_000_000),
    "header_bytes": (LARGE_HEADER, 1_000),
    "evidence_chars": (unlisted_call("relu " * 1_000), 1_000),
    "nodes": (json.dumps([{} for _ in range(5_000)]).encode(), 1_000),
}


@pytest.mark.parametrize("name", FILES)
def test_limit_makes_the_verdict_unknown_and_is_named(name):
    data, value = FILES[name]
    reading = inspect_bytes(data, "file", dataclasses.replace(Limits(), **{name: value}))
    assert reading.verdict == "unknown"
    assert not reading.complete
    assert any(r.kind == "limit" and f"limit {name} = {value} reached" in r.message for r in reading.reasons)


@pytest.mark.parametrize(
    "name", [name for name in FILES if name not in ("marks", "depth", "imports", "evidence_chars")]
)
def test_the_same_file_is_safe_within_the_limit(name):
    data, _ = FILES[name]
    assert inspect_bytes(data, "file").verdict == "safe"


def test_every_limit_that_stops_a_reading_has_a_file_here():
    only_cut_what_is_kept = {"listed_members", "calls", "reasons"}
    assert {field.name for field in dataclasses.fields(Limits)} == FILES.keys() | only_cut_what_is_kept


@pytest.mark.parametrize("name", FILES)
def test_zero_of_anything_is_never_safe_and_never_raises(name):
    data, _ = FILES[name]
    assert inspect_bytes(data, "file", dataclasses.replace(Limits(), **{name: 0})).verdict == "unknown"


def test_kept_calls_are_cut_and_the_verdict_is_not():
    quiet = b"ccollections\nOrderedDict\n)R0" * 50
    data = b"\x80\x02" + quiet + b"cos\nsystem\n(S'true'\ntR."
    reading = inspect_bytes(data, "file", Limits(calls=10))
    assert len(reading.calls) == 10
    assert reading.verdict == "unsafe"


def test_kept_reasons_are_cut_and_the_first_unsafe_one_stays():
    reading = inspect_bytes(many_imports(50)[:-2] + b"cos\nsystem\nl.", "file", Limits(reasons=5))
    assert len(reading.reasons) == 5
    assert reading.verdict == "unsafe"
    assert [r.verdict for r in reading.reasons].count("unsafe") == 1


def test_listed_members_are_cut_and_all_are_read():
    members = {f"{i}.pkl": pickle.dumps(i, 4) for i in range(30)} | {"last.pkl": b"\x80\x02cos\nsystem\n."}
    reading = inspect_bytes(zipped(members), "file", Limits(listed_members=3))
    assert len(reading.members) == 3
    assert reading.verdict == "unsafe"


def test_payload_before_the_limit_is_still_unsafe():
    data = b"\x80\x02cos\nsystem\n0" + pickle.dumps(list(range(20_000)), 2)[2:]
    assert inspect_bytes(data, "file", Limits(opcodes=1_000)).verdict == "unsafe"


def test_member_behind_a_bomb_is_still_read():
    bomb = bz2.compress(b"\0" * 3_000_000)
    data = zipped({"a.bz2": bomb, "b.pkl": b"\x80\x02cos\nsystem\n."})
    reading = inspect_bytes(data, "file", Limits(expanded_bytes=1_000_000))
    assert {r.kind for r in reading.reasons} >= {"limit", "denied-import"}


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_bomb_within_a_bomb_is_unknown(compress):
    data = compress(compress(bytes(20_000_000)))
    assert len(data) < 5_000
    reading = inspect_bytes(data, "file", Limits(expanded_bytes=2_000_000))
    assert (reading.verdict, [r.kind for r in reading.reasons]) == ("unknown", ["limit"])


def test_document_too_deep_to_parse_is_unknown_where_it_could_name_code():
    deep = b"[" * 50_000 + b"]" * 50_000
    reading = inspect_bytes(b'{"_target_": "os.system", "x": ' + deep + b"}", "config.json")
    assert (reading.verdict, [r.kind for r in reading.reasons]) == ("unknown", ["limit"])
    assert inspect_bytes(deep, "data.json").verdict != "unsafe"


def test_missing_file_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        inspect(tmp_path / "no.pkl")
    with pytest.raises(IsADirectoryError):
        inspect(tmp_path)


def test_mapped_and_read_files_have_the_same_reading(tmp_path):
    data = pickle.dumps(["x" * 100] * 10 + [bytes(2_000_000)], 4) + pickle.dumps(1, 4)
    path = tmp_path / "large.pkl"
    path.write_bytes(data)
    mapped = inspect(path)
    assert dataclasses.replace(mapped, path="") == dataclasses.replace(inspect_bytes(data, ""), path="")
    assert mapped.path == str(path)
