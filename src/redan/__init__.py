"""Redan: measure, reduce, prove and watch the security of machine-learning models.

    import redan

    net = redan.subject(model, data=(x, y), bounds=(0, 1))
    before = redan.attack(net, threats=["evasion"], norm="linf", eps=0.1, seed=0)
    safer = redan.harden(net, against="evasion", budget="20m")
    redan.compare(before, redan.attack(safer, like=before)).save("report.html")

Every name is imported when it is first used, so `import redan` costs a few milliseconds.
"""

import os
from typing import TYPE_CHECKING, Any

# Waiting threads of OpenMP must sleep: on a busy machine spinning costs ten times the work. It is read when the library
# loads, so it is set before any of our modules can import one; whoever set it already keeps their choice.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from redan.core.compare import Comparison, compare
    from redan.core.errors import RedanError
    from redan.core.finding import Evidence, Finding, Quantity, Series, Severity
    from redan.core.inputs import Dataset, Inputs
    from redan.core.report import Report
    from redan.runner.load import load
    from redan.runner.scan import scan
    from redan.runner.seal import seal
    from redan.runner.verify import verify
    from redan.workbench import attack, check, harden, open_report, subject

__version__ = "0.1.0"

_LAZY = {
    "Comparison": "redan.core.compare",
    "Dataset": "redan.core.inputs",
    "Evidence": "redan.core.finding",
    "Finding": "redan.core.finding",
    "Inputs": "redan.core.inputs",
    "Quantity": "redan.core.finding",
    "RedanError": "redan.core.errors",
    "Report": "redan.core.report",
    "Series": "redan.core.finding",
    "Severity": "redan.core.finding",
    "attack": "redan.workbench",
    "check": "redan.workbench",
    "compare": "redan.core.compare",
    "harden": "redan.workbench",
    "load": "redan.runner.load",
    "open_report": "redan.workbench",
    "scan": "redan.runner.scan",
    "seal": "redan.runner.seal",
    "subject": "redan.workbench",
    "verify": "redan.runner.verify",
}

__all__ = [
    "Comparison",
    "Dataset",
    "Evidence",
    "Finding",
    "Inputs",
    "Quantity",
    "RedanError",
    "Report",
    "Series",
    "Severity",
    "attack",
    "check",
    "compare",
    "harden",
    "load",
    "open_report",
    "scan",
    "seal",
    "subject",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'redan' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_LAZY[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
