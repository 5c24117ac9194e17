"""What other scanners say of files, run inside the environment of one of them.

``PYTHON scanners.py NAME < paths`` reads one path a line and writes one JSON line each: the verdict as that tool's own
command line would gate by default (``unsafe``, ``flagged`` where it says something that does not gate, ``clean``,
``crash``) and CPU seconds. Nothing here imports Redan.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

MOST_S = 60
MOST_BYTES = 12 << 30


def picklescan() -> Callable[[Path], str]:
    """Infected files gate; suspicious globals and errors are printed."""
    from picklescan.scanner import SafetyLevel, scan_directory_path, scan_file_path

    def judge(path: Path) -> str:
        found = scan_directory_path(str(path)) if path.is_dir() else scan_file_path(str(path))
        if found.issues_count or found.infected_files:
            return "unsafe"
        doubtful = found.scan_err or any(g.safety == SafetyLevel.Suspicious for g in found.globals)
        return "flagged" if doubtful else "clean"

    return judge


def modelscan() -> Callable[[Path], str]:
    """Any issue gates; errors and skipped files are printed."""
    from modelscan.modelscan import ModelScan

    def judge(path: Path) -> str:
        told = ModelScan().scan(path)
        if told["summary"]["total_issues"]:
            return "unsafe"
        return "flagged" if told["errors"] or told["summary"]["skipped"]["total_skipped"] else "clean"

    return judge


def fickling() -> Callable[[Path], str]:
    """Exit code of ``fickling --check-safety``, the worst over the files of a folder."""
    from fickling.cli import main

    def one(path: Path) -> str:
        told = main(["fickling", "--check-safety", "--json-output", os.devnull, str(path)])
        return {0: "clean", 1: "unsafe"}.get(told, "flagged")

    return lambda path: _worst(one, path)


def hayward() -> Callable[[Path], str]:
    """High and critical findings gate by default."""
    from hayward import ModelFileScanner, Severity

    def judge(path: Path) -> str:
        scanner = ModelFileScanner()
        found = list(scanner.scan_directory(path)) if path.is_dir() else scanner.scan_file(path)
        if any(f.severity in (Severity.CRITICAL, Severity.HIGH) for f in found):
            return "unsafe"
        return "flagged" if found else "clean"

    return judge


def modelaudit() -> Callable[[Path], str]:
    """Its own exit code: 1 for anything from warnings upwards, 2 for errors."""
    from modelaudit.core import scan_model_directory_or_file
    from modelaudit.core_results import determine_exit_code

    def judge(path: Path) -> str:
        told = scan_model_directory_or_file(str(path))
        return {0: "flagged" if told.issues else "clean", 1: "unsafe"}.get(determine_exit_code(told), "flagged")

    return judge


PEERS = {peer.__name__: peer for peer in (picklescan, modelscan, fickling, hayward, modelaudit)}


def _worst(one: Callable[[Path], str], path: Path) -> str:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return max((one(file) for file in files), key=["clean", "flagged", "unsafe"].index, default="clean")


def _late(number: int, frame: object) -> None:
    raise TimeoutError


def main(name: str) -> None:
    """Judge every path on standard input."""
    os.environ["PROMPTFOO_DISABLE_TELEMETRY"] = "1"
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    signal.signal(signal.SIGALRM, _late)
    out = os.fdopen(os.dup(1), "w")
    judge = PEERS[name]()
    for line in sys.stdin:
        path, before = Path(line.rstrip("\n")), time.process_time()
        signal.alarm(MOST_S)
        try:
            # one of them prints its findings; another one changes its verdict when its output is not a real file
            with contextlib.redirect_stdout(io.StringIO()) if name == "fickling" else contextlib.nullcontext():
                verdict = judge(path)
        except (Exception, SystemExit) as err:  # noqa: BLE001  a peer may fail in any way, and that is its result
            verdict = f"crash: {type(err).__name__}: {err}"[:200]
        signal.alarm(0)
        out.write(json.dumps({"verdict": verdict, "cpu_s": round(time.process_time() - before, 4)}) + "\n")
        out.flush()


if __name__ == "__main__":
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    main(sys.argv[1])
