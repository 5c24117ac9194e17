"""What a probe, mitigation or monitor says about itself: specification, documentation, parameters."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields, is_dataclass
from inspect import cleandoc
from typing import Any, get_args

from redan.core.errors import UnknownName
from redan.core.inputs import Inputs
from redan.core.params import Params
from redan.core.probe import Cost, Spec
from redan.core.subject import CAPABILITIES
from redan.testing.promise import insist

SECTIONS = {
    "probe": (
        "What it measures",
        "Why it matters",
        "How",
        "Shapes",
        "Units",
        "Error of the estimate",
        "Cost",
        "Sources",
        "Limits",
    ),
    "mitigation": ("What it does", "Why it helps", "Shapes", "Units", "Cost", "Sources", "Limits"),
    "monitor": ("What it sees", "Why it matters", "How", "Units", "Cost", "Sources", "Limits"),
}
"""Headings of the docstring by kind; `redan explain`, the reports and the documentation are made from them."""
REFERENCES = (
    "atlas:",
    "arxiv:",
    "avid:",
    "capec:",
    "cve:",
    "cwe:",
    "doi:",
    "ghsa:",
    "https://",
    "iso:",
    "nist:",
    "owasp:",
    "rfc:",
)
"""Prefixes of references that reports know how to show."""
ROLES = ("test", "train", "reference", "canary", "sensitive")
_IDENTIFIER = re.compile(r"[A-Z][A-Z0-9]*-[A-Z]{2,}-\d{3,}")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def specification_is_complete(case: Any) -> None:
    """Identifier, name, threat, title, needs, data, cost and source say what they must."""
    spec = getattr(case.thing, "spec", None)
    insist(isinstance(spec, Spec), "there is no spec", "decorate the class with @probe(Spec(…)) or its like")
    assert isinstance(spec, Spec)
    wrong = {
        f"identifier {spec.id!r}": not _IDENTIFIER.fullmatch(spec.id),
        f"name {spec.name!r}": not _NAME.fullmatch(spec.name),
        f"threat {spec.threat!r}": not spec.threat.isidentifier(),
        f"title {spec.title!r}": not spec.title or "\n" in spec.title or spec.title.endswith("."),
        f"cost {spec.cost!r}": spec.cost not in get_args(Cost),
        f"needs {spec.needs!r}": any(need not in CAPABILITIES for need in spec.needs),
        f"data {spec.data!r}": any(role not in ROLES or not hasattr(Inputs(), role) for role in spec.data),
        f"unless {spec.unless!r}": any(not _IDENTIFIER.fullmatch(other) for other in spec.unless.split()),
    }
    faults = [text for text, is_wrong in wrong.items() if is_wrong]
    insist(
        not faults,
        f"the specification does not fit: {'; '.join(faults)}",
        "write ACME-EVA-001, a lower-case-name, a one-line title without full stop, and only words of redan.core",
    )


def source_is_named(case: Any) -> None:
    """The specification names where the technique comes from."""
    source = case.thing.spec.source
    insist(len(source.split()) >= 2, f"the source is {source!r}", "name paper, year and section or equation in source=")


def references_are_known(case: Any) -> None:
    """References carry a prefix that reports know."""
    odd = unknown_references(case.thing.spec.references)
    insist(not odd, f"references without a known prefix: {', '.join(odd)}", f"use one of {', '.join(REFERENCES)}")


def unknown_references(references: tuple[str, ...]) -> list[str]:
    """Return those without a known prefix, or with nothing behind it."""
    return [r for r in references if not r.startswith(REFERENCES) or r in REFERENCES]


def docstring_follows_the_template(case: Any) -> None:
    """The docstring has every section, in order, and none is empty."""
    lines = cleandoc(case.thing.__doc__ or "").splitlines()
    wanted = SECTIONS[case.kind]
    insist(bool(lines and lines[0].strip()), "there is no docstring", f"begin with one sentence, then {wanted}")
    found = [line[:-1] for line in lines if line.endswith(":") and line[:-1] in wanted]
    lacking = [section for section in wanted if section not in found]
    insist(not lacking, f"the docstring lacks {', '.join(lacking)}", f"write the sections {', '.join(wanted)}")
    insist(found == list(wanted), f"the sections stand as {', '.join(found)}", f"order them as {', '.join(wanted)}")
    empty = [s for s in wanted if not _body(lines, s)]
    insist(not empty, f"empty sections: {', '.join(empty)}", "write a sentence under each heading, indented")


def _body(lines: list[str], section: str) -> str:
    following = lines[lines.index(f"{section}:") + 1 :]
    return following[0].strip() if following and following[0].startswith(" ") else ""


def parameters_are_frozen_scalars(case: Any) -> None:
    """``Params`` is a frozen dataclass of scalars with defaults, and refuses names it does not know."""
    kind = getattr(case.thing, "Params", None)
    is_set = isinstance(kind, type) and issubclass(kind, Params) and is_dataclass(kind)
    insist(is_set, f"Params is {kind!r}", "give the class a Params: a dataclass derived from redan.core.params.Params")
    assert isinstance(kind, type)
    assert issubclass(kind, Params)
    frozen = vars(kind)["__dataclass_params__"].frozen if "__dataclass_params__" in vars(kind) else False
    insist(
        frozen,
        "Params is no dataclass of its own",
        "decorate it with @dataclass(frozen=True, slots=True, kw_only=True)",
    )
    bare = [f.name for f in fields(kind) if f.default is MISSING]
    insist(not bare, f"parameters without a default: {', '.join(bare)}", "give each a default, so that all run as is")
    odd = [name for name, value in kind.defaults().items() if not is_scalar(value)]
    insist(not odd, f"defaults that JSON has no form for: {', '.join(odd)}", "use str, int, float, bool or None")
    again = kind.of({k: v for k, v in case.parameters().as_dict().items() if v is not None})
    insist(again == case.parameters(), "parameters do not survive a trip through their own values", "use plain kinds")
    try:
        kind.of({"surely_no_parameter": 1})
    except UnknownName:
        return
    insist(kept=False, what="an unknown parameter is accepted", mend="do not override Params.of")


def is_scalar(value: object) -> bool:
    """Tell whether a value is exactly one of the kinds that survive JSON; a NumPy scalar is not."""
    return value is None or type(value) in (str, int, float, bool)
