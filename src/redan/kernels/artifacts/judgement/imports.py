"""What importing a name means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from redan.kernels.artifacts.judgement import allowlist, denylist
from redan.kernels.artifacts.reading import UNKNOWN, UNSAFE

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Grade
    from redan.kernels.artifacts.reading import Verdict

_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_CLASS_PATH = re.compile(r"_*[A-Z]\w*(?:\.(?:<locals>\.)?_*[A-Z]\w*)*")
_TORCHSCRIPT = re.compile(r"__torch__(?:\.[\w.]+)?")

# transformers has a folder of such modules for each architecture; `transformers.models.bert.modeling_bert.BertModel`.
_ARCHITECTURE = re.compile(r"transformers\.models\.(\w+)\.(?:modeling|configuration)_\1")
_OUTPUT = re.compile(r"\w*Output(?:With\w+)?")


LONGEST_NAME = 1000
"""Characters of an import's path; no package comes near."""


class Import(NamedTuple):
    """The judgement on an import: a grade and, unless it is listed, a reason."""

    grade: Grade
    kind: str = ""
    verdict: Verdict = "safe"
    message: str = ""


def judge_import(module: str, name: str) -> Import:
    """Judge the import of `name` from `module`, both canonical: allow-list, then deny-list, then its shape."""
    if len(module) + len(name) > LONGEST_NAME:
        return Import("denied", "malformed-name", UNSAFE, f"imports a name of {len(module) + len(name)} characters")
    path = f"{module}.{name}"
    grade = allowlist.grade(module, name)
    if grade is not None:
        return Import(grade)
    reason = denylist.denial(module, name)
    if reason is not None:
        return Import("denied", "denied-import", UNSAFE, f"imports {path}, which {reason}")
    if not _PATH.fullmatch(module) or not _PATH.fullmatch(name.replace("<locals>", "locals")):
        return Import("unlisted", "malformed-name", UNKNOWN, f"imports a name that is no identifier: {path[:120]!r}")
    if "." in name and not _CLASS_PATH.fullmatch(name):
        return _walked(module, name, path)
    if module == "builtins":
        return Import("denied", "denied-import", UNSAFE, f"imports {path}, which no saved model needs")
    if _TORCHSCRIPT.fullmatch(module) or _is_of_an_architecture(module, name):
        return Import("class")
    if module == "transformers.modeling_outputs" and _OUTPUT.fullmatch(name):
        return Import("constructor")
    return Import("unlisted", "unlisted-import", UNKNOWN, f"imports {path}, which is on no list")


def _is_of_an_architecture(module: str, name: str) -> bool:
    """Whether a class is one of an architecture's own, which repeat the architecture's name."""
    found = _ARCHITECTURE.fullmatch(module)
    own = found[1].replace("_", "") if found else ""
    return bool(own) and name.lower().startswith(own) and _CLASS_PATH.fullmatch(name) is not None


def _walked(module: str, name: str, path: str) -> Import:
    owner, _, attribute = name.rpartition(".")
    if allowlist.attribute_is_listed(module, owner, attribute):
        return Import("function")
    message = f"imports {path}: the dotted name walks out of the module through attributes"
    return Import("denied", "dotted-import", UNSAFE, message)
