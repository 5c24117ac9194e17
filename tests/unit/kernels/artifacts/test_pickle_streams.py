"""Pickles as files: protocols, offsets of reasons, several streams, what stands behind them, and what breaks."""

from __future__ import annotations

import collections
import datetime
import io
import os
import pickle
import pickletools
import struct

import pytest

from redan.kernels.artifacts import Reading, inspect_bytes


class RunsCommand:
    """Pickles as a call of `os.system`; nothing here ever loads it."""

    def __reduce__(self):
        return os.system, ("true",)


def read(data: bytes, name: str = "model.pkl") -> Reading:
    return inspect_bytes(data, name)


def kinds(reading: Reading) -> set[str]:
    return {reason.kind for reason in reading.reasons}


def offset_of(data: bytes, *opcodes: str) -> int:
    return next(pos for code, _, pos in pickletools.genops(data) if pos is not None and code.name in opcodes)


PLAIN = {
    "w": [1, 2.5, None, True],
    "n": ("a", b"b", -(2**70)),
    "s": {1, 2},
    "t": frozenset({"x"}),
    "b": bytearray(b"q"),
}
LISTED = [collections.OrderedDict(a=1), datetime.timedelta(2, 3), collections.Counter("ab"), complex(1, 2)]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("value", [PLAIN, LISTED], ids=["plain", "listed"])
def test_plain_values_and_listed_classes_are_safe(protocol, value):
    reading = read(pickle.dumps(value, protocol))
    assert (reading.verdict, reading.format, reading.reasons, reading.complete) == ("safe", "pickle", (), True)


@pytest.mark.parametrize("protocol", range(6))
def test_denied_import_is_reported_at_its_opcode(protocol):
    data = pickle.dumps(["before", RunsCommand()], protocol)
    reading = read(data)
    assert reading.verdict == "unsafe"
    (reason,) = [r for r in reading.reasons if r.kind == "denied-import"]
    assert reason.where == f"byte {offset_of(data, 'GLOBAL', 'STACK_GLOBAL')}"
    assert f"{os.system.__module__}.system" in reason.message


@pytest.mark.parametrize("protocol", range(6))
def test_call_graph_names_callable_arguments_opcode_and_offset(protocol):
    data = pickle.dumps(["before", RunsCommand()], protocol)
    (call,) = read(data).calls
    assert (call.callable, call.arguments, call.how) == (f"{os.system.__module__}.system", "('true',)", "REDUCE")
    assert (call.stream, call.offset) == ("", offset_of(data, "REDUCE"))


def test_call_graph_lists_calls_in_order():
    reading = read(pickle.dumps(LISTED[:2], 2))
    assert [call.callable for call in reading.calls] == ["collections.OrderedDict", "datetime.timedelta"]


@pytest.mark.parametrize("protocol", range(6))
def test_opcodes_are_counted_exactly(protocol):
    data = pickle.dumps(PLAIN, protocol)
    assert read(data).n_opcodes >= sum(1 for _ in pickletools.genops(data))
    if protocol >= 2:
        # Without a protocol number the file is first read on trial.
        assert read(data).n_opcodes == sum(1 for _ in pickletools.genops(data))
        assert len(data) - 1 <= read(data).n_bytes_read <= len(data)


def test_python_2_names_are_the_same_as_python_3_names():
    assert read(b"c__builtin__\neval\n(S'1'\ntR.").verdict == "unsafe"
    assert read(b"c__builtin__\nset\n((lp0\ntR.").verdict == "safe"


def test_second_stream_is_read():
    first, second = pickle.dumps(PLAIN, 4), pickle.dumps(RunsCommand(), 4)
    reading = read(first + second)
    assert reading.verdict == "unsafe"
    (reason,) = [r for r in reading.reasons if r.kind == "denied-import"]
    assert reason.where == f"byte {len(first) + offset_of(second, 'STACK_GLOBAL')}"


@pytest.mark.parametrize("padding", [b"\0" * 100, b"junk that is no pickle\n", b"\xff\xfe\xfd" * 50])
def test_stream_behind_padding_is_found(padding):
    reading = read(pickle.dumps(PLAIN, 4) + padding + pickle.dumps(RunsCommand(), 4))
    assert "denied-import" in kinds(reading)
    assert reading.verdict == "unsafe"


def test_text_protocol_behind_a_binary_stream_is_found():
    assert read(pickle.dumps(PLAIN, 4) + b"\n\ncos\nsystem\n(S'true'\ntR.").verdict == "unsafe"


def test_zero_padding_is_harmless_and_other_bytes_are_not_read():
    assert read(pickle.dumps(PLAIN, 4) + b"\0" * 64).verdict == "safe"
    reading = read(pickle.dumps(PLAIN, 4) + b"\xfe" * 64)
    assert (reading.verdict, kinds(reading), reading.complete) == ("unknown", {"trailing-bytes"}, False)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_truncated_stream_is_unknown(protocol):
    data = pickle.dumps(PLAIN, protocol)
    for cut in range(3, len(data)):
        reading = read(data[:cut])
        assert reading.verdict == "unknown", cut
        assert kinds(reading) & {"truncated", "broken-pickle"}, cut


def test_import_before_the_truncation_still_counts():
    data = pickle.dumps(RunsCommand(), 4)
    assert read(data[: offset_of(data, "REDUCE")]).verdict == "unsafe"


def test_payload_before_an_error_still_counts():
    reading = read(b"\x80\x02cos\nsystem\n(S'true'\ntR\xff")
    assert {"denied-import", "truncated"} <= kinds(reading) or {"denied-import", "broken-pickle"} <= kinds(reading)


def test_payload_behind_an_error_is_found():
    reading = read(b"\x80\x02\xff" + pickle.dumps(RunsCommand(), 2))
    assert reading.verdict == "unsafe"


def test_invalid_opcode_is_named():
    reading = read(b"\x80\x04]\xff.")
    (reason,) = [r for r in reading.reasons if r.kind == "broken-pickle"]
    assert "0xff" in reason.message
    assert reason.where == "byte 3"


def test_computed_import_is_unsafe():
    # The module's name is what a call returns.
    data = b"\x80\x04\x8c\x08builtins\x8c\x03str\x93\x8c\x02os\x85R\x8c\x06system\x93."
    reading = read(data)
    assert reading.verdict == "unsafe"
    assert ("computed-import", "byte 32") in {(r.kind, r.where) for r in reading.reasons}


def test_import_through_the_memo_is_followed():
    data = b"\x80\x04\x8c\x06system\x94\x8c\x02os\x940h\x01h\x00\x93\x8c\x04true\x85R."
    assert "denied-import" in kinds(read(data))


def test_dotted_name_is_unsafe():
    reading = read(b"\x80\x04\x8c\x08datetime\x8c\x14sys.modules.get_data\x93.")
    assert reading.verdict == "unsafe"
    assert kinds(reading) == {"dotted-import"}


def test_dotted_class_path_is_only_unknown():
    reading = read(b"\x80\x04\x8c\x05mylib\x8c\x0bOuter.Inner\x93.")
    assert (reading.verdict, kinds(reading)) == ("unknown", {"unlisted-import"})


def test_strange_names_are_no_identifiers():
    reading = read(b"\x80\x04\x8c\x05my-li\x8c\x03a b\x93.")
    assert (reading.verdict, kinds(reading)) == ("unknown", {"malformed-name"})


@pytest.mark.parametrize("code", [b"\x82\x01", b"\x83\x01\x02", b"\x84\x01\x02\x03\x04"])
def test_extension_codes_are_unsafe(code):
    reading = read(b"\x80\x02" + code + b".")
    (reason,) = reading.reasons
    assert (reason.kind, reason.verdict, reason.where) == ("extension-registry", "unsafe", "byte 2")


def test_huge_memo_index_is_a_huge_allocation():
    reading = read(b"\x80\x02Nr\x00\x00\x00\x7f.")
    assert (reading.verdict, kinds(reading)) == ("unsafe", {"huge-allocation"})


@pytest.mark.parametrize("opcode", [b"\x8e", b"\x8d", b"\x96"])
def test_length_beyond_the_end_is_not_believed(opcode):
    reading = read(b"\x80\x05" + opcode + struct.pack("<Q", 2**62) + b"abc.")
    assert reading.verdict == "unknown"
    assert reading.n_bytes_read < 100


def test_out_of_band_buffers_and_persistent_ids_are_read():
    buffers: list[pickle.PickleBuffer] = []
    assert read(pickle.dumps(pickle.PickleBuffer(b"x" * 10), 5, buffer_callback=buffers.append)).verdict == "safe"

    class Keeps(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", 7) if value is Ellipsis else None

    file = io.BytesIO()
    Keeps(file, 2).dump([..., 1])
    assert read(file.getvalue()).verdict == "safe"


def test_persistent_id_with_an_import_is_judged():
    assert read(b"\x80\x02cos\nsystem\nQ.").verdict == "unsafe"


def test_frame_lengths_are_not_believed():
    data = pickle.dumps(["x" * 10, RunsCommand()], 4)
    at = data.index(b"\x95") + 1
    lying = data[:at] + struct.pack("<Q", 1) + data[at + 8 :]
    assert read(lying).verdict == "unsafe"


def test_empty_file_is_no_artifact():
    assert (read(b"").format, read(b"").verdict) == ("empty", "safe")
