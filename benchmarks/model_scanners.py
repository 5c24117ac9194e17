"""Detection, false alarms, start-up and speed beside five other scanners: ``python benchmarks/model_scanners.py``.

Claims: at least 99 % of the hostile cases ``unsafe`` and none ``safe``; no benign case ``unsafe`` and at most 3 %
``unknown``; a 524 MB torch checkpoint in 0.15 s of CPU, 1000 small scikit-learn pickles in 0.40 s, a pickle of 6.3
million opcodes in 2 s, each as a whole process. The cases come from the shared corpus (``REDAN_SHARED`` or the folder
``shared`` beside the repository); each peer runs in its own environment below ``REDAN_PEERS`` (``make peers``).
"""

from __future__ import annotations

import compileall
import json
import os
import pickle
import platform
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import redan
from redan.kernels.artifacts import inspect
from redan.kernels.artifacts.reading import worst
from redan.kernels.statistics import wilson

ROOT = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("REDAN_SHARED", ROOT.parent / "shared")) / "corpus" / "supply_chain"
PEERS = Path(os.environ.get("REDAN_PEERS", ROOT / ".peers"))
NAMES = ("picklescan", "modelscan", "fickling", "hayward", "modelaudit")
WORDS = {
    "redan": [str(Path(sys.executable).with_name("redan")), "scan"],
    "picklescan": ["picklescan", "--path"],
    "modelscan": ["modelscan", "--path"],
    "fickling": ["fickling", "--check-safety", "--json-output", os.devnull],
    "hayward": ["hayward", "scan"],
    "modelaudit": ["modelaudit", "scan", "--no-cache"],
}
MOST_S = 200
ROUNDS = 3


def ours(path: Path) -> str:
    """Return our verdict on a file, or the worst one in a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return worst([inspect(file).verdict for file in files])


def theirs(name: str, paths: list[Path]) -> list[str]:
    """Return a peer's verdicts, all from one process in its own environment."""
    run = subprocess.run(
        [str(PEERS / name / "bin" / "python"), str(Path(__file__).parent / "peers" / "scanners.py"), name],
        input="".join(f"{p}\n" for p in paths),
        capture_output=True,
        text=True,
        check=True,
        cwd=tempfile.gettempdir(),
    )
    return [json.loads(line)["verdict"].partition(":")[0] for line in run.stdout.splitlines()]


def share(hits: int, n: int) -> dict[str, object]:
    """Return a rate with its sample size and 95 % interval."""
    low, high = wilson(hits, n)
    return {"hits": hits, "n": n, "rate": round(hits / n, 4), "low": round(low, 4), "high": round(high, 4)}


def detection(cases: list[dict[str, str]], verdicts: list[str]) -> dict[str, object]:
    """Count what a tool says of hostile, benign and exhausting cases."""
    counts = Counter((case["verdict"], verdict) for case, verdict in zip(cases, verdicts, strict=True))
    total = Counter(case["verdict"] for case in cases)
    doubt = ("unknown", "flagged")
    return {
        "hostile_unsafe": share(counts["malicious", "unsafe"], total["malicious"]),
        "hostile_unknown": sum(counts["malicious", d] for d in doubt),
        "benign_unsafe": share(counts["benign", "unsafe"], total["benign"]),
        "benign_unknown": share(sum(counts["benign", d] for d in doubt), total["benign"]),
        "crashes": sum(count for (_, verdict), count in counts.items() if verdict == "crash"),
    }


def cpu_s(words: list[str], folder: Path) -> float | None:
    """Run a command to its end and return the CPU seconds of it and its children; None when it took too long."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environ |= {"PROMPTFOO_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"}
    try:
        subprocess.run(words, cwd=folder, capture_output=True, timeout=MOST_S, check=False, env=environ)
    except subprocess.TimeoutExpired:
        return None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def targets(folder: Path) -> dict[str, Path]:
    """Make the four inputs of the speed table; nothing of them is committed."""
    import numpy as np
    import torch
    from sklearn.linear_model import LogisticRegression

    (folder / "small.pkl").write_bytes(pickle.dumps({"weights": [0.1] * 3}))
    torch.save({f"layer{k}": torch.zeros(131_072, 100) for k in range(10)}, folder / "big.pt")
    many = folder / "many"
    many.mkdir()
    x = np.random.default_rng(0).normal(size=(60, 20))
    for k in range(1000):
        model = LogisticRegression(C=1 + k / 100).fit(x, x[:, 0] > 0)
        (many / f"m{k:04d}.pkl").write_bytes(pickle.dumps(model))
    lists = [list(range(k, k + 63)) for k in range(0, 6_100_000, 63)]
    (folder / "opcodes.pkl").write_bytes(pickle.dumps(lists, protocol=2))
    return {
        "start_up": folder / "small.pkl",
        "torch_524_MB": folder / "big.pt",
        "1000_sklearn": many,
        "6.3_M_opcodes": folder / "opcodes.pkl",
    }


def speeds(names: list[str]) -> dict[str, dict[str, float | None]]:
    """Return the least CPU seconds of each tool on each target, in interleaved rounds."""
    least: dict[str, dict[str, float | None]] = {name: {} for name in ("redan", *names)}
    with tempfile.TemporaryDirectory() as name:
        made = targets(Path(name))
        for what, path in made.items():
            for round_ in range(ROUNDS):
                for tool, known in least.items():
                    if round_ and (known[what] is None or known[what] > 20):
                        continue  # a second try of minutes would say no more
                    program, *words = WORDS[tool]
                    program = program if tool == "redan" else str(PEERS / tool / "bin" / program)
                    took = cpu_s([program, *words, str(path)], Path(name))
                    known[what] = None if took is None else min(took, known.get(what) or took)
    return {tool: {k: v if v is None else round(v, 3) for k, v in row.items()} for tool, row in least.items()}


def main() -> int:
    """Print one JSON line with both tables."""
    if not CORPUS.is_dir():
        print(json.dumps({"benchmark": "model_scanners", "skipped": "the shared corpus is not there"}))
        return 0
    compileall.compile_dir(redan.__path__[0], quiet=2)
    names = [name for name in NAMES if (PEERS / name / "bin" / "python").exists()]
    cases = json.loads((CORPUS / "manifest.json").read_text(encoding="utf-8"))
    paths = [CORPUS / case["path"] for case in cases]
    table = {"redan": detection(cases, [ours(path) for path in paths])}
    table |= {name: detection(cases, theirs(name, paths)) for name in names}
    line = {
        "benchmark": "model_scanners",
        "detection": table,
        "cpu_s": speeds(names),
        "missing_peers": [name for name in NAMES if name not in names],
        "claims_cpu_s": {"torch_524_MB": 0.15, "1000_sklearn": 0.40, "6.3_M_opcodes": 2.0},
        "machine": platform.processor() or platform.machine(),
        "versions": {"redan": version("redan"), "python": platform.python_version()},
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
