"""No file takes a second of CPU or a quarter of a gigabyte, as a whole process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.kernels.artifacts.machine import cores, exhausting

MOST_CPU_S = 1.0
MOST_BYTES = 256 << 20
ROUNDS = 3
"""The least of so many runs counts: what else the machine does slows all of them."""


def cost_of_scan(file: Path) -> tuple[float, int, int]:
    """CPU seconds, peak memory in bytes and exit code of `redan scan FILE`."""
    words = [str(Path(sys.executable).with_name("redan")), "scan", str(file)]
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, child.returncode


@pytest.mark.slow
@pytest.mark.parametrize("name", exhausting.BUILDS)
def test_scan_of_an_exhausting_file_is_over_within_a_second(name, tmp_path):
    cores.needs_compiled_core()
    file = tmp_path / "file.bin"
    # A child's peak begins with that of the process it was forked from, so this one must stay small.
    subprocess.run([sys.executable, exhausting.__file__, name, str(file), "1.0"], check=True)
    cpu_s, n_bytes, code = min(cost_of_scan(file) for _ in range(ROUNDS))
    assert code in (0, 1, 3)
    assert n_bytes < MOST_BYTES
    assert cpu_s < MOST_CPU_S
