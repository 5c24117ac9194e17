"""Sign and verify 1 GB beside OpenSSF's model-signing: ``python benchmarks/model_signing.py [ROUNDS]``.

Claims: two files of 524 MB in the page cache, SHA-256, whole processes in alternating runs: each of sign and verify at
most 85 % of its wall time without a digest cache, and at most 25 % with one; signing again after a README changed in
0.3 s of CPU. The peer runs in its own environment below ``REDAN_PEERS`` (``make peers``). Verifying is the library
call that ``redan verify`` makes, in a process of its own, since that verb judges statements as well.
"""

from __future__ import annotations

import compileall
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import redan

PEER = Path(os.environ.get("REDAN_PEERS", Path(__file__).resolve().parents[1] / ".peers")) / "model-signing" / "bin"
REDAN = str(Path(sys.executable).with_name("redan"))
FILE_BYTES = 524_288_000
CLAIMS = {"sign": 0.85, "verify": 0.85, "sign_cached": 0.25, "verify_cached": 0.25}
CLAIM_README_CPU_S = 0.3
VERIFY = """
import sys
from pathlib import Path
from redan.evidence.keys import load_verifier
from redan.evidence.signing import verify
memory_for = None
if len(sys.argv) > 1:
    from redan.kernels.digests.cache import DigestCache
    memory_for = lambda algorithm, shard_bytes: DigestCache(
        Path(sys.argv[1]), Path("model"), algorithm=algorithm, shard_bytes=shard_bytes)
found = verify(Path("model"), keys=[load_verifier(Path("key.pub"))], memory_for=memory_for)
print("verified", found.n_files, found.n_remembered)
"""
OURS = {
    "sign": [REDAN, "sign", "model", "--key", "key"],
    "verify": [sys.executable, "-c", VERIFY],
    "sign_cached": [REDAN, "sign", "model", "--key", "key", "--cache", "--cache-folder", "digests"],
    "verify_cached": [sys.executable, "-c", VERIFY, "digests"],
}
_THEIR_SIGNATURE = ["--signature", "their.sig", "--ignore-paths", "model/model.sig"]
THEIRS = {
    "sign": [str(PEER / "model_signing"), "sign", "key", "model", "--private_key", "key", *_THEIR_SIGNATURE],
    "verify": [str(PEER / "model_signing"), "verify", "key", "model", "--public_key", "key.pub", *_THEIR_SIGNATURE],
}


def took(words: list[str], folder: Path) -> tuple[float, float]:
    """Run a command to its end and return its wall and CPU seconds."""
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environ |= {"XDG_STATE_HOME": str(folder / "state")}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, cwd=folder, capture_output=True, check=True, env=environ)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make(folder: Path) -> None:
    """Write the model, which stays in the page cache, and a key."""
    (folder / "model").mkdir()
    block = os.urandom(1 << 20)
    for name in ("a.bin", "b.bin"):
        with (folder / "model" / name).open("wb") as file:
            for number in range(FILE_BYTES // len(block)):
                file.write(number.to_bytes(8, "big") + block[8:])
    (folder / "model" / "README.md").write_text("words")
    subprocess.run([REDAN, "key", "new", "key"], cwd=folder, capture_output=True, check=True)


def rounds_of(folder: Path, n_rounds: int) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Run both sides in alternating rounds, the cached runs in the same rounds."""
    times: dict[str, dict[str, list[tuple[float, float]]]] = {"redan": {}, "peer": {}}
    for job in ("sign", "sign_cached"):
        took(OURS[job], folder)  # so that the cache is filled and the files are read once
        time.sleep(2.5)  # files that changed less than two seconds ago are not remembered
    took(OURS["sign_cached"], folder)
    for _ in range(n_rounds):
        for job, words in OURS.items():
            times["redan"].setdefault(job, []).append(took(words, folder))
            if job in THEIRS:
                times["peer"].setdefault(job, []).append(took(THEIRS[job], folder))
    return times


def readme(folder: Path, n_rounds: int) -> float:
    """Return the CPU seconds that signing again takes when only a README is another one."""
    times = []
    for number in range(n_rounds):
        (folder / "model" / "README.md").write_text(f"other words {number}")
        times.append(took(OURS["sign_cached"], folder)[1])
    return statistics.median(times)


def main(n_rounds: int) -> int:
    """Measure and print one JSON line."""
    if not (PEER / "model_signing").is_file():
        print(json.dumps({"benchmark": "model_signing", "skipped": f"no model_signing in {PEER.name}"}))
        return 0
    compileall.compile_dir(redan.__path__[0], quiet=2)
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        times = rounds_of(Path(name), n_rounds)
        readme_cpu_s = readme(Path(name), n_rounds)
    wall = {side: {k: statistics.median(t[0] for t in v) for k, v in jobs.items()} for side, jobs in times.items()}
    cpu = {side: {k: statistics.median(t[1] for t in v) for k, v in jobs.items()} for side, jobs in times.items()}
    ratio = {job: wall["redan"][job] / wall["peer"][job.removesuffix("_cached")] for job in OURS}
    peer_version = "import importlib.metadata as m; print(m.version('model-signing'))"
    theirs = subprocess.run([PEER / "python", "-c", peer_version], capture_output=True, text=True, check=True)
    line = {
        "benchmark": "model_signing",
        "n": n_rounds,
        "bytes": 2 * FILE_BYTES,
        "wall_s_median": {side: {k: round(v, 3) for k, v in jobs.items()} for side, jobs in wall.items()},
        "cpu_s_median": {side: {k: round(v, 3) for k, v in jobs.items()} for side, jobs in cpu.items()},
        "wall_ratio": {job: round(value, 3) for job, value in ratio.items()},
        "claims_wall_ratio": CLAIMS,
        "sign_after_readme_cpu_s_median": round(readme_cpu_s, 3),
        "holds": all(ratio[job] <= most for job, most in CLAIMS.items()) and readme_cpu_s <= CLAIM_README_CPU_S,
        "processors": os.cpu_count(),
        "machine": platform.processor() or platform.machine(),
        "versions": {
            "redan": version("redan"),
            "model-signing": theirs.stdout.strip(),
            "python": platform.python_version(),
        },
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
