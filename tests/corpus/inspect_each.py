"""Run by the corpus tests in a process of its own: inspects each file named on standard input and prints JSON.

Usage: python inspect_each.py SRC (forked | audited | bare)

forked: each file in a child of a warm process; prints its verdict, CPU seconds and memory above that of an idle child.
audited: all files under an audit hook; prints the events that no reader may cause, and whether a control was noticed.
bare: all files while third-party packages cannot be imported; prints the whole readings and what was imported.
"""

import importlib
import json
import os
import pkgutil
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from redan.kernels import artifacts


def warm_up():
    """Import every reader and the codecs that they decode names with, and read two files."""
    for module in pkgutil.walk_packages(artifacts.__path__, artifacts.__name__ + "."):
        importlib.import_module(module.name)
    for module in ("bz2", "lzma", "zlib", "mmap", "json", "xml", "heapq"):
        importlib.import_module(module)
    for codec in ("cp437", "utf-16", "utf-8-sig", "latin-1", "raw_unicode_escape"):
        "x".encode(codec)
    # Records compile their constructors when the first object is made.
    artifacts.inspect_bytes(b"\x80\x02cos\nsystem\n(S'true'\ntR.", "x.pkl")
    artifacts.inspect_bytes(b"\x80\x02ccollections\nOrderedDict\n)R.", "x.pkl")


def as_json(reading):
    return {
        "format": reading.format,
        "verdict": reading.verdict,
        "reasons": [[r.kind, r.verdict, r.message, r.where] for r in reading.reasons],
        "calls": [[c.callable, c.arguments, c.how, c.stream, c.offset] for c in reading.calls],
        "counts": [reading.n_opcodes, reading.n_bytes_read, len(reading.members), reading.complete],
    }


def in_child(file):
    """Verdict, CPU seconds and peak memory in bytes of one inspection; of nothing for no file."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        verdict = artifacts.inspect(Path(file)).verdict if file else "none"
        os.write(send, verdict.encode())
        os._exit(0)
    os.close(send)
    _, status, usage = os.wait4(child, 0)
    verdict = os.read(receive, 100).decode()
    os.close(receive)
    return {
        "verdict": verdict,
        "status": status,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * 1024,
    }


def forked(files):
    warm_up()
    idle_bytes = in_child("")["peak_bytes"]
    found = {file: in_child(file) for file in files}
    for one in found.values():
        one["added_bytes"] = one["peak_bytes"] - idle_bytes
    return found


def audited(files):
    """Only reading is allowed: opening files to read them, mapping them, and listing nothing."""
    warm_up()
    heard = []
    current = ""
    armed = True

    def hook(event, arguments):
        if not armed or event in ("mmap.__new__", "mmap.read", "object.__getattr__", "object.__setattr__"):
            return
        if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            return
        if event == "compile" and arguments[1] == "<unknown>":
            # a syntax tree of code that a model brings along; running it would be an event "exec"
            return
        heard.append([current, event, repr(arguments)[:200]])

    sys.addaudithook(hook)
    for file in files:
        current = file
        artifacts.inspect(Path(file))
    n_heard = len(heard)
    current = "control"
    eval("1")
    (Path(sys.argv[1]) / "no-such-folder" / "control").unlink(missing_ok=True)
    armed = False
    return {"heard": heard[:n_heard], "control": [event for _, event, _ in heard[n_heard:]]}


class Refuse:
    """Stands before every finder and lets nothing in that is neither ours nor of the standard library."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        root = name.partition(".")[0]
        if root != "redan" and root not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{name} is not there in this test", name=name)


def bare(files):
    sys.meta_path.insert(0, Refuse)
    readings = {file: as_json(artifacts.inspect(Path(file))) for file in files}
    roots = {name.partition(".")[0] for name in sys.modules}
    foreign = sorted(roots - set(sys.stdlib_module_names) - {"redan", "__main__"})
    return {"readings": readings, "foreign": foreign}


if __name__ == "__main__":
    mode = {"forked": forked, "audited": audited, "bare": bare}[sys.argv[2]]
    json.dump(mode(json.load(sys.stdin)), sys.stdout)
