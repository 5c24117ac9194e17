"""A pickle is loaded: by pickle, dill, cloudpickle, joblib, pandas, shelve or jsonpickle.

What it means:
    Loading calls any importable function that the file names. No check after loading helps, because the code has
    run by then.

Why it matters:
    Models and caches travel as pickles; whoever can change the file runs code wherever it is read.

How it is found:
    Calls of the loading functions under any name. Copies by ``pickle.loads(pickle.dumps(x))`` are left out, and so
    are unpicklers with a ``find_class`` of their own.

What to do:
    Save weights as safetensors or ONNX, tables as Parquet, settings as JSON. Where a pickle must be, scan it with
    ``redan scan`` and compare its digest with a signed one before loading.

Bad:
        import joblib
        model = joblib.load("model.joblib")

Good:
        import skops.io
        model = skops.io.load("model.skops", trusted=["mypackage.MyEstimator"])

Limits:
    Whether somebody else can change the file is not known, so confidence is ``possible``.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module
from redan.kernels.code.sinks import PICKLES, arguments

RULE = rule(
    Rule(
        id="RDN-SUP-043",
        name="pickle-load",
        threat="supply_chain",
        title="A pickle is loaded, which runs whatever it says",
        severity=Severity.MEDIUM,
        remedy="Use a format without code (safetensors, ONNX, JSON, Parquet), or scan and verify the file first.",
        references=(
            "cwe:502",
            "atlas:AML.T0010",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield the calls that load pickles."""
    for call, argument in arguments(module, PICKLES):
        copied = any(name.endswith(".dumps()") for name in module.names(argument))
        if not copied and not module.taint(argument):  # requests and downloads have rules of their own
            name = next(name for name in call.names if name in PICKLES)
            yield Match(line=call.line, says=f"{name} runs whatever the file says", confidence="possible")
