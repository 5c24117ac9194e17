"""How fast a dump of OSV records is searched: ``python benchmarks/osv_dump.py [N_RECORDS]``.

Claim: at least 10 000 records a CPU second, and no more time than parsing every record as JSON takes. The records are
made here, as long as published ones usually are; the wanted packages are 100, of which 20 are in it.
"""

from __future__ import annotations

import json
import platform
import random
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import redan
from redan.kernels.advisories.dump import read_dump

CLAIM_RECORDS_A_CPU_S = 10_000
WANTED = frozenset(f"package-{number}" for number in range(100))


def record(number: int, draw: random.Random) -> str:
    """Return one record of about 3 kB; one in a thousand is about a wanted package."""
    name = f"package-{draw.randrange(20)}" if number % 1000 == 0 else f"other-{draw.randrange(9999)}"
    versions = [f"{draw.randrange(9)}.{draw.randrange(40)}.{minor}" for minor in range(80)]
    events = [{"introduced": "0"}, {"fixed": versions[0]}]
    return json.dumps(
        {
            "schema_version": "1.7.0",
            "id": f"PYSEC-2026-{number}",
            "modified": "2026-11-01T00:00:00Z",
            "aliases": [f"CVE-2026-{number}"],
            "summary": "x" * 80,
            "details": "word " * 200,
            "affected": [
                {
                    "package": {"ecosystem": "PyPI", "name": name},
                    "ranges": [{"type": "ECOSYSTEM", "events": events}],
                    "versions": versions,
                }
            ],
        }
    )


def parsed(path: Path) -> int:
    """Parse every record and do nothing else."""
    with zipfile.ZipFile(path) as archive:
        return sum(bool(json.loads(archive.read(name))) for name in archive.namelist())


def main(n_records: int) -> int:
    """Measure both in alternating rounds, print one JSON line, and fail when a claim does not hold."""
    draw = random.Random(0)
    times: dict[str, list[float]] = {"redan": [], "json": []}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "all.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(n_records):
                archive.writestr(f"PYSEC-2026-{number}.json", record(number, draw))
        for _ in range(3):
            for side, work in (("redan", lambda: read_dump(path, WANTED)), ("json", lambda: parsed(path))):
                started = time.process_time()
                work()
                times[side].append(time.process_time() - started)
    least = {side: min(values) for side, values in times.items()}
    rate = n_records / least["redan"]
    line = {
        "benchmark": "osv_dump",
        "n": n_records,
        "cpu_s_min": {side: round(value, 3) for side, value in least.items()},
        "records_a_cpu_s": round(rate),
        "claim": CLAIM_RECORDS_A_CPU_S,
        "ratio_to_json": round(least["redan"] / least["json"], 2),
        "holds": rate >= CLAIM_RECORDS_A_CPU_S and least["redan"] <= least["json"],
        "versions": {"redan": redan.__version__, "python": platform.python_version()},
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0 if line["holds"] else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 25_000))
