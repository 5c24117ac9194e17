"""Files made to exhaust a reader: each is small to write down, and takes what it can of time or memory.

Payloads are harmless and nothing is ever loaded. `n` scales a file: at 1.0 it is as bad as the limits let it be. Run as
a program with a name, a file and a scale, it writes that file.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import random
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from itertools import count
from pathlib import Path

P4 = b"\x80\x04"
BUILDS = {}


def case(build: Callable[[float], bytes]) -> Callable[[float], bytes]:
    BUILDS[build.__name__] = build
    return build


def times(n: float, share: float = 1.0) -> int:
    return max(1, int(n * share))


def u32(n: int) -> bytes:
    return struct.pack("<I", n)


def text(content: str) -> bytes:
    return b"X" + u32(len(content.encode())) + content.encode()


@case
def ints_in_lists(n):
    one = b"](" + b"J" + b"\xff\xff\xff\x7f" * 1 + b"J\x01\x00\x01\x00" * 62 + b"e"
    return P4 + one * times(n * 120_000) + b"."


@case
def distinct_ints_on_the_stack(n):
    return P4 + b"(" + b"".join(b"J" + u32(i + 1000) for i in range(times(n * 2_100_000))) + b"t."


@case
def empty_lists_on_the_stack(n):
    return P4 + b"(" + b"]" * times(n * 2_100_000) + b"t."


@case
def empty_dicts_in_the_memo(n):
    return P4 + b"}\x940" * times(n * 2_600_000) + b"N."


@case
def small_dicts(n):
    return P4 + b"(" + b"}K\x01Ns" * times(n * 2_000_000) + b"t."


@case
def small_lists(n):
    return P4 + b"(" + b"]Na" * times(n * 2_600_000) + b"t."


@case
def dict_keys_that_are_objects(n):
    return P4 + b"}(" + b")N" * times(n * 3_900_000) + b"u."


@case
def telling_keys(n):
    keys = b"".join(text(f"__{i}__") + b"\x94" for i in range(200))
    body = b"".join(b"h" + bytes([i % 200]) + b"N" for i in range(1000))
    return P4 + keys + b"}(" + body * times(n * 3_800) + b"u."


@case
def memo_floods(n):
    return P4 + b"N" + b"\x94" * times(n * 8_100_000)


@case
def memo_chain(n):
    return P4 + b"]\x94" + b"\x85\x94" * times(n * 4_000_000) + b"."


@case
def sparse_memo(n):
    return P4 + b"N" + b"".join(b"r" + u32(7 + 2 * i) for i in range(times(n * 2_050_000)))


@case
def memo_indices_with_one_hash(n):
    prime = (1 << 61) - 1
    return P4 + b"N" + b"".join(b"p%d\n" % (prime * (i + 1)) for i in range(times(n * 300_000)))


@case
def duplicates(n):
    return P4 + b"]" + b"2" * times(n * 8_100_000)


@case
def duplicated_tuples(n):
    return P4 + b")" + b"2\x86" * times(n * 4_000_000) + b"."


@case
def mark_nests(n):
    return P4 + b"(" * times(n * 8_100_000)


@case
def marks_opened_and_closed(n):
    return P4 + b"(t0" * times(n * 2_700_000) + b"N."


@case
def marks_closed_by_pop(n):
    return P4 + b"(0" * times(n * 4_000_000) + b"N."


@case
def nested_tuples(n):
    return P4 + b")" + b"\x85" * times(n * 8_000_000) + b"."


@case
def nested_lists(n):
    return P4 + b"]" * times(n * 1_900_000) + b"a" * times(n * 1_900_000 - 1) + b"."


@case
def wide_tuple_again_and_again(n):
    return P4 + b"(" + b"N" * 1_000_000 + b"t\x940" + b"cmylib\nf\n\x940" + b"h\x01h\x00R0" * times(n * 1_700_000)


@case
def wide_tuple_hidden_in_a_tuple(n):
    wide = b"(" + b"N" * 1_000_000 + b"t\x85\x940"
    return P4 + wide + b"cmylib\nf\n\x940" + b"h\x01h\x00R0" * times(n * 1_700_000)


@case
def keyword_calls_of_a_wide_tuple(n):
    wide = b"(" + b"N" * 1_000_000 + b"t\x940"
    return P4 + wide + b"cmylib\nC\n\x940" + b"}K\x01Ns\x940" + b"h\x01h\x00h\x02\x920" * times(n * 1_500_000)


@case
def wide_states(n):
    state = b"}(" + b"".join(text(f"a{i}") + b"N" for i in range(256)) + b"u\x940"
    return P4 + state + b"ccollections\nOrderedDict\n)R" + b"h\x00b" * times(n * 3_900_000)


@case
def long_template_states(n):
    template = "\ndef _parse_args(self, a):\n    return (a), 0, 1\n" * 20_000
    state = b"}" + text("_parse_arg_template") + text(template) + b"s\x940"
    return P4 + state + b"cscipy.stats._continuous_distns\nnorm_gen\n)\x81" + b"h\x00b" * times(n * 3_900_000)


@case
def listed_calls(n):
    return P4 + b"ccollections\nOrderedDict\n\x940" + b"h\x00)R0" * times(n * 2_000_000) + b"N."


@case
def unlisted_calls(n):
    return P4 + b"cmylib\nf\n\x940(" + b"h\x00)R" * times(n * 2_600_000) + b"t."


@case
def unlisted_calls_with_text(n):
    words = text("relu " * 10_000) + b"\x85\x940"
    return P4 + words + b"cmylib\nf\n\x940" + b"h\x01h\x00R0" * times(n * 1_900_000) + b"N."


@case
def powerful_calls(n):
    return P4 + b"cos\nsystem\n\x940" + b"h\x00)R0" * times(n * 1_900_000) + b"N."


@case
def partial_of_partial(n):
    start = b"cfunctools\npartial\n\x94cmylib\nf\n\x85R\x940"
    return P4 + start + b"h\x01)R0" * times(n * 1_900_000) + b"N."


@case
def calls_of_results(n):
    return P4 + b"ccollections\nOrderedDict\n" + b")R" * times(n * 3_900_000) + b"."


@case
def imports_of_one_name(n):
    return P4 + b"cos\nsystem\n0" * times(n * 4_000_000) + b"N."


@case
def imports_of_many_names(n):
    return P4 + b"".join(b"cmylib.m%d\nC\n0" % i for i in range(times(n * 300_000))) + b"N."


@case
def imports_of_long_names(n):
    name = text("os." * 300_000 + "system")
    return P4 + text("os") + b"\x940" + name + b"\x940" + b"h\x00h\x01\x930" * times(n * 1_900_000) + b"N."


@case
def imports_of_computed_names(n):
    return P4 + b"NN\x930" * times(n * 1_900_000) + b"N."


@case
def extension_codes(n):
    return (
        P4 + b"".join(b"\x83" + struct.pack("<H", i % 60_000 + 1) + b"0" for i in range(times(n * 3_900_000))) + b"N."
    )


@case
def persistent_objects(n):
    return P4 + b"(" + b"NQ" * times(n * 3_900_000) + b"t."


@case
def writes_into_an_import(n):
    return P4 + b"ccollections\nOrderedDict\n" + b"Na" * times(n * 3_900_000) + b"."


@case
def appends_to_none(n):
    return P4 + b"N" + b"Na" * times(n * 3_900_000) + b"."


@case
def decimal_numbers(n):
    return b"(" + b"I1\n" * times(n * 7_900_000) + b"t."


@case
def decimal_floats(n):
    return b"(" + b"F0.1234567890123456\n" * times(n * 3_900_000) + b"t."


@case
def decimal_memo(n):
    return b"N" + b"p0\ng0\n0" * times(n * 2_600_000) + b"."


@case
def escaped_strings(n):
    return b"(" + b"S'\\x41'\n" * times(n * 3_900_000) + b"t."


@case
def long_ints(n):
    return P4 + b"(" + (b"\x8a\xff" + b"\x01" * 255) * times(n * 220_000) + b"t."


@case
def middling_ints(n):
    return P4 + b"(" + (b"\x8a\x09" + b"\x01" * 9) * times(n * 2_000_000) + b"t."


@case
def long4_floods(n):
    return P4 + b"(" + b"\x8b\x04\x00\x00\x00\x01\x01\x01\x01" * times(n * 2_000_000) + b"t."


@case
def false_lengths(n):
    del n
    bodies = [
        b"\x8b\xff\xff\xff\x7f",
        b"\x8d" + b"\xff" * 8,
        b"\x8e" + b"\xff" * 7 + b"\x7f",
        b"\x96" + b"\x00" * 7 + b"\x01",
    ]
    return b"".join(P4 + body for body in bodies) + b"B" + u32(0xFFFFFFFF) + b"."


@case
def texts_just_kept(n):
    return P4 + b"(" + text("x" * (1 << 20)) * times(n * 66) + b"t."


@case
def wide_texts(n):
    return P4 + b"(" + text("\U0001f600" * 262_000) * times(n * 66) + b"t."


@case
def texts_of_one_letter(n):
    return P4 + b"(" + b"".join(b"\x8c\x02" + b"%02d" % (i % 100) for i in range(times(n * 1_400_000))) + b"t."


@case
def tiny_streams(n):
    return b"\x80\x04N." * times(n * 100_100)


@case
def tiny_streams_with_junk(n):
    return (b"\x80\x04N." + b"junk") * times(n * 100_100)


@case
def streams_between_false_starts(n):
    return (b"\x80\x04N000." + b"\x80\x02" * 1900) * times(n * 2_000)


@case
def random_tail(n):
    return P4 + b"N." + b"\x01" + random.Random(7).randbytes(times(n * 100_000_000))


@case
def lines_without_end(n):
    return b"\x80\x04U\x01aV" * times(n * 3_000_000)


@case
def starts_of_pickles(n):
    return P4 + b"N." + b"\x80\x02" * times(n * 5_000_000)


@case
def starts_of_imports(n):
    return P4 + b"N." + b"ca" * times(n * 10_000_000)


@case
def text_behind_a_pickle(n):
    return P4 + b"N." + b"i like long stories " * times(n * 2_000_000)


@case
def broken_streams(n):
    return (P4 + b"(" + b"N" * 1000 + b"\x00") * times(n * 8_000)


@case
def nested_compression(n):
    content = P4 + b"N" * times(n * 1_000_000) + b"."
    packers = (gzip.compress, bz2.compress, lzma.compress, zlib.compress, gzip.compress, bz2.compress, gzip.compress)
    for pack in packers:
        content = pack(content)
    return content


@case
def zeros_in_gzip(n):
    return gzip.compress(bytes(times(n * (1 << 30))), 9)


@case
def zeros_in_bz2(n):
    return bz2.compress(bytes(times(n * (1 << 29))))


@case
def zeros_in_xz(n):
    return lzma.compress(bytes(times(n * (1 << 29))), preset=0)


@case
def ints_in_gzip(n):
    return gzip.compress(pickle.dumps([[1000 + j for j in range(64)]] * 3 + list(range(times(n * 4_000_000))), 2), 1)


@case
def members_of_a_zip(n):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(times(n * 50_000)):
            archive.writestr(f"m/{i}.pkl", b"\x80\x04N.")
    return file.getvalue()


@case
def members_of_a_zip_that_call(n):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(times(n * 50_000)):
            archive.writestr(f"m/{i}.pkl", b"\x80\x04cos\nsystem\n)R.")
    return file.getvalue()


@case
def heads_of_a_zip(n):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(times(n * 10_000)):
            archive.writestr(f"{i}.npy", npy_of_zeros())
    return file.getvalue()


def npy_of_zeros():
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (125000,), }\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(1_000_000)


@case
def members_upon_members(n):
    """Local headers in a row, each of a member that reaches to the end of all."""
    count_, tail = times(n * 20_000), (P4 + b"N" * 10 + b".").ljust(1 << 20, b"\0")
    locals_, central, size = b"", [], 31 * count_
    for i in range(count_):
        n_stored = size - 31 * (i + 1) + len(tail)
        common = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0, 0, n_stored, n_stored, 1, 0)
        central.append(b"PK\x01\x02\x14\x00" + common + struct.pack("<HHHII", 0, 0, 0, 0, 31 * i) + b"a")
    parts = []
    for i in range(count_):
        n_stored = size - 31 * (i + 1) + len(tail)
        parts.append(b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0, 0, n_stored, n_stored, 1, 0) + b"a")
    locals_ = b"".join(parts)
    directory = b"".join(central)
    start = len(locals_) + len(tail)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, len(directory), start, 0)
    return locals_ + tail + directory + end


@case
def entries_of_one_member(n):
    body = b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0, 0, 4, 4, 1, 0) + b"a\x80\x04N."
    common = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0, 0, 4, 4, 1, 0)
    entry = b"PK\x01\x02\x14\x00" + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + b"a"
    directory = entry * times(n * 2_000_000)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, len(directory), len(body), 0)
    return body + directory + end


@case
def zip_bomb(n):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(20):
            archive.writestr(f"{i}.pkl", b"\x80\x04" + b"N0" * times(n * 16_000_000))
    return file.getvalue()


@case
def npy_header(n):
    header = b"{'descr': [" + b"('a', '<f8')," * times(n * 400_000) + b"], 'fortran_order': False, 'shape': (1,)}"
    return b"\x93NUMPY\x02\x00" + u32(len(header)) + header


@case
def wide_json(n):
    return json.dumps([{"a": 1}] * times(n * 2_000_000)).encode()


@case
def deep_json(n):
    return b"[" * times(n * 5_000_000)


@case
def gguf_keys(n):
    pairs = b"".join(struct.pack("<Q", 7) + b"k%06d" % i + struct.pack("<II", 4, i) for i in range(times(n * 600_000)))
    return b"GGUF" + struct.pack("<IQQ", 3, 0, times(n * 600_000)) + pairs


@case
def gguf_arrays(n):
    strings = (struct.pack("<Q", 1) + b"a") * times(n * 2_000_000)
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k"
    return head + struct.pack("<IIQ", 9, 8, times(n * 2_000_000)) + strings


@case
def safetensors_header(n):
    names = zip(count(), range(times(n * 300_000)), strict=False)
    header = json.dumps({str(i): {"dtype": "F32", "shape": [1], "data_offsets": [4 * j, 4 * j + 4]} for i, j in names})
    return struct.pack("<Q", len(header)) + header.encode()


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(BUILDS[sys.argv[1]](float(sys.argv[3])))
