"""How much CPU the command line spends before and during small work: ``python benchmarks/startup.py [ROUNDS]``.

Claims: ``redan --help`` at most 80 ms and ``redan scan x.pkl`` at most 100 ms of CPU, whole process, with every extra
installed. An empty Python runs beside them in the same rounds, because a busy machine slows all three alike. User and
system time of the child are counted, since waiting says more about the machine than about the program.
"""

from __future__ import annotations

import compileall
import json
import pickle
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import redan

REDAN = Path(sys.executable).with_name("redan")
CLAIMS_MS = {"help": 80.0, "scan": 100.0}


def cpu_ms(words: list[str], folder: Path) -> float:
    """Run a command to its end and return the CPU time of it and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main(rounds: int) -> int:
    """Measure in interleaved rounds, print one JSON line, and fail when a claim does not hold."""
    # an installed package has its bytecode, a fresh checkout under PYTHONDONTWRITEBYTECODE never gets it by itself
    compileall.compile_dir(redan.__path__[0], quiet=2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "x.pkl").write_bytes(pickle.dumps({f"layer{i}.weight": [0.1] * 50 for i in range(20)}))
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "help": [str(REDAN), "--help"],
            "scan": [str(REDAN), "scan", "x.pkl"],
        }
        times: dict[str, list[float]] = {kind: [] for kind in commands}
        for _ in range(rounds):
            for kind, words in commands.items():
                times[kind].append(cpu_ms(words, folder))
    least = {kind: min(values) for kind, values in times.items()}
    line = {
        "benchmark": "startup",
        "n": rounds,
        "cpu_ms_min": {kind: round(value, 1) for kind, value in least.items()},
        "cpu_ms_median": {kind: round(statistics.median(values), 1) for kind, values in times.items()},
        "claims_ms": CLAIMS_MS,
        "ratio_to_python": {kind: round(least[kind] / least["python"], 2) for kind in CLAIMS_MS},
        "holds": all(least[kind] <= most for kind, most in CLAIMS_MS.items()),
        "versions": {"redan": version("redan"), "python": platform.python_version(), "click": version("click")},
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 15))
