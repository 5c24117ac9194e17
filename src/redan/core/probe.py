"""The probe contract: measure a subject for one threat, yield findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from redan.core.params import Params
from redan.core.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.report import Artifact, Examined, Unexamined
    from redan.core.subject import Capability

Cost = Literal["instant", "seconds", "minutes", "hours"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a probe, mitigation or monitor says about itself before anything heavy is imported.

    Attributes:
        id: ``RDN-EVA-001``; never reused.
        name: the paper's or the field's short name, ``apgd``, ``hopskipjump``; unique within its kind.
        threat: identifier of its threat.
        title: one line.
        needs: capabilities the subject must offer.
        data: data roles that must be given (``test``, ``train`` …).
        cost: order of magnitude on two cores.
        source: paper and section or equation.
        references: ``atlas:…``, ``cwe:…``, ``owasp:…``.
        default: whether it runs when nobody names probes.
        unless: identifier of a better-informed probe, or several with spaces between; by default this one runs only
            where none of them can.
    """

    id: str
    name: str
    threat: str
    title: str
    source: str
    needs: tuple[Capability, ...] = ()
    data: tuple[str, ...] = ()
    cost: Cost = "seconds"
    references: tuple[str, ...] = ()
    default: bool = True
    unless: str = ""


class Probe(Protocol):
    """Measures a subject for one threat.

    ``run`` is a generator: it streams what it knows, stops at a budget with what it has, and touches neither
    the subject's weights nor any global random state. The same seed, subject and inputs give the same findings.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[Params]]

    def run(
        self,
        subject: Any,
        inputs: Inputs,
        params: Any,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Artifact | Examined | Unexamined]:
        """Measure.

        Args:
            subject: offers at least ``spec.needs``.
            inputs: carries at least the roles in ``spec.data``.
            params: an instance of ``Params``.
            budget: what may be spent; asked between steps.
            seed: root seed of the run.
            observe: told about progress.

        Yields:
            Findings, each with its quantities, intervals and evidence; a scanner of files also yields its verdict
            on each file, or why there is none.
        """
        ...
