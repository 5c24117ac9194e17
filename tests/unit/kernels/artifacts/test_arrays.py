"""Files of NumPy and joblib, written by the libraries themselves."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile

import joblib
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from redan.kernels.artifacts import Reading, inspect, inspect_bytes

BAD = b"\x80\x02cos\nsystem\n(S'true'\ntR."


class RunsCommand:
    """Pickles as a call of `os.system`; nothing here ever loads it."""

    def __reduce__(self):
        return os.system, ("true",)


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def objects(*items) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def read(data: bytes) -> Reading:
    return inspect_bytes(data, "array.npy")


def kinds(data: bytes) -> set[str]:
    return {reason.kind for reason in read(data).reasons}


RECORD = np.zeros(3, [("a", "<f4", (2,)), ("b", "U5"), ("t", "M8[ns]")])


@pytest.mark.parametrize(
    "array",
    [np.arange(6).reshape(2, 3), np.float32(1), np.array(["a", "bc"]), np.zeros((0, 4)), RECORD, np.zeros(2, "S3")],
)
def test_arrays_of_numbers_and_texts_are_safe(array):
    reading = read(npy(array))
    assert (reading.format, reading.verdict, reading.calls) == ("npy", "safe", ())


def test_arrays_of_plain_objects_are_safe_and_read():
    reading = read(npy(objects("a", 1, None)))
    assert reading.verdict == "safe"
    assert any(call.callable.endswith("_reconstruct") for call in reading.calls)


def test_arrays_of_hostile_objects_are_unsafe_at_their_offset():
    data = npy(objects(RunsCommand()))
    reading = read(data)
    assert reading.verdict == "unsafe"
    (reason,) = [r for r in reading.reasons if r.kind == "denied-import"]
    offset = int(reason.where.removeprefix("byte "))
    assert offset > data.index(b"\x80")
    assert data[offset : offset + 1] in (b"c", b"\x93")


def test_object_field_of_a_record_is_read():
    array = np.empty(1, [("n", "i4"), ("o", object)])
    array["o"][0] = RunsCommand()
    assert read(npy(array)).verdict == "unsafe"


@pytest.mark.parametrize(
    "descr", ["'|O'", "'O'", '"|O"', "'|O8'", "[('a', '<i4'), ('b', '|O')]", "'\\x7cO'", "'|' 'O'"]
)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_spelling_of_an_object_dtype_is_read(descr, version):
    header = ("{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,), }\n").encode()
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    data = b"\x93NUMPY" + bytes([version, 0]) + length + header + BAD
    assert read(data).verdict == "unsafe"


def test_header_that_claims_more_than_there_is_is_not_safe():
    data = b"\x93NUMPY\x01\x00\xff\xff{'descr': '<f8', 'fortran_order': False"
    assert (read(data).verdict, kinds(data)) == ("unknown", {"malformed-header"})


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_members_are_read(save):
    good, bad = io.BytesIO(), io.BytesIO()
    save(good, a=np.arange(5), b=objects("x"))
    save(bad, a=np.arange(5), b=objects(RunsCommand()))
    reading = read(good.getvalue())
    assert (reading.format, reading.verdict, reading.members) == ("npz", "safe", ("a.npy", "b.npy"))
    hostile = read(bad.getvalue())
    assert hostile.verdict == "unsafe"
    assert hostile.reasons[0].where.startswith("b.npy @ byte ")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("n", [10_000, 300_000])
def test_large_arrays_of_an_archive_are_accounted_for_without_being_copied(save, n):
    out = io.BytesIO()
    save(out, a=np.random.default_rng(0).normal(size=n), b=np.zeros(n))
    assert inspect_bytes(out.getvalue(), "x.npz").verdict == "safe"


def test_a_large_array_that_its_archive_says_is_shorter_is_truncated():
    out = io.BytesIO()
    np.save(out, np.zeros(400_000))
    cut = io.BytesIO()
    with zipfile.ZipFile(cut, "w") as archive:
        archive.writestr("a.npy", out.getvalue()[:-8])
    assert [reason.kind for reason in inspect_bytes(cut.getvalue(), "x.npz").reasons] == ["truncated"]


COMPRESSIONS = [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 1), ("lzma", 1)]


@pytest.mark.parametrize("compress", COMPRESSIONS, ids=str)
def test_joblib_files_are_safe_however_they_are_compressed(tmp_path, compress):
    value = {"w": np.arange(50.0), "u": np.arange(4, dtype="u1"), "s": np.array(["a", "b"]), "o": objects("x", 2)}
    joblib.dump([value, StandardScaler().fit(np.arange(6.0).reshape(3, 2))], tmp_path / "m", compress=compress)
    reading = inspect(tmp_path / "m")
    assert (reading.verdict, reading.format, reading.reasons) == ("safe", "joblib", ())
    assert any(call.callable.endswith("NumpyArrayWrapper") for call in reading.calls)


@pytest.mark.parametrize("compress", COMPRESSIONS, ids=str)
def test_hostile_object_behind_an_array_is_unsafe(tmp_path, compress):
    joblib.dump([np.arange(50.0), RunsCommand()], tmp_path / "m", compress=compress)
    assert inspect(tmp_path / "m").verdict == "unsafe"


def test_hostile_object_within_an_array_is_unsafe(tmp_path):
    joblib.dump([np.arange(3.0), objects("x", RunsCommand()), np.arange(3.0)], tmp_path / "m")
    assert inspect(tmp_path / "m").verdict == "unsafe"


def test_joblib_array_that_reaches_beyond_the_end_is_unknown(tmp_path):
    joblib.dump(np.arange(500.0), tmp_path / "m")
    data = (tmp_path / "m").read_bytes()
    assert read(data[: len(data) // 2]).verdict == "unknown"


def test_payload_among_the_numbers_of_an_aligned_array_is_harmless(tmp_path):
    joblib.dump(np.frombuffer(BAD, "u1").copy(), tmp_path / "m")
    assert BAD in (tmp_path / "m").read_bytes()
    assert inspect(tmp_path / "m").verdict == "safe"


def unaligned(content: bytes) -> bytes:
    """A joblib stream of the old kind, whose array begins right behind the wrapper's BUILD."""
    wrapper = joblib.numpy_pickle.NumpyArrayWrapper(
        np.ndarray, (len(content),), "C", np.dtype("u1"), numpy_array_alignment_bytes=None
    )
    return pickle.dumps(wrapper, 2)[:-1] + content + b"."


def test_numbers_that_a_plain_unpickler_would_run_are_unsafe():
    assert inspect_bytes(unaligned(b"0cos\nsystem\n(S'true'\ntR."), "m").verdict == "unsafe"
    assert inspect_bytes(unaligned(bytes(range(40))), "m").verdict == "safe"


@pytest.mark.parametrize("protocol", range(2, 6))
def test_numpy_values_in_pickles_are_safe(protocol):
    value = [np.arange(4.0), np.float64(1), np.int8(2), np.array("x"), np.random.default_rng(0), np.dtype("f4"), np.add]
    assert inspect_bytes(pickle.dumps(value, protocol), "m.pkl").reasons == ()


@pytest.mark.parametrize("protocol", range(2, 6))
def test_fitted_pipeline_is_safe(protocol):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline

    x = np.arange(40.0).reshape(20, 2)
    model = make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0)).fit(x, np.arange(20) % 2)
    reading = inspect_bytes(pickle.dumps(model, protocol), "m.pkl")
    assert (reading.verdict, reading.reasons) == ("safe", ())
    assert "sklearn.tree._tree.Tree" in {call.callable for call in reading.calls}


def test_object_array_without_its_pickle_is_truncated():
    data = npy(objects("a"))
    start = data.index(b"\n") + 1
    for cut in (start - 1, start):
        assert (read(data[:cut]).verdict, kinds(data[:cut])) == ("unknown", {"truncated"})


PLAIN = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.zeros((), np.int64),
    np.zeros((0, 3), np.uint8),
    np.array([True, False]),
    np.array(["one", "three"]),
    np.array([b"one", b"three"]),
    np.array(["2026-11-21"], dtype="datetime64[ns]"),
    np.zeros(3, np.complex64),
]


@pytest.mark.parametrize("array", PLAIN, ids=lambda a: str(a.dtype))
def test_every_byte_of_a_plain_array_is_accounted_for(array):
    data = npy(array)
    assert read(data).verdict == "safe"
    behind = read(data + pickle.dumps([1]))
    assert (behind.verdict, behind.reasons[0].kind, behind.complete) == ("unknown", "trailing-bytes", False)
    if array.size:
        cut = read(data[:-1])
        assert (cut.verdict, cut.reasons[0].kind) == ("unknown", "truncated")


def test_an_array_of_records_is_still_safe():
    assert read(npy(np.zeros(3, [("a", "<f4"), ("b", "<i8")]))).verdict == "safe"


@pytest.mark.parametrize("shape", ["9" * 5000, ", ".join(["9" * 18] * 50_000), "1 1, 2"], ids=["long", "many", "odd"])
def test_a_shape_that_no_file_can_have_ends_in_words(shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape},), }}".encode()
    data = b"\x93NUMPY\x02\x00" + struct.pack("<I", len(header)) + header
    assert read(data).verdict == "unknown"


@pytest.mark.parametrize(
    "dtype",
    [[("a", "<f4"), ("b", "U5")], [("a", "<i8", (2, 3)), ("n", [("x", "S7"), ("t", "M8[ns]")])], "V12", "m8[s]",
     np.dtype([("a", "i1"), ("b", "f8")], align=True)],
)  # fmt: skip
def test_structured_array_is_accounted_for_to_its_last_byte(dtype):
    file = io.BytesIO()
    np.save(file, np.zeros((3, 2), dtype))
    data = file.getvalue()
    assert (inspect_bytes(data, "a.npy").verdict, inspect_bytes(data, "a.npy").reasons) == ("safe", ())
    for other, kind in ((data + b"\x80\x02cos\nsystem\n.", "trailing-bytes"), (data[:-1], "truncated")):
        reading = inspect_bytes(other, "a.npy")
        assert (reading.verdict, reading.reasons[0].kind) == ("unknown", kind)


@pytest.mark.parametrize("descr", ["[('a', '<f4'), 3]", "[('a', ['<f4'])]", "[('a', '<f4', -1)]", "[[[]]]", "[('a',)]"])
def test_strange_structured_header_is_not_safe(descr):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n".encode()
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(4)
    assert inspect_bytes(data, "a.npy").verdict != "safe"
