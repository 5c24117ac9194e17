"""A bill of materials: what a model is built from, in the terms that CycloneDX and SPDX share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from redan.core.finding import Location, Quantity, Severity
from redan.core.record import dataclass

Kind = Literal["application", "container", "data", "file", "library", "model"]
Technique = Literal["manifest-analysis", "binary-analysis", "hash-comparison", "filename", "other"]
Approach = Literal["", "supervised", "unsupervised", "reinforcement-learning", "semi-supervised", "self-supervised"]
Phase = Literal["design", "pre-build", "build", "post-build", "operations", "discovery", "decommission"]
State = Literal["", "resolved", "exploitable", "in_triage", "false_positive", "not_affected"]
Justification = Literal[
    "",
    "code_not_present",
    "code_not_reachable",
    "requires_configuration",
    "requires_dependency",
    "requires_environment",
    "protected_by_compiler",
    "protected_at_runtime",
    "protected_at_perimeter",
    "protected_by_mitigating_control",
]
GOOD_FOR_D = 180
"""Days for which a statement counts after it was last touched: what was unreachable then need not be now."""

Response = Literal["can_not_fix", "will_not_fix", "update", "rollback", "workaround_available"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A person or an organisation."""

    name: str
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A measured number of a model.

    Attributes:
        quantity: the number with its interval and sample size.
        slice: what part of the data it was measured on, and with which parameters; empty for all of it.
        rule: probe that measured it.
    """

    quantity: Quantity
    slice: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """What the model does to one group of people."""

    group: str
    benefits: str = ""
    harms: str = ""
    mitigation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """What an activity consumed.

    Attributes:
        activity: one of CycloneDX's words, such as ``training``.
        energy_kwh: kilowatt-hours.
        co2_t: tonnes of CO2 equivalent; None when unknown.
        provider: who delivered the energy.
        source: what it was made from, one of CycloneDX's words.
    """

    activity: str
    energy_kwh: float
    co2_t: float | None = None
    provider: str = "unknown"
    source: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a model is for, how it is built, and what was measured on it.

    Attributes:
        task: such as ``image-classification``.
        approach: how it learnt; empty when unknown.
        family: family of architectures, such as ``transformer``.
        architecture: the architecture itself, such as ``BertForSequenceClassification``.
        data: refs of the data components it was trained or tested on.
        inputs: formats of its inputs.
        outputs: formats of its outputs.
        metrics: measured numbers.
        users: who it is meant for.
        use_cases: what it is meant for.
        limitations: what it cannot do.
        tradeoffs: what was given up for what.
        ethics: risk and mitigation strategy, pairs.
        fairness: groups at risk.
        energy: what making it consumed.
        properties: further facts by name.
    """

    task: str = ""
    approach: Approach = ""
    family: str = ""
    architecture: str = ""
    data: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    users: tuple[str, ...] = ()
    use_cases: tuple[str, ...] = ()
    limitations: tuple[str, ...] = ()
    tradeoffs: tuple[str, ...] = ()
    ethics: tuple[tuple[str, str], ...] = ()
    fairness: tuple[Fairness, ...] = ()
    energy: tuple[Energy, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """What is known about a data set.

    Attributes:
        url: where it can be had.
        classification: how confidential it is, in the owner's words.
        sensitive: what sensitive data it holds.
        owner: who answers for it.
    """

    url: str = ""
    classification: str = ""
    sensitive: tuple[str, ...] = ()
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One material.

    Attributes:
        ref: identifier within the bill; unique and stable from run to run.
        kind: what it is.
        name: what people call it.
        version: exact version; empty when it is not fixed.
        purl: package URL.
        description: one sentence.
        licence: SPDX expression, or the words that were found.
        digests: each ``algorithm:hexadecimal``.
        required: whether running the model needs it.
        places: where it was found.
        technique: how it was found.
        url: where it comes from when that is no default index.
        repository: whether that address is a repository.
        properties: further facts by name.
        parts: what it consists of, for the subject of a bill.
        card: for models.
        data: for data sets.
    """

    ref: str
    kind: Kind
    name: str
    version: str = ""
    purl: str = ""
    description: str = ""
    licence: str = ""
    digests: tuple[str, ...] = ()
    required: bool = True
    places: tuple[Location, ...] = ()
    technique: Technique = "manifest-analysis"
    url: str = ""
    repository: bool = False
    properties: tuple[tuple[str, str], ...] = ()
    parts: tuple[Component, ...] = ()
    card: ModelCard | None = None
    data: DataFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    """A weakness and what it means here: the statement of a VEX document.

    Attributes:
        id: ``CVE-…``, ``GHSA-…``, ``PYSEC-…`` or a rule of ours.
        affects: refs of components.
        source: who published it.
        url: where.
        description: what it is.
        recommendation: what to do.
        severity: how bad it is; None when nobody has said.
        score: CVSS base score; None when nobody has said.
        vector: CVSS vector.
        cwes: numbers of weakness classes.
        aliases: further identifiers of the same weakness.
        state: whether it can be exploited here; empty when nobody has looked.
        justification: why not, for ``not_affected``.
        responses: what is done about it.
        detail: reasons in words.
    """

    id: str
    affects: tuple[str, ...]
    source: str = ""
    url: str = ""
    description: str = ""
    recommendation: str = ""
    severity: Severity | None = None
    score: float | None = None
    vector: str = ""
    cwes: tuple[int, ...] = ()
    aliases: tuple[str, ...] = ()
    state: State = ""
    justification: Justification = ""
    responses: tuple[Response, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bom:
    """A bill of materials.

    Attributes:
        subject: what the bill is about.
        components: its materials, the subject left out.
        depends: ref → refs that it needs.
        vulnerabilities: known weaknesses with what they mean here.
        tool_version: version of Redan that made it.
        timestamp: UTC time, ISO 8601 with a final Z.
        authors: who vouches for it.
        phase: when in the life of the model it was made.
        formulation: how the model was made, in CycloneDX's own structure; empty when unknown.
        complete: whether every file that should have been read was read.
        notes: what a reader must know, such as files that were not read.
    """

    subject: Component
    components: tuple[Component, ...] = ()
    depends: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vulnerabilities: tuple[Vulnerability, ...] = ()
    tool_version: str
    timestamp: str
    authors: tuple[Party, ...] = ()
    phase: Phase = "post-build"
    formulation: tuple[Mapping[str, Any], ...] = ()
    complete: bool = True
    notes: tuple[str, ...] = ()
