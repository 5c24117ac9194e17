"""The catalogue: what Redan can do, known without importing any of it.

A decorator registers an object when its module is imported. `make manifest` imports everything once and writes
``manifest.json``, so that listing, help and explanation read one small file; the object behind an entry is imported
when it is used. Third parties come through the entry-point group ``redan.plugins`` and only when redan.toml allows
them by name, because a plugin is code that runs beside your models and secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, field
from functools import cache
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from redan.core.errors import UnknownName, UsageError
from redan.core.finding import Scalar, Severity
from redan.core.record import dataclass

if TYPE_CHECKING:
    from redan.core.probe import Spec
    from redan.core.report import Report
    from redan.core.threat import Threat

Kind = Literal["threat", "probe", "rule", "mitigation", "monitor", "writer"]
KINDS: tuple[Kind, ...] = ("threat", "probe", "rule", "mitigation", "monitor", "writer")
MANIFEST = Path(__file__).with_name("manifest.json")

Thing = TypeVar("Thing")
Writing = TypeVar("Writing", bound=Callable[..., bytes])


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the catalogue.

    Attributes:
        kind: what it is.
        id: ``RDN-EVA-001``, or the name again for threats and writers.
        name: short name to type.
        threat: the threat it belongs to, empty for writers.
        title: one line.
        target: ``module:attribute`` to import when it is used.
        doc: its docstring, from which the explanation and the documentation page are made.
        needs: capabilities.
        data: data roles.
        cost: order of magnitude.
        source: paper and section.
        references: ATLAS, CWE, OWASP identifiers.
        default: whether it runs when nobody names it.
        unless: identifiers of better-informed probes; by default this one runs only where none of them can.
        params: default of each parameter.
        origin: distribution that brought it.
        suffix: file ending, for writers.
        media_type: for writers.
    """

    kind: Kind
    id: str
    name: str
    title: str
    target: str
    doc: str
    threat: str = ""
    needs: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    cost: str = ""
    source: str = ""
    references: tuple[str, ...] = ()
    default: bool = True
    unless: str = ""
    params: Mapping[str, Scalar] = field(default_factory=dict)
    origin: str = "redan"
    suffix: str = ""
    media_type: str = ""


_registered: dict[tuple[Kind, str], Entry] = {}


def _add(entry: Entry) -> None:
    known = list(_registered.values())
    if not entry.target.startswith("redan."):
        known += _manifest().values()  # a plugin must not take the place of something of ours that is not imported yet
    for other in known:
        if other.target != entry.target and _clash(other, entry):
            raise UsageError(
                f"{entry.kind} {entry.id} ({entry.name}) is registered twice: by {other.target} and by {entry.target}",
                hint="an identifier is never used again, and a name only once within its kind: choose others",
            )
    _registered[(entry.kind, entry.id)] = entry


def _clash(one: Entry, other: Entry) -> bool:
    """Tell whether two entries could be taken for each other."""
    if one.kind != other.kind:
        return one.id == other.id
    words = {one.id.casefold(), one.name.casefold()}
    return other.id.casefold() in words or other.name.casefold() in words


def _doc(thing: object) -> str:
    return cleandoc(thing.__doc__ or "")


def _target(thing: Any) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"


def _spec_decorator(kind: Kind, spec: Spec) -> Callable[[type[Thing]], type[Thing]]:
    def register(cls: type[Thing]) -> type[Thing]:
        cls.spec = spec  # type: ignore[attr-defined]  # the Protocol of the kind declares it
        params = getattr(cls, "Params", None)
        entry = Entry(
            kind=kind,
            id=spec.id,
            name=spec.name,
            threat=spec.threat,
            title=spec.title,
            target=_target(cls),
            doc=_doc(cls),
            needs=spec.needs,
            data=spec.data,
            cost=spec.cost,
            source=spec.source,
            references=spec.references,
            default=spec.default,
            unless=spec.unless,
            params=params.defaults() if params else {},
        )
        _add(entry)
        return cls

    return register


def probe(spec: Spec) -> Callable[[type[Thing]], type[Thing]]:
    """Register a probe class and attach its spec."""
    return _spec_decorator("probe", spec)


def mitigation(spec: Spec) -> Callable[[type[Thing]], type[Thing]]:
    """Register a mitigation class and attach its spec."""
    return _spec_decorator("mitigation", spec)


def monitor(spec: Spec) -> Callable[[type[Thing]], type[Thing]]:
    """Register a monitor class and attach its spec."""
    return _spec_decorator("monitor", spec)


def threat(found: Threat, *, module: str, doc: str) -> Threat:
    """Register a threat that lives as the constant ``THREAT`` of a module, and return it."""
    entry = Entry(
        kind="threat",
        id=found.id,
        name=found.id,
        threat=found.id,
        title=found.question,
        target=f"{module}:THREAT",
        doc=cleandoc(doc),
        references=found.references,
    )
    _add(entry)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A kind of finding that has a page of its own but no probe of its own: one rule, one file.

    Attributes:
        id: ``RDN-SUP-002``; never reused.
        name: short name.
        threat: identifier of its threat.
        title: one line.
        severity: how bad a finding of this rule is.
        remedy: what to do, one sentence.
        references: CWE, ATLAS, OWASP identifiers.
    """

    id: str
    name: str
    threat: str
    title: str
    severity: Severity
    remedy: str
    references: tuple[str, ...] = ()


def rule(found: Rule, *, module: str, doc: str) -> Rule:
    """Register a rule that lives as the constant ``RULE`` of a module, whose docstring is its page, and return it."""
    entry = Entry(
        kind="rule",
        id=found.id,
        name=found.name,
        threat=found.threat,
        title=found.title,
        target=f"{module}:RULE",
        doc=cleandoc(doc),
        references=found.references,
    )
    _add(entry)
    return found


def writer(*, name: str, suffix: str, media_type: str) -> Callable[[Writing], Writing]:
    """Register a pure function Report → bytes; it may have further keyword arguments with defaults."""

    def register(function: Writing) -> Writing:
        doc = _doc(function)
        entry = Entry(
            kind="writer",
            id=name,
            name=name,
            title=doc.split("\n")[0],
            target=_target(function),
            doc=doc,
            suffix=suffix,
            media_type=media_type,
        )
        _add(entry)
        return function

    return register


def claim(entry: Entry) -> None:
    """Record which distribution brought an entry that is registered already."""
    _registered[(entry.kind, entry.id)] = entry


def registered() -> list[Entry]:
    """Return what the modules imported so far have registered, in a stable order."""
    return sorted(_registered.values(), key=lambda e: (KINDS.index(e.kind), e.id))


def render_manifest(entries: list[Entry]) -> str:
    """Return the text of the manifest file."""
    return json.dumps([asdict(e) for e in entries], indent=1, ensure_ascii=False) + "\n"


def _entry(row: dict[str, Any]) -> Entry:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Entry(**values)


@cache
def _manifest() -> dict[tuple[Kind, str], Entry]:
    if not MANIFEST.exists():
        return {}
    rows: list[dict[str, Any]] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    found = [_entry(row) for row in rows]
    return {(e.kind, e.id): e for e in found}


def entries(kind: Kind | None = None) -> tuple[Entry, ...]:
    """Return the catalogue, or one kind of it: what the manifest lists and what plugins have registered."""
    merged = {**_manifest(), **_registered}
    found = [e for e in merged.values() if kind in (None, e.kind)]
    return tuple(sorted(found, key=lambda e: (KINDS.index(e.kind), e.id)))


def entry(kind: Kind, key: str) -> Entry:
    """Find one entry by identifier or short name, in any case.

    Raises:
        UnknownName: with the nearest one.
    """
    candidates = entries(kind)
    for found in candidates:
        if key.casefold() in (found.id.casefold(), found.name.casefold()):
            return found
    raise UnknownName.among(kind, key, [name for e in candidates for name in dict.fromkeys((e.name, e.id))])


def load(found: Entry) -> Any:
    """Import and return the object behind an entry."""
    module, _, attribute = found.target.partition(":")
    return getattr(import_module(module), attribute)


def writer_for(path: Path) -> Callable[[Report], bytes]:
    """Return the writer for a file name.

    Raises:
        UnknownName: no writer has that ending.
    """
    candidates = entries("writer")
    for found in candidates:
        if path.name.endswith(found.suffix):
            writer_function: Callable[[Report], bytes] = load(found)
            return writer_function
    raise UnknownName.among("report ending", path.suffix or path.name, [e.suffix for e in candidates])
