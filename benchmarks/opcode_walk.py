"""How fast the opcodes of a large pickle are read: ``python benchmarks/opcode_walk.py [ROUNDS]``.

Claims: a pickle of 22 MB and 6.3 million opcodes, integers appended to lists, takes at most 2 s of CPU with the
compiled core, whole process and to its end, and both cores give one reading. Beside it stand Python alone, and
picklescan in its own environment below ``REDAN_PEERS`` (``make peers``), left out where that is not there. User and
system time of the child are counted.
"""

from __future__ import annotations

import compileall
import json
import os
import pickle
import platform
import random
import resource
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import redan
from redan.kernels.artifacts import inspect
from redan.kernels.artifacts.machine.core import CORE

ROOT = Path(__file__).resolve().parents[1]
PEER = Path(os.environ.get("REDAN_PEERS", ROOT / ".peers")) / "picklescan" / "bin" / "picklescan"
N_LISTS, N_INTS, LARGEST_INT = 95_000, 62, 90_000
CLAIM_S = 2.0
PURE = """
import sys
import redan.kernels.artifacts.machine.calls
from redan.kernels.artifacts.machine.core import CORE
CORE.walk = None
from redan.cli.__main__ import main
main()
"""


def pickle_of_lists() -> bytes:
    """Lists of integers of one, two and four bytes, as a data set or a forest holds them."""
    draw = random.Random(0)
    return pickle.dumps([[draw.randrange(LARGEST_INT) for _ in range(N_INTS)] for _ in range(N_LISTS)], protocol=2)


def cpu_s(words: list[str]) -> tuple[float, dict[str, object]]:
    """Run a command to its end; its CPU time, and the first artifact of its report where it prints one."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, json.loads(done.stdout)["artifacts"][0] if done.stdout.startswith("{") else {}


def main(rounds: int) -> int:
    """Measure in interleaved rounds and print one JSON line."""
    compileall.compile_dir(redan.__path__[0], quiet=2)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lists.pkl"
        n_bytes = file.write_bytes(pickle_of_lists())
        scan = ["scan", str(file), "--format", "json"]
        commands = {
            "compiled": [str(Path(sys.executable).with_name("redan")), *scan],
            "pure": [sys.executable, "-c", PURE, *scan],
        }
        if PEER.is_file():
            commands["picklescan"] = [str(PEER), "--path", str(file)]
        n_opcodes = inspect(file).n_opcodes
        times: dict[str, list[float]] = {name: [] for name in commands}
        artifacts: dict[str, dict[str, object]] = {}
        for _ in range(rounds):
            for name, words in commands.items():
                spent, artifacts[name] = cpu_s(words)
                times[name].append(spent)
    least = {name: min(values) for name, values in times.items()}
    line = {
        "benchmark": "opcode_walk",
        "n": rounds,
        "core": CORE.why,
        "n_bytes": n_bytes,
        "n_opcodes": n_opcodes,
        "verdict": artifacts["compiled"].get("verdict"),
        "same_reading": artifacts["compiled"] == artifacts["pure"],
        "cpu_s_min": {name: round(value, 3) for name, value in least.items()},
        "claim_s": CLAIM_S,
        "ratio_to_compiled": {name: round(value / least["compiled"], 1) for name, value in least.items()},
        "holds": CORE.walk is not None and least["compiled"] <= CLAIM_S and artifacts["compiled"] == artifacts["pure"],
        "versions": {"redan": version("redan"), "python": platform.python_version()},
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
