"""Sources that want to exhaust the reader; limits count, so each ends."""

from __future__ import annotations

import time

import pytest

from redan.core.errors import Unreadable
from redan.kernels.code import from_python, read_folder
from redan.kernels.code.source import MOST_BYTES, plain
from redan.threats.supply_chain.rules.code import rules

HANDLER = "from flask import Flask, request\napp = Flask('x')\n@app.post('/x')\ndef f():\n    a0 = request.data\n"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + ")" * 5000,
        "print 'x'",
        "x = " + "-" * 200_000 + "1",
        "a\0b",
        "x" * (MOST_BYTES + 1),
        "if 1:\n\tx\n        y",
    ],
    ids=["nested", "python 2", "signs", "zero", "large", "tabs"],
)
def test_what_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(Unreadable):
        read_folder([from_python(text, "x.py")])


@pytest.mark.parametrize(
    "text",
    [
        "x = y\n" * 20_000 + "x.load()\n" * 20_000,
        "import torch\n" + "torch.load('x')\n" * 20_000,
        HANDLER + "".join(f"    a{n + 1} = g(a{n})\n" for n in range(5000)),
        HANDLER + "    g0(a0)\n" + "".join(f"def g{n}(x):\n    return g{n + 1}(x)\n" for n in range(5000)),
        "x" + ".a()" * 900,
        "".join(f"class C{n}(C{n + 1}, C{n + 2}, C{n + 3}):\n    pass\n" for n in range(2000)) + "C0().load()\n",
        "".join(f"from m{n} import *\n" for n in range(5000)) + "".join(f"f{n}()\n" for n in range(2000)),
        "".join(f"a{n} = a{n + 1} or a{n + 2} or a{n + 3}\n" for n in range(3000)) + "a0.load()\n",
    ],
    ids=["bindings", "findings", "chain", "functions", "methods", "classes", "stars", "alternatives"],
)
def test_long_sources_end_soon(text: str) -> None:
    start = time.process_time()
    for module in read_folder([from_python(text, "x.py")]).modules:
        for _, check in rules():
            list(check(module))
    assert time.process_time() - start < 10


def test_magics_are_blanked_and_lines_keep_their_numbers() -> None:
    cell = "%matplotlib inline\n!ls -l\nx = !ls\nif x:\n    %time y\nhelp?\nz = 5 % 3"
    assert plain(cell).split("\n") == ["pass", "pass", "x = None", "if x:", "    pass", "pass", "z = 5 % 3"]
    assert plain("%%bash\nrm -rf x") == "\n"
    assert plain("%%time\nx = 1") == "pass\nx = 1"
