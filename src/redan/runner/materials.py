"""Components of a bill of materials, each from what was read: packages, models, data sets, files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.bom import Component, DataFacts, Energy, Fairness, ModelCard, Vulnerability
from redan.core.finding import Location, Severity
from redan.kernels.artifacts import is_artifact
from redan.kernels.artifacts.reading import SAFE, UNSAFE
from redan.kernels.cards.documents import LARGEST_BYTES, licence_of, read_card, read_config
from redan.kernels.cards.facts import NOTHING, ModelFacts, over
from redan.kernels.cards.headers import read_header
from redan.kernels.packages.installed import RECORD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redan.core.bom import State
    from redan.core.card import Card, CardData
    from redan.kernels.artifacts.reading import Reading
    from redan.kernels.packages.resolving import Resolved

NO_MODELS = frozenset({"npy", "npz", "arrow", "parquet", "zip", "tar", "gzip", "bz2", "xz", "executable", "unknown"})
"""Formats of artifacts that hold arrays, tables or other files rather than a model."""

_CONFIGS = ("config.json", "adapter_config.json")
_CARDS = ("README.md", "MODEL_CARD.md", "model_card.md")


def package(each: Resolved) -> Component:
    """Return a package as a component."""
    properties = {("redan:direct", str(each.direct).lower())}
    for said in each.mentions:
        known = (("specifier", said.specifier), ("marker", said.marker), ("group", said.group))
        properties |= {(f"redan:{name}", value) for name, value in known if value}
        properties |= {("redan:extra", extra) for extra in said.extras}
    if each.source.revision:
        properties.add(("redan:revision", each.source.revision))
    records = {("redan:installed", digest) for digest in each.hashes if digest.startswith(RECORD)}
    return Component(
        ref=each.purl,
        kind="container" if each.ecosystem == "docker" else "library",
        name=each.name,
        version=each.version,
        purl=each.purl,
        licence=each.licence,
        digests=tuple(digest for digest in each.hashes if not digest.startswith(RECORD)),
        required=each.required,
        places=tuple(Location(uri=p.path, address=f"line {p.line}" if p.line else "") for p in each.mentions),
        url=each.source.url if "://" in each.source.url else "",
        repository=each.source.kind == "vcs",
        properties=tuple(sorted(properties | records)),
    )


def is_model(reading: Reading) -> bool:
    """Whether a file holds a model: an artifact that is no bare array, table or archive."""
    return is_artifact(reading) and reading.format not in NO_MODELS


def facts_of(path: Path, reading: Reading) -> ModelFacts:
    """Read what a model says about itself: its header first, then the configuration and the card beside it."""
    try:
        found = read_header(path, reading)
    except OSError:
        return NOTHING  # the scan has said already that it cannot be read
    for names, read in ((_CONFIGS, read_config), (_CARDS, read_card)):
        for name in names:
            found = over(found, _beside(path.parent / name, read))
    return found


def _beside(path: Path, read: Callable[[str], ModelFacts]) -> ModelFacts:
    if not path.is_file() or path.is_symlink():
        return NOTHING
    try:
        with path.open("rb") as stream:
            return read(stream.read(LARGEST_BYTES).decode("utf-8", "replace"))
    except OSError:
        return NOTHING


def model(
    shown: str, sha256: str, reading: Reading, facts: ModelFacts, card: Card, data: Mapping[str, str]
) -> Component:
    """Return a model as a component.

    Args:
        shown: its path as reports show it.
        sha256: its digest.
        reading: what the scanner found in it.
        facts: what it says about itself.
        card: what people say; it wins over what was read.
        data: name → ref of every data set of the bill.
    """
    named = [*card.data, *(name for name in facts.datasets if name not in card.data)]
    properties = {
        *facts.further,
        ("redan:format", reading.format),
        ("redan:verdict", reading.verdict),
    }
    return Component(
        ref=f"model:{shown}",
        kind="model",
        name=facts.name or shown.rpartition("/")[2],
        licence=card.licence or licence_of(facts.licence),
        digests=(f"sha256:{sha256}",) if sha256 else (),
        places=(Location(uri=shown),),
        technique="binary-analysis",
        properties=tuple(sorted(properties)),
        card=ModelCard(
            task=card.task or facts.task,
            approach=card.approach,
            family=card.family or facts.family,
            architecture=card.architecture or facts.architecture,
            data=tuple(data[name] for name in named if name in data),
            inputs=card.inputs or facts.inputs,
            outputs=card.outputs or facts.outputs,
            users=card.users,
            use_cases=card.use_cases,
            limitations=card.limitations,
            tradeoffs=card.tradeoffs,
            ethics=tuple(sorted(card.ethics.items())),
            fairness=tuple(
                Fairness(group=group, benefits=f.benefits, harms=f.harms, mitigation=f.mitigation)
                for group, f in sorted(card.fairness.items())
            ),
            energy=tuple(
                Energy(activity=name, energy_kwh=e.energy_kwh, co2_t=e.co2_t, provider=e.provider, source=e.source)
                for name, e in sorted(card.energy.items())
            ),
        ),
    )


def data_set(name: str, said: CardData, sha256: str) -> Component:
    """Return a data set as a component; without a version of its own its digest stands for one."""
    return Component(
        ref=f"data:{name}",
        kind="data",
        name=name,
        version=said.version or (f"sha256-{sha256[:16]}" if sha256 else ""),
        description=said.description,
        licence=said.licence,
        digests=(f"sha256:{sha256}",) if sha256 else (),
        places=(Location(uri=said.path),) if said.path else (),
        technique="hash-comparison" if sha256 else "other",
        url=said.url,
        data=DataFacts(url=said.url, classification=said.classification, sensitive=said.sensitive, owner=said.owner),
    )


def plain_file(shown: str, sha256: str) -> Component:
    """Return any other file as a component."""
    return Component(
        ref=f"file:{shown}",
        kind="file",
        name=shown,
        version=f"sha256-{sha256[:16]}" if sha256 else "",
        digests=(f"sha256:{sha256}",) if sha256 else (),
    )


_STATES: dict[str, State] = {"safe": "not_affected", "unknown": "in_triage", "unsafe": "exploitable"}


def loading(reading: Reading, ref: str) -> Vulnerability:
    """Say whether loading a model runs code of its author: what the scanner's verdict means as a VEX statement."""
    if reading.verdict == SAFE:
        detail = "every byte that a loader interprets was read, and every name in it is on the allow-list"
    else:
        detail = "; ".join(dict.fromkeys(reason.message for reason in reading.reasons[:20]))
    return Vulnerability(
        id="RDN-SUP-002",
        affects=(ref,),
        source="Redan",
        description="Loading a model file of this format can run code of its author's choice.",
        recommendation="" if reading.verdict == SAFE else "Do not load it; get the weights in a format without code.",
        severity=Severity.CRITICAL if reading.verdict == UNSAFE else Severity.INFO,
        cwes=(502,),
        state=_STATES[reading.verdict],
        justification="code_not_present" if reading.verdict == SAFE else "",
        detail=detail,
    )
