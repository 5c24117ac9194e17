"""Build the fixed report that the golden files and the browser test show, and write the golden files.

Run `python tests/golden/make.py` after a deliberate change of a writer and read the difference.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

from redan.core.compare import compare
from redan.core.errors import EvidenceError
from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity, Suppression, Table
from redan.core.report import Artifact, Examined, Gate, Ran, Report, Run, Tool, Unexamined
from redan.core.subject import Binding, Component, SubjectRef
from redan.reports import junit, markdown, table

HERE = Path(__file__).parent
CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
ROBUST = (0.61, 0.93, 0.42, 0.75, 0.51, 0.88, 0.18, 0.86, 0.92, 0.87)
CLEAN = (0.8, 0.96, 0.74, 0.87, 0.76, 0.94, 0.53, 0.94, 0.96, 0.94)
EPS = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2)
CURVE = (0.844, 0.82, 0.791, 0.762, 0.73, 0.693, 0.41, 0.12)
CERTIFIED = (0.844, 0.74, 0.61, 0.47, 0.33, 0.21, 0.05, 0.0)
NEAREST = (3, 5, 9, 14, 21, 33, 47, 66, 81, 92, 101, 96, 84, 63, 41, 29, 18, 11, 6, 3)
"""Inputs in each bin of the smallest distance."""
MOVED = (
    (0, 1, 7, 13, 1, 0, 21, 0, 4, 0),
    (1, 0, 0, 4, 0, 0, 1, 0, 0, 0),
    (5, 0, 0, 3, 25, 0, 20, 0, 2, 0),
    (8, 4, 2, 0, 9, 0, 4, 0, 1, 0),
    (1, 1, 19, 14, 0, 0, 14, 0, 2, 0),
    (0, 0, 0, 0, 0, 0, 0, 8, 1, 3),
    (24, 0, 17, 9, 13, 0, 0, 0, 4, 0),
    (0, 0, 0, 0, 0, 4, 0, 0, 0, 6),
    (1, 0, 2, 1, 1, 1, 1, 1, 0, 0),
    (0, 0, 0, 0, 0, 2, 0, 7, 0, 0),
)
"""True class by the class given to the adversarial point."""
CANDIDATES = (
    ("as it was", 91.2, 1.1, 14.8, 0.0, "front"),
    ("adversarial-training", 84.4, 69.3, 15.1, 88.2, "taken"),
    ("trades", 82.1, 69.9, 15.0, 141.7, "front"),
    ("input-transformation", 88.0, 3.4, 17.9, 0.1, "front"),
    ("defensive-distillation", 90.1, 1.6, 15.2, 61.0, "front"),
    ("weight-decay", 89.3, 1.2, 14.9, 40.5, "beaten"),
)


def wilson(rate: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval."""
    z = 1.959964
    centre, half = rate + z * z / (2 * n), z * (rate * (1 - rate) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    return round(max(0.0, (centre - half) / scale), 4), round(min(1.0, (centre + half) / scale), 4)


def rate(name: str, value: float, n: int, *, better: str = "higher", partial: bool = False) -> Quantity:
    low, high = wilson(value, n)
    return Quantity(
        name=name,
        value=value,
        unit="fraction",
        n=n,
        low=low,
        high=high,
        better=better,
        partial=partial,  # type: ignore[arg-type]
    )


def count(name: str, value: float, n: int, unit: str = "count") -> Quantity:
    return Quantity(name=name, value=value, unit=unit, n=n, low=value, high=value)


def rates(name: str, x: tuple[float | str, ...], y: tuple[float, ...], n: int, x_unit: str = "") -> Series:
    ends = [wilson(v, n) for v in y]
    return Series(
        name=name,
        x=x,
        y=y,
        low=tuple(e[0] for e in ends),
        high=tuple(e[1] for e in ends),
        n=(n,) * len(y),
        x_unit=x_unit,
        y_unit="fraction",
    )


def png(rows: list[list[int]]) -> bytes:
    """Encode an 8-bit grey picture (PNG specification, sections 5 and 11)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def triptych(kind: int) -> bytes:
    """Draw a garment-like shape, the shape with a pattern on it, and the pattern ten times as strong."""
    rows = []
    for y in range(28):
        clean, attacked, difference = [], [], []
        for x in range(28):
            body = 9 - kind < x < 18 + kind and 4 < y < 25
            sleeves = 2 < x < 25 and 5 + abs(x - 14) // 3 < y < 12
            value = 190 - 4 * abs(x - 14) if body or (sleeves and kind != 2) else 0
            noise = 25 if (x * 7 + y * 3 + kind * x * y) % 5 < 2 else -25
            changed = min(255, max(0, value + noise))
            clean.append(value)
            attacked.append(changed)
            difference.append(min(255, max(0, 128 + (changed - value) * 5)))
        rows.append([*clean, 255, *attacked, 255, *difference])
    return png(rows)


def evasion() -> tuple[Finding, list[Evidence]]:
    pictures = [
        Evidence.of(f"triptych-{k}", triptych(k), "image/png", note)
        for k, note in enumerate(
            (
                "image 451: Shirt → T-shirt, distance 0.018",
                "image 12: Pullover → Coat, distance 0.021",
                "image 88: Coat → Pullover",
            )
        )
    ]
    tensors = Evidence.of("adversarial", b"\x93NUMPY stands here", "application/x-npy", "1000 adversarial images")
    finding = Finding(
        rule="RDN-EVA-001",
        threat="evasion",
        subject="fashion_cnn",
        title="69.3 % of images keep their right class under an attack of linf ≤ 0.1",
        severity=Severity.MEDIUM,
        detail="An attacker who may change every pixel by at most 0.1 makes the model wrong on 307 of 1000 images. "
        "Adversarial training lowers that number at some price in clean accuracy.",
        params={"norm": "linf", "eps": 0.1, "limit": 1000, "offset": 0},
        quantities=(
            rate("robust_accuracy", 0.693, 1000),
            rate("clean_accuracy", 0.844, 1000),
            rate("attack_success_rate", 0.1789, 844, better="lower"),
            Quantity(
                name="median_distance", value=0.1372, unit="linf", n=844, low=0.1311, high=0.1428, better="higher"
            ),
            count("forward_samples", 184_220, 1000, "samples"),
            count("gradient_samples", 96_104, 1000, "samples"),
        ),
        series=(
            Series(
                name="waterfall",
                x=("wrong already", "apgd-ce", "apgd-dlr, targeted", "fmn"),
                y=(156.0, 118.0, 29.0, 4.0),
                x_unit="stage",
                y_unit="images",
            ),
            rates("accuracy_by_eps", EPS, CURVE, 1000, "linf"),
            rates("by_class", CLASSES, ROBUST, 100, "class"),
            rates("clean_by_class", CLASSES, CLEAN, 100, "class"),
            rates("certified_by_eps", EPS, CERTIFIED, 1000, "linf"),
            Series(
                name="distance_histogram",
                x=tuple(round(0.015 * k, 3) for k in range(len(NEAREST))),
                y=tuple(map(float, NEAREST)),
                n=(844,) * len(NEAREST),
                x_unit="linf",
                y_unit="inputs",
            ),
        ),
        tables=(
            Table(
                name="adversarial_classes",
                columns=("true class", *CLASSES),
                rows=tuple((name, *row) for name, row in zip(CLASSES, MOVED, strict=True)),
                draw="heat",
            ),
            Table(
                name="alternatives",
                columns=("candidate", "clean %", "robust %", "µs a row", "training s", "standing"),
                rows=CANDIDATES,
                draw="scatter",
            ),
        ),
        evidence=(*(p.stored() for p in pictures), tensors.stored()),
        remedies=("adversarial-training", "Lower the resolution of what the attacker may change."),
        references=("atlas:AML.T0043", "arxiv:2003.01690", "doi:10.1109/SP.2017.49"),
    )
    return finding, [*pictures, tensors]


def supply_chain() -> tuple[Finding, ...]:
    shared = {"threat": "supply_chain", "subject": "models/"}
    return (
        Finding(
            rule="RDN-SUP-001",
            title="loading models/evil.pkl runs posix.system",
            severity=Severity.CRITICAL,
            detail="The pickle calls a function outside the allow-list as soon as it is opened.",
            locations=(Location(uri="models/evil.pkl", address="STACK_GLOBAL @ byte 14"),),
            remedies=("Do not load this file. Ask its author for safetensors.",),
            references=("cwe:502", "atlas:AML.T0010"),
            **shared,
        ),
        Finding(
            rule="RDN-SUP-004",
            title="the name of models/<script>alert(1)</script>|`x`.pt hides \x1b[31mred\x1b[0m and \u202egnp.exe",
            severity=Severity.LOW,
            confidence="likely",
            locations=(Location(uri="models/\x1b[31m模型🧨.pt", address="archive/data.pkl @ byte 12"),),
            **shared,
        ),
        Finding(
            rule="RDN-SUP-002",
            title="models/old.joblib names sklearn.tree._tree.Tree, which is not on the allow-list",
            severity=Severity.HIGH,
            status="suppressed",
            locations=(Location(uri="models/old.joblib", address="zlib stream @ byte 2031"),),
            suppression=Suppression(
                reason="trained by us in 2024, digest pinned", expires="2027-03-31", source="redan.toml [[ignore]]"
            ),
            **shared,
        ),
        Finding(
            rule="RDN-SUP-003",
            title="models/data.npz could not be read to its end",
            severity=Severity.MEDIUM,
            status="inconclusive",
            locations=(Location(uri="models/data.npz"),),
            **shared,
        ),
    )


def privacy() -> Finding:
    return Finding(
        rule="RDN-PRI-001",
        threat="privacy",
        subject="fashion_cnn",
        title="membership is told at 3.1 % true positives for 1 % false ones",
        severity=Severity.INFO,
        status="baseline",
        quantities=(rate("tpr_at_fpr_1_percent", 0.031, 2000, better="lower", partial=True),),
    )


def report() -> tuple[Report, list[Evidence]]:
    attack, blobs = evasion()
    digest = "3f1c" * 16
    made = Report(
        tool=Tool(name="redan", version="0.1.0"),
        run=Run(
            command="redan check --seed 0 --budget 5m",
            seed=0,
            threads=1,
            machine="x86_64, 2 cores, Linux 6.1",
            versions={"redan": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "numpy": "2.4.1"},
            config_digest="9a" * 32,
            started="2026-11-21T10:44:00Z",
            wall_s=58.31,
            cpu_s=52.7,
            complete=False,
        ),
        subject=SubjectRef(
            name="fashion_cnn",
            kind="torch",
            components=(
                Component(role="weights", uri="models/fashion_cnn.pt", sha256=digest, size_bytes=431_080),
                Component(role="code", uri="model.py", sha256="77" * 32, size_bytes=1204),
            ),
            binding=Binding(kind="file", uri="models/fashion_cnn.pt"),
        ),
        gate=Gate(
            level=Severity.HIGH,
            verdict="fail",
            exit_code=1,
            reasons=(
                "1 finding at or above high (worst: critical)",
                "rmia was cut short: the budget of 300 wall seconds is spent",
                "1 finding could not be decided",
            ),
        ),
        probes=(
            Ran(
                probe="RDN-EVA-001",
                name="cascade",
                threat="evasion",
                outcome="ran",
                n_findings=1,
                queries=184_220,
                cpu_s=9.4,
                wall_s=9.9,
            ),
            Ran(
                probe="RDN-EVA-002",
                name="hopskipjump",
                threat="evasion",
                outcome="skipped",
                why="gradients are at hand, so the stronger attack ran",
            ),
            Ran(
                probe="RDN-SUP-001",
                name="artifacts",
                threat="supply_chain",
                outcome="ran",
                n_findings=4,
                cpu_s=0.2,
                wall_s=0.2,
            ),
            Ran(
                probe="RDN-PRI-001",
                name="rmia",
                threat="privacy",
                outcome="partial",
                why="the budget of 300 wall seconds is spent",
                n_findings=1,
                queries=20_000,
                cpu_s=40.0,
                wall_s=44.0,
            ),
            Ran(
                probe="RDN-BIA-001",
                name="group-gap",
                threat="bias",
                outcome="skipped",
                why="needs sensitive columns, which were not given",
            ),
            Ran(
                probe="RDN-THE-001",
                name="knockoff",
                threat="theft",
                outcome="failed",
                why="ValueError: the model answered NaN for 3 of 64 inputs",
            ),
        ),
        findings=(attack, *supply_chain(), privacy()),
        artifacts=(
            Artifact(
                path="models/evil.pkl",
                verdict="unsafe",
                reasons=("calls posix.system @ byte 14",),
                format="pickle",
                sha256="ab" * 32,
                size_bytes=31,
            ),
            Artifact(
                path="models/fashion_cnn.pt",
                verdict="safe",
                reasons=(),
                format="torch zip",
                sha256=digest,
                size_bytes=431_080,
            ),
            Artifact(
                path="models/old.joblib",
                verdict="unknown",
                reasons=("names sklearn.tree._tree.Tree",),
                format="joblib",
                sha256="cd" * 32,
                size_bytes=20_100,
            ),
            Artifact(
                path="models/\x1b[31m模型🧨.pt",
                verdict="unknown",
                reasons=("the name holds an escape sequence",),
                format="torch zip",
                sha256="ef" * 32,
                size_bytes=512,
            ),
            Artifact(path="README.md", verdict="safe", reasons=(), format="text", sha256="01" * 32, size_bytes=900),
        ),
        examined=(
            Examined(path="notebooks/train.ipynb", format="notebook", by=("notebooks", "secrets")),
            Examined(path="README.md", format="text", by=("secrets",)),
        ),
        unexamined=(Unexamined(path="models/locked.bin", why="permission denied"),),
        notes=("the data has 10 classes and the first 1000 of 10000 images were used",),
    )
    return made, blobs


def hardened(before: Report) -> Report:
    """Return a later report: the model got better, one finding is gone, one is new."""
    attack = before.findings[0]
    better = replace(
        attack,
        title="78.0 % of images keep their right class under an attack of linf ≤ 0.1",
        severity=Severity.LOW,
        quantities=(rate("robust_accuracy", 0.78, 1000), rate("clean_accuracy", 0.827, 1000)),
    )
    new = Finding(
        rule="RDN-SUP-005",
        threat="supply_chain",
        subject="models/",
        title="models/new.bin has no known format",
        severity=Severity.LOW,
    )
    gate = Gate(level=Severity.HIGH, verdict="pass", exit_code=0, reasons=("no open finding at or above high",))
    return replace(before, findings=(better, *before.findings[2:], new), gate=gate)


class Blobs:
    """Evidence in memory, as the store offers it."""

    def __init__(self, blobs: list[Evidence]) -> None:
        self._blobs = {blob.sha256: blob.payload or b"" for blob in blobs}

    def get(self, sha256: str) -> bytes:
        if sha256 not in self._blobs:
            raise EvidenceError(f"no evidence {sha256}")
        return self._blobs[sha256]

    def put(self, evidence: Evidence) -> None:
        self._blobs[evidence.sha256] = evidence.payload or b""

    def decode(self, evidence: Evidence) -> bytes:
        return self.get(evidence.sha256)


def golden() -> dict[str, bytes]:
    """Return every golden file by name."""
    made, _ = report()
    changes = compare(made, hardened(made))
    return {
        "report.json": made.to_json(),
        **{f"table-{width}.txt": table.write(made, width=width) for width in (60, 80, 120)},
        "report.md": markdown.write(made),
        "report.xml": junit.write(made),
        "comparison.txt": table.write_comparison(changes),
        "comparison.md": markdown.write_comparison(changes),
    }


def main() -> None:
    """Write every golden file."""
    for name, data in golden().items():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
