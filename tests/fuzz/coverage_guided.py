"""A coverage-guided run over the same parsers, for those who have atheris: it is no dependency of this project.

Usage: python -m venv fuzzing; fuzzing/bin/pip install atheris==3.0.0 -e .
       fuzzing/bin/python tests/fuzz/coverage_guided.py -max_total_time=600 [FOLDER WITH SEEDS]

Every option is libFuzzer's. A crash leaves its input beside the call as `crash-...`; a finding becomes a unit test.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import atheris

with atheris.instrument_imports(include=["redan"]):
    from redan.kernels import artifacts
    from redan.kernels.artifacts import Limits, inspect_bytes

    for module in pkgutil.walk_packages(artifacts.__path__, artifacts.__name__ + "."):
        importlib.import_module(module.name)

SMALL = Limits(opcodes=50_000, expanded_bytes=1 << 20, members=500, nodes=20_000, header_bytes=1 << 20)
NAMES = ("file", "config.json", "model.yaml", "chat_template.jinja")


def read_one(data: bytes) -> None:
    """Inspect bytes under the name that their first byte chooses, and hold what a reading promises."""
    name = NAMES[data[0] % len(NAMES)] if data else NAMES[0]
    reading = inspect_bytes(data[1:], name, SMALL)
    if reading.verdict == "safe" and (reading.reasons or not reading.complete):
        raise AssertionError(reading)


if __name__ == "__main__":
    atheris.Setup(sys.argv, read_one)
    atheris.Fuzz()
