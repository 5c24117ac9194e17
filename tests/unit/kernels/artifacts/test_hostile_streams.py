"""Ways to write a pickle so that a reader of names, of frames or of whole files loses its track."""

from __future__ import annotations

import pickle
import struct

import pytest

from redan.kernels.artifacts import inspect_bytes

GOOD = pickle.dumps({"w": [1, 2]}, 4)
CALL = b"(X\x04\0\0\0truetR"
SYSTEM = b"cos\nsystem\n"


def text(word: str) -> bytes:
    raw = word.encode()
    return b"\x8c" + bytes([len(raw)]) + raw


def unicode(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word)) + word.encode()


STACK = text("os") + text("system") + b"\x93"
ARGUMENT = text("true") + b"\x85R"
LATE = pickle.dumps([1, 2.0, "x" * 40, (None, True), {b"k": {1}}], 4)[2:-1]

STREAMS = {
    "protocol 0": b"cos\nsystem\n(S'true'\ntR.",
    "protocol 0 double quotes": b'cos\nsystem\n(S"true"\ntR.',
    "protocol 0 unicode": b"cos\nsystem\n(Vtrue\ntR.",
    "unicode escape": b"\x80\x02(V\\u006f\\u0073\nV\\u0073ystem\n\x93" + ARGUMENT + b".",
    "no protocol": STACK + ARGUMENT + b".",
    "protocol 5": b"\x80\x05" + STACK + ARGUMENT + b".",
    "protocol 1": b"\x80\x01" + SYSTEM + CALL + b".",
    "protocol twice": b"\x80\x04\x80\x02" + SYSTEM + CALL + b".",
    "protocol 255": b"\x80\xff" + SYSTEM + CALL + b".",
    "inst": b"(S'true'\nios\nsystem\n.",
    "obj": b"(cos\nsystem\nS'true'\no.",
    "newobj": b"\x80\x04" + STACK + text("true") + b"\x85\x81.",
    "newobj ex": b"\x80\x04" + STACK + text("true") + b"\x85}\x92.",
    "reduce without arguments": b"\x80\x04" + text("os") + text("abort") + b"\x93)R.",
    "build": b"\x80\x04" + STACK + b"}" + text("x") + b"K\x01sb.",
    "names from memo": b"\x80\x04" + text("os") + b"\x94" + text("system") + b"\x940h\x00h\x01\x93" + ARGUMENT + b".",
    "names from put": b"\x80\x04"
    + text("os")
    + b"q\x05"
    + text("system")
    + b"q\x07"
    + b"00h\x05h\x07\x93"
    + ARGUMENT
    + b".",
    "names by long put": b"\x80\x04"
    + text("os")
    + b"r\xff\xff\0\0"
    + text("system")
    + b"p9\n00j\xff\xff\0\0g9\n\x93"
    + ARGUMENT
    + b".",
    "memo overwritten": b"\x80\x04"
    + text("math")
    + b"q\x00"
    + text("os")
    + b"q\x000"
    + b"0h\x00"
    + text("system")
    + b"\x93"
    + ARGUMENT
    + b".",
    "memoize after put": b"\x80\x04"
    + text("os")
    + b"q\x01"
    + text("x")
    + b"\x940h\x01"
    + text("system")
    + b"\x93"
    + ARGUMENT
    + b".",
    "dup": b"\x80\x04" + text("system") + b"2" + b"0" + text("os") + text("system") + b"\x93" + ARGUMENT + b".",
    "pop mark": b"\x80\x04"
    + text("os")
    + b"("
    + text("json")
    + text("dumps")
    + b"1"
    + text("system")
    + b"\x93"
    + ARGUMENT
    + b".",
    "pop between": b"\x80\x04" + text("os") + text("path") + b"0" + text("system") + b"\x93" + ARGUMENT + b".",
    "tuple of names": b"\x80\x04" + text("os") + text("system") + b"\x93" + b"(" + text("true") + b"tR.",
    "names as long unicode": b"\x80\x04" + unicode("os") + unicode("system") + b"\x93" + ARGUMENT + b".",
    "names as unicode8": b"\x80\x04\x8d"
    + struct.pack("<Q", 2)
    + b"os\x8d"
    + struct.pack("<Q", 6)
    + b"system\x93"
    + ARGUMENT
    + b".",
    "names as bytes": b"\x80\x04C\x02osC\x06system\x93" + ARGUMENT + b".",
    "names as old strings": b"\x80\x02U\x02osU\x06system\x93" + b"(U\x04truetR.",
    "names by get of persistent": b"\x80\x04P1\n0" + STACK + ARGUMENT + b".",
    "binary persistent": b"\x80\x04" + text("x") + b"Q0" + STACK + ARGUMENT + b".",
    "frame too short": b"\x80\x04\x95" + struct.pack("<Q", 1) + STACK + ARGUMENT + b".",
    "frame too long": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + STACK + ARGUMENT + b".",
    "frame in frame": b"\x80\x04\x95"
    + struct.pack("<Q", 30)
    + b"\x95"
    + struct.pack("<Q", 3)
    + STACK
    + ARGUMENT
    + b".",
    "no stop": b"\x80\x04" + STACK + ARGUMENT,
    "call then broken opcode": b"\x80\x04" + STACK + ARGUMENT + b"\xff\xff\xff.",
    "call then underflow": b"\x80\x04" + STACK + ARGUMENT + b"000000.",
    "call then missing memo": b"\x80\x04" + STACK + ARGUMENT + b"h\xff.",
    "call then bad length": b"\x80\x04" + STACK + ARGUMENT + b"X\xff\xff\xff\xff.",
    "call then bad string": b"\x80\x04" + STACK + ARGUMENT + b"S'abc\n.",
    "call then bad integer": b"\x80\x04" + STACK + ARGUMENT + b"Izz\n.",
    "call then bad float": b"\x80\x04" + STACK + ARGUMENT + b"Fzz\n.",
    "late": b"\x80\x04" + LATE + b"0" + STACK + ARGUMENT + b".",
    "inside a list": b"\x80\x04](" + STACK + ARGUMENT + b"K\x01e.",
    "inside a dictionary": b"\x80\x04}(" + text("k") + STACK + ARGUMENT + b"u.",
    "inside a key": b"\x80\x04}" + STACK + ARGUMENT + b"K\x01s.",
    "inside a set": b"\x80\x04\x8f(" + STACK + ARGUMENT + b"\x90.",
    "inside a frozen set": b"\x80\x04(" + STACK + ARGUMENT + b"\x91.",
    "inside a tuple": b"\x80\x04" + STACK + ARGUMENT + b"K\x01\x86.",
    "inside arguments": b"\x80\x04"
    + text("collections")
    + text("OrderedDict")
    + b"\x93"
    + STACK
    + ARGUMENT
    + b"\x85R.",
    "inside a state": b"\x80\x04"
    + text("collections")
    + text("OrderedDict")
    + b"\x93)R}"
    + text("a")
    + STACK
    + ARGUMENT
    + b"sb.",
    "second stream": GOOD + b"\x80\x04" + STACK + ARGUMENT + b".",
    "third stream": GOOD + GOOD + b"\x80\x04" + STACK + ARGUMENT + b".",
    "behind zeros": GOOD + bytes(1000) + b"\x80\x04" + STACK + ARGUMENT + b".",
    "behind text": GOOD + b"some text\n" + b"\x80\x04" + STACK + ARGUMENT + b".",
    "behind a line": b"\x80\x04N.\n" + SYSTEM + CALL + b".",
    "next buffer": b"\x80\x05\x97\x980" + STACK + ARGUMENT + b".",
    "bytearray": b"\x80\x05\x96" + struct.pack("<Q", 3) + b"abc0" + STACK + ARGUMENT + b".",
    "long integers": b"\x80\x04\x8a\x01\x05\x8b\x04\0\0\0abcd00" + STACK + ARGUMENT + b".",
    "extension": b"\x80\x02\x82\x01" + CALL + b".",
    "extension 2": b"\x80\x02\x83\x01\x02" + CALL + b".",
    "extension 4": b"\x80\x02\x84\x01\x02\x03\x04" + CALL + b".",
    "getattr": b"\x80\x04" + text("builtins") + text("getattr") + b"\x93cos\n_wrap_close\n" + text("x") + b"\x86R.",
    "getattr of a call": b"\x80\x04"
    + text("builtins")
    + text("getattr")
    + b"\x93cbuiltins\n__import__\n"
    + text("os")
    + b"\x85R"
    + text("system")
    + b"\x86R.",
    "dotted": b"\x80\x04" + text("torch") + text("os.system") + b"\x93" + ARGUMENT + b".",
    "dotted class": b"\x80\x04" + text("collections") + text("OrderedDict.__init__.__globals__") + b"\x93.",
    "dotted module": b"\x80\x04" + text("sklearn.os") + text("system") + b"\x93" + ARGUMENT + b".",
    "dotted numpy": b"\x80\x04" + text("numpy") + text("core._internal.sys.modules") + b"\x93.",
    "private walk": b"\x80\x04" + text("collections") + text("_sys.modules") + b"\x93.",
    "computed name": b"\x80\x04"
    + text("os")
    + text("builtins")
    + text("str")
    + b"\x93"
    + text("system")
    + b"\x85R\x93"
    + ARGUMENT
    + b".",
    "result called": b"\x80\x04"
    + text("operator")
    + text("attrgetter")
    + b"\x93"
    + text("system")
    + b"\x85R"
    + text("x")
    + b"\x85R.",
    "partial": b"\x80\x04" + text("functools") + text("partial") + b"\x93cos\nsystem\n" + text("true") + b"\x86R)R.",
    "partial state": b"\x80\x04"
    + text("functools")
    + text("partial")
    + b"\x93cbuiltins\nint\n\x85R(cos\nsystem\n("
    + text("true")
    + b"t}Ntb)R.",
    "default factory": b"\x80\x04"
    + text("collections")
    + text("defaultdict")
    + b"\x93cos\nsystem\n\x85R"
    + text("a")
    + b"N"
    + b"s.",
    "default factory called": b"\x80\x04" + text("collections") + text("defaultdict") + b"\x93cos\nabort\n\x85R.",
    "writes a module": b"\x80\x04csys\nmodules\n" + text("os") + b"N" + b"s.",
    "writes a dictionary": b"\x80\x04" + text("builtins") + text("__dict__") + b"\x93" + text("a") + b"N" + b"s.",
    "setitems of an import": b"\x80\x04csys\nmodules\n(" + text("os") + b"Nu.",
    "appends to an import": b"\x80\x04csys\npath\n" + text("/tmp") + b"a.",
    "appends list": b"\x80\x04csys\npath\n(" + text("/tmp") + b"e.",
    "adds to an import": b"\x80\x04csys\nmodules\n(" + text("/tmp") + b"\x90.",
    "state of a class": b"\x80\x04"
    + text("collections")
    + text("OrderedDict")
    + b"\x93}"
    + text("__reduce__")
    + b"Nsb.",
    "slots of a class": b"\x80\x04"
    + text("collections")
    + text("OrderedDict")
    + b"\x93N}"
    + text("pop")
    + b"cos\nsystem\ns\x86b.",
    "dunder in state": b"\x80\x04"
    + text("collections")
    + text("OrderedDict")
    + b"\x93)R}"
    + text("__class__")
    + b"cos\nsystem\nsb.",
    "setstate in state": b"\x80\x04"
    + text("collections")
    + text("OrderedDict")
    + b"\x93)\x81}"
    + text("__setstate__")
    + b"cos\nsystem\nsb"
    + text("x")
    + b"b.",
    "nested in bytes": b"\x80\x04cpickle\nloads\nC\x03N..\x85R.",
    "nested for torch": b"\x80\x04ctorch.storage\n_load_from_bytes\nC"
    + bytes([len(STACK + ARGUMENT) + 3])
    + b"\x80\x04"
    + STACK
    + ARGUMENT
    + b".\x85R.",
    "homoglyph": b"\x80\x04" + text("\u03bfs") + text("system") + b"\x93" + ARGUMENT + b".",
    "full width": b"\x80\x04" + text("\uff4f\uff53") + text("system") + b"\x93" + ARGUMENT + b".",
    "space in name": b"\x80\x02cos \nsystem\n(Vtrue\ntR.",
    "Python 2 names": b"\x80\x02c__builtin__\neval\n(U\x011tR.",
    "Python 2 module": b"\x80\x02ccopy_reg\nadd_extension\n(U\x01aU\x01bK\x01tR.",
    "deny names in memo only": b"\x80\x04" + STACK + b"\x940h\x00" + ARGUMENT + b".",
    "many marks": b"\x80\x04" + b"(" * 500 + b"1" * 500 + STACK + ARGUMENT + b".",
    "many tuples": b"\x80\x04)" + b"\x85" * 500 + b"0" + STACK + ARGUMENT + b".",
    "random state": b"\x80\x04"
    + text("numpy.random._pickle")
    + text("__randomstate_ctor")
    + b"\x93cos\nsystem\n\x85R.",
    "reconstructor": b"\x80\x04ccopyreg\n_reconstructor\ncos\nsystem\ncbuiltins\nobject\nN\x87R.",
    "newobj by name": b"\x80\x04ccopyreg\n__newobj__\nccode\nInteractiveConsole\n\x85R.",
    "torch rebuild": b"\x80\x04ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\ncbuiltins\ndict\n("
    + text("true")
    + b"tNtR.",
    "codec": b"\x80\x04c_codecs\ndecode\n" + text("x") + text("rot13") + b"\x86R.",
    "file": b"\x80\x04c_io\nFileIO\n" + text("/tmp/x") + text("w") + b"\x86R.",
}


@pytest.mark.parametrize("name", STREAMS)
def test_disguised_call_is_unsafe(name):
    assert inspect_bytes(STREAMS[name], "model.pkl").verdict == "unsafe"


@pytest.mark.parametrize(
    "data",
    [b"\x80\x04000" + STACK + ARGUMENT + b".",
     b"\x80\x04h\x09" + STACK + ARGUMENT + b".", b"cos\r\nsystem\r\n(Vx\r\ntR.",
     b"\x80\x04" + text("os") + text("system") + b"\x86\x93" + ARGUMENT + b"."],
)  # fmt: skip
def test_stream_that_breaks_before_its_call_is_not_safe(data):
    assert inspect_bytes(data, "model.pkl").verdict != "safe"


def test_there_are_enough_disguises():
    assert len(STREAMS) >= 90


@pytest.mark.parametrize("name", [name for name in STREAMS if "state" not in name][::5])
def test_disguised_call_is_unsafe_behind_and_within_honest_streams(name):
    assert inspect_bytes(GOOD + STREAMS[name], "model.pkl").verdict == "unsafe"
    quiet = STREAMS[name]
    assert (
        inspect_bytes(
            b"\x80\x04ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(quiet)) + quiet + b"\x85R.", "m.pkl"
        ).verdict
        == "unsafe"
    )
