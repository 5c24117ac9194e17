"""Run by the sanitizer test in a process of its own: reads files and mutations of them with one compiled core.

Usage: python read_each.py TESTS MODULE N; the names of the files stand on standard input, one a line. Prints how many
inputs were read. MODULE is the file of the compiled core to use, N how many mutations each file gets.
"""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

NAME = "redan.kernels.artifacts.machine._walk"


def put_in_place(module: str) -> None:
    """Make the import of the compiled core find this one."""
    loader = importlib.machinery.ExtensionFileLoader(NAME, module)
    spec = importlib.util.spec_from_file_location(NAME, module, loader=loader)
    found = importlib.util.module_from_spec(spec)
    loader.exec_module(found)
    sys.modules[NAME] = found


def main(repository: str, module: str, n: int) -> int:
    put_in_place(module)
    sys.path.insert(0, repository)
    from tests.unit.kernels.artifacts.machine import cores, exhausting

    from redan.kernels.artifacts import inspect_bytes
    from redan.kernels.artifacts.machine.core import CORE

    inputs = [Path(name).read_bytes() for name in sys.stdin.read().splitlines()]
    inputs += [build(0.0005) for build in exhausting.BUILDS.values()]
    n_read = 0
    for i, data in enumerate(inputs):
        for content in (data, *cores.mutations(data or b".", n, seed=i)):
            inspect_bytes(content, "file", cores.SMALL)
            n_read += 1
    assert CORE.walk is sys.modules[NAME].walk
    print(n_read)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
