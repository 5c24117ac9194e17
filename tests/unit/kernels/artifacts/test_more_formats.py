"""7z, Zstandard, TensorFlow Lite, CatBoost, Arrow, Feather, Parquet and GGML: honest, hostile, cut and lying files."""

from __future__ import annotations

import io
import lzma
import pickle
import struct
import zipfile
import zlib

import pytest

from redan.kernels.artifacts import Reading, inspect, inspect_bytes

GOOD = pickle.dumps({"w": [1, 2]}, 4)
BAD = b"\x80\x02cos\nsystem\n(S'true'\ntR."


def read(data: bytes) -> Reading:
    return inspect_bytes(data, "model.bin")


def kinds(data: bytes) -> set[str]:
    return {reason.kind for reason in read(data).reasons}


# 7z ------------------------------------------------------------------------------------------------------------------

LZMA1 = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16}]
LZMA2 = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
DELTA = [{"id": lzma.FILTER_DELTA, "dist": 2}, *LZMA2]


def raw(data: bytes, filters: list[dict]) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=filters)


def deflated(data: bytes) -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, -15)
    return coder.compress(data) + coder.flush()


def coder(method: bytes, properties: bytes = b"") -> bytes:
    flags = len(method) | (0x20 if properties else 0)
    return bytes([flags]) + method + (bytes([len(properties)]) + properties if properties else b"")


PACKERS = {
    "copy": (lambda data: data, [coder(b"\0")]),
    "lzma": (lambda data: raw(data, LZMA1), [coder(b"\3\1\1", b"\x5d" + struct.pack("<I", 1 << 16))]),
    "lzma2": (lambda data: raw(data, LZMA2), [coder(b"\x21", b"\x08")]),
    "deflate": (deflated, [coder(b"\4\1\x08")]),
    "delta": (lambda data: raw(data, DELTA), [coder(b"\3", b"\1"), coder(b"\x21", b"\x08")]),
    "aes": (lambda data: data, [coder(b"\6\xf1\7\1", b"\0\0")]),
}


def number(value: int) -> bytes:
    """A 7z number, always written in nine bytes or in one."""
    return bytes([value]) if value < 0x80 else b"\xff" + struct.pack("<Q", value)


def streams(packed: int, unpacked: int, sizes: list[int], coders: list[bytes], at: int = 0) -> bytes:
    pairs = b"".join(number(i) + number(i + 1) for i in range(len(coders) - 1))
    folder = number(len(coders)) + b"".join(coders) + pairs
    parts = (
        b"\x08\x0d" + number(len(sizes)) + b"\x09" + b"".join(map(number, sizes[:-1])) + b"\0"
        if len(sizes) > 1
        else b""
    )
    return (
        b"\x06" + number(at) + number(1) + b"\x09" + number(packed) + b"\0"
        + b"\x07\x0b" + number(1) + b"\0" + folder + b"\x0c" + number(unpacked) * len(coders) + b"\0" + parts + b"\0"
    )  # fmt: skip


def seven_zip(members: dict[str, bytes], packer: str = "lzma", *, packed_header: bool = False) -> bytes:
    pack, coders = PACKERS[packer]
    content = b"".join(members.values())
    body = pack(content)
    names = b"\0" + b"".join(name.encode("utf-16-le") + b"\0\0" for name in members)
    files = b"\x05" + number(len(members)) + b"\x11" + number(len(names)) + names + b"\0"
    header = b"\x01\x04" + streams(len(body), len(content), [len(c) for c in members.values()], coders) + files + b"\0"
    if packed_header:
        small = PACKERS["lzma"][0](header)
        header = b"\x17" + streams(len(small), len(header), [len(header)], PACKERS["lzma"][1], len(body))
        body += small
    start = struct.pack("<QQI", len(body), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\0\4" + struct.pack("<I", zlib.crc32(start)) + start + body + header


@pytest.mark.parametrize("packed_header", [False, True])
@pytest.mark.parametrize("packer", ["copy", "lzma", "lzma2", "deflate", "delta"])
def test_members_of_7z_archives_are_read(packer, packed_header):
    good = read(seven_zip({"a.pkl": GOOD, "b/c.pkl": GOOD}, packer, packed_header=packed_header))
    assert (good.verdict, good.format, good.reasons) == ("safe", "7z", ())
    assert set(good.members) == {"a.pkl", "b/c.pkl"}
    bad = read(seven_zip({"a.pkl": GOOD, "b/c.pkl": BAD}, packer, packed_header=packed_header))
    assert (bad.verdict, bad.reasons[0].where) == ("unsafe", "b/c.pkl @ byte 2")


def test_7z_block_that_cannot_be_expanded_is_unknown():
    reading = read(seven_zip({"a.pkl": BAD}, "aes"))
    assert (reading.verdict, reading.reasons[0].kind) == ("unknown", "unread-compression")


def test_7z_member_outside_the_folder_is_unsafe():
    assert "path-traversal" in kinds(seven_zip({"../../a": GOOD}))


@pytest.mark.parametrize("cut", range(1, 60, 3))
def test_truncated_7z_is_never_safe(cut):
    assert read(seven_zip({"a.pkl": GOOD})[:-cut]).verdict != "safe"


def test_7z_archives_of_the_corpus_are_unsafe(shared):
    files = [*shared.glob("corpus/supply_chain/files/**/*.7z"), *shared.glob("corpus/supply_chain/files/**/*sevenzip*")]
    assert files
    assert {(inspect(file).format, inspect(file).verdict) for file in files} == {("7z", "unsafe")}


# Zstandard -----------------------------------------------------------------------------------------------------------


def zstd_stored(data: bytes) -> bytes:
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)]) + struct.pack("<I", 1 | len(data) << 3)[:3] + data


def test_stored_blocks_of_zstandard_are_read():
    assert (read(zstd_stored(GOOD)).format, read(zstd_stored(GOOD)).verdict) == ("zstd", "safe")
    assert read(zstd_stored(BAD)).verdict == "unsafe"
    skippable = b"\x50\x2a\x4d\x18" + struct.pack("<I", 3) + b"abc"
    assert read(zstd_stored(GOOD) + skippable + zstd_stored(BAD)).verdict == "unsafe"


@pytest.mark.parametrize("content", [GOOD, BAD, BAD * 20, GOOD * 1000])
def test_zstandard_of_the_library_is_never_wrongly_safe(content):
    zstandard = pytest.importorskip("zstandard")
    for level in (1, 19):
        reading = read(zstandard.ZstdCompressor(level).compress(content))
        assert reading.format == "zstd"
        assert reading.verdict == "unknown" or (reading.verdict == "unsafe") == (b"system" in content)


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_truncated_zstandard_is_not_safe(cut):
    assert read(zstd_stored(GOOD)[:-cut]).verdict != "safe"


# TensorFlow Lite and CatBoost ----------------------------------------------------------------------------------------

flatbuffers = pytest.importorskip("flatbuffers")


def vector(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def tflite(*custom: str, buffer_index: int = 0) -> bytes:
    builder = flatbuffers.Builder(256)
    codes = []
    for name in ["", *custom]:
        text = builder.CreateString(name) if name else 0
        builder.StartObject(4)
        builder.PrependInt8Slot(0, 32 if name else 9, 0)
        builder.PrependUOffsetTRelativeSlot(1, text, 0)
        builder.PrependInt32Slot(3, 32 if name else 9, 0)
        codes.append(builder.EndObject())
    data = builder.CreateByteVector(bytes(16))
    builder.StartObject(3)
    builder.PrependUOffsetTRelativeSlot(0, data, 0)
    buffers = vector(builder, [builder.EndObject()])
    builder.StartObject(8)
    builder.PrependUint32Slot(2, buffer_index, 0)
    tensors = vector(builder, [builder.EndObject()])
    builder.StartObject(4)
    builder.PrependUint32Slot(0, 0, 1)
    operators = vector(builder, [builder.EndObject()])
    builder.StartObject(5)
    builder.PrependUOffsetTRelativeSlot(0, tensors, 0)
    builder.PrependUOffsetTRelativeSlot(3, operators, 0)
    graphs = vector(builder, [builder.EndObject()])
    codes = vector(builder, codes)
    builder.StartObject(8)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(1, codes, 0)
    builder.PrependUOffsetTRelativeSlot(2, graphs, 0)
    builder.PrependUOffsetTRelativeSlot(4, buffers, 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("custom", "verdict"),
    [((), "safe"), (("TFLite_Detection_PostProcess",), "safe"), (("FlexErf",), "safe"), (("MyOp",), "unknown"),
     (("FlexPyFunc",), "unsafe"), (("FlexErf", "FlexWriteFile"), "unsafe"), (("FlexReadFile",), "unsafe")],
)  # fmt: skip
def test_operators_of_tensorflow_lite_are_judged(custom, verdict):
    assert (read(tflite(*custom)).format, read(tflite(*custom)).verdict) == ("tflite", verdict)


def test_tensor_without_its_buffer_is_unknown():
    assert kinds(tflite(buffer_index=7)) == {"out-of-bounds"}


@pytest.mark.parametrize("cut", [1, 17, 60])
def test_truncated_or_lying_tensorflow_lite_is_not_safe(cut):
    assert read(tflite()[:-cut]).verdict != "safe"
    assert read(tflite()[:16] + b"\xff" * cut + tflite()[16 + cut :]).verdict != "safe"


def test_files_packed_behind_tensorflow_lite_are_read():
    def packed(content: bytes) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("labels.txt", content)
        return tflite() + file.getvalue()

    assert read(packed(b"cat\ndog\n")).verdict == "safe"
    assert read(packed(BAD)).verdict == "unsafe"


def catboost(*, parts: tuple[str, ...] = (), tail: bytes = b"") -> bytes:
    builder = flatbuffers.Builder(256)
    key, text = builder.CreateString("params"), builder.CreateString("{}")
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, key, 0)
    builder.PrependUOffsetTRelativeSlot(1, text, 0)
    info = vector(builder, [builder.EndObject()])
    names = vector(builder, [builder.CreateString(part) for part in parts])
    version = builder.CreateString("FlabuffersModel_v1")
    builder.StartObject(4)
    trees = builder.EndObject()
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(0, version, 0)
    builder.PrependUOffsetTRelativeSlot(1, trees, 0)
    builder.PrependUOffsetTRelativeSlot(2, info, 0)
    builder.PrependUOffsetTRelativeSlot(3, names, 0)
    builder.Finish(builder.EndObject())
    core = bytes(builder.Output())
    return b"CBM1" + struct.pack("<I", len(core)) + core + tail


def test_catboost_models_are_safe_to_their_end_only():
    assert (read(catboost()).format, read(catboost()).verdict) == ("catboost", "safe")
    assert read(catboost(parts=("static_provider_v1",), tail=b"tables")).verdict == "safe"
    assert kinds(catboost(tail=BAD)) == {"trailing-bytes"}
    assert kinds(catboost()[:-3]) == {"truncated"}
    assert read(b"CBM1" + struct.pack("<I", 40) + b"\xff" * 40).verdict == "unknown"


# Arrow, Feather, Parquet ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def arrow():
    return pytest.importorskip("pyarrow")


def table(arrow, metadata: dict | None = None, column: dict | None = None):
    field = arrow.field("a", arrow.list_(arrow.int64()), metadata=column)
    return arrow.table({"a": [[1], [2, 3]]}, schema=arrow.schema([field], metadata=metadata))


def ipc(arrow, held, *, stream: bool = False) -> bytes:
    sink = io.BytesIO()
    with (arrow.ipc.new_stream if stream else arrow.ipc.new_file)(sink, held.schema) as writer:
        writer.write_table(held)
    return sink.getvalue()


def parquet(arrow, held) -> bytes:
    from pyarrow import parquet as library

    sink = io.BytesIO()
    library.write_table(held, sink)
    return sink.getvalue()


WRITERS = {
    "file": ipc,
    "stream": lambda arrow, held: ipc(arrow, held, stream=True),
    "parquet": parquet,
}
PICKLED = {"ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": BAD}


@pytest.mark.parametrize("writer", WRITERS)
def test_columns_are_safe_and_types_that_readers_unpickle_are_not(arrow, writer):
    good = read(WRITERS[writer](arrow, table(arrow, {"pandas": "{}"}, {"unit": "m"})))
    assert (good.verdict, good.format) == ("safe", "parquet" if writer == "parquet" else "arrow")
    assert read(WRITERS[writer](arrow, table(arrow, None, PICKLED))).verdict == "unsafe"
    harmless = {**PICKLED, "ARROW:extension:metadata": GOOD}
    assert read(WRITERS[writer](arrow, table(arrow, None, harmless))).verdict == "unsafe"


@pytest.mark.parametrize("writer", ["file", "parquet"])
@pytest.mark.parametrize("cut", [1, 6, 40])
def test_truncated_columns_are_not_safe(arrow, writer, cut):
    assert read(WRITERS[writer](arrow, table(arrow))[:-cut]).verdict != "safe"


def test_feather_of_the_library_is_safe(arrow, tmp_path):
    from pyarrow import feather

    feather.write_feather(table(arrow), tmp_path / "x.feather")
    assert inspect(tmp_path / "x.feather").verdict == "safe"


# GGML ----------------------------------------------------------------------------------------------------------------


def ggml(magic: bytes = b"tjgg", *, kind: int = 0) -> bytes:
    versioned = magic in (b"tjgg", b"fmgg")
    head = magic + (struct.pack("<I", 3) if versioned else b"") + struct.pack("<7I", 2, 8, 8, 1, 1, 4, 1)
    words = b"".join(struct.pack("<I", len(w)) + w + (bytes(4) if versioned else b"") for w in (b"a", b"bc"))
    data = head + words + struct.pack("<III", 2, 1, kind) + struct.pack("<II", 32, 2) + b"w"
    if magic == b"tjgg":
        data += bytes(-len(data) % 32)
    return data + bytes(64 * 4 if kind == 0 else 36)


@pytest.mark.parametrize("magic", [b"lmgg", b"fmgg", b"tjgg"])
def test_old_ggml_files_are_safe_where_their_tensors_end_the_file(magic):
    assert (read(ggml(magic)).format, read(ggml(magic)).verdict) == ("ggml", "safe")
    assert read(ggml(magic, kind=2)).verdict == "safe"
    assert kinds(ggml(magic) + BAD) == {"unread-format"}
    assert read(ggml(magic)[:-5]).verdict == "unknown"
    assert read(magic + b"\xff" * 200).verdict == "unknown"
