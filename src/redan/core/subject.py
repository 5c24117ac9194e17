"""What can be measured, said as capabilities (Protocols) rather than classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, runtime_checkable

from redan.core.errors import CapabilityMissing
from redan.core.record import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

Capability = Literal[
    "labels",
    "scores",
    "gradients",
    "weights",
    "chats",
    "bytes",
    "trainable",
    "deployment",
    "trees",
    "refittable",
    "text",
]
ASKING: frozenset[str] = frozenset({"labels", "scores", "gradients", "trainable", "weights", "trees", "refittable"})
"""What is asked of a model with inputs; ``text`` says that these are texts, (n,) arrays of str."""

CAPABILITIES: tuple[str, ...] = get_args(Capability)

SubjectKind = Literal[
    "torch", "sklearn", "booster", "onnx", "callable", "http", "chat", "files", "dataset", "deployment"
]
BindingKind = Literal["memory", "file", "endpoint", "container"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part of what was measured: weights, code, preprocessing, prompt, tool.

    Attributes:
        role: ``weights``, ``code``, ``preprocessing``, ``prompt``, ``tool``, ``artifact``, ``data``.
        uri: where it came from, relative where possible.
        sha256: digest of its bytes.
        size_bytes: length of its bytes.
    """

    role: str
    uri: str
    sha256: str
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """How the measured thing was reached: object in memory, file, endpoint (with certificate), container image."""

    kind: BindingKind = "memory"
    uri: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRef:
    """What exactly was measured.

    Attributes:
        name: what people call it; part of each finding's fingerprint.
        kind: which adapter reached it.
        components: its parts with their digests.
        binding: how it was reached.
        lineage: digests of the subjects it was made from (hardened, converted, retrained).
    """

    name: str
    kind: SubjectKind
    components: tuple[Component, ...] = ()
    binding: Binding = field(default_factory=Binding)
    lineage: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """One SHA-256 over all components, independent of order and place; empty if that of one is unknown."""
        if not self.components or not all(part.sha256 for part in self.components):
            return ""
        parts = sorted(f"{part.role}:{part.sha256}" for part in self.components)
        return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class Subject(Protocol):
    """Anything Redan can point a probe at."""

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it offers, by name; each name has a Protocol below."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the model's outputs, empty when unknown."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest legal input value, None when unknown or when columns differ."""


@runtime_checkable
class Labels(Protocol):
    """Answers with a class for each input: the least that an attacker can have."""

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes.

        Args:
            x: (n, …) inputs as the owner of the model passes them.

        Returns:
            (n,) int64 class indices.
        """


@runtime_checkable
class Scores(Protocol):
    """Answers with a number for each class."""

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores.

        Args:
            x: (n, …) inputs.

        Returns:
            (n, classes) float; higher is more likely. Probabilities where ``score_kind`` says so, else logits.
        """

    @property
    def score_kind(self) -> Literal["logits", "probabilities"]:
        """What the scores are."""


@runtime_checkable
class Gradients(Protocol):
    """Differentiable from the input to the class scores (torch)."""

    def logits(self, x: Tensor) -> Tensor:
        """Map (n, …) inputs to (n, classes) logits, differentiable, on the inputs' own scale."""


@runtime_checkable
class Trainable(Protocol):
    """Can be copied and trained further (torch)."""

    @property
    def module(self) -> nn.Module:
        """The network itself, with any preprocessing inside."""

    def rebuilt(self, module: nn.Module, *, note: str) -> Subject:
        """Return a subject of the same kind around other weights, with this one in its lineage."""


@runtime_checkable
class Trees(Protocol):
    """Decides by trees whose splits can be read."""

    def forest(self) -> Any:
        """Return its leaves as boxes (`redan.kernels.trees.forest.Forest`).

        Raises:
            Skipped: its splits are of a kind that is not read.
        """


@runtime_checkable
class Refittable(Protocol):
    """Can be fitted anew with its own parameters (scikit-learn and what follows its manners)."""

    @property
    def estimator(self) -> Any:
        """The fitted estimator itself; not to be changed."""

    def refitted(self, estimator: Any, x: NDArray[Any], y: NDArray[Any], *, note: str) -> Subject:
        """Fit another estimator and return a subject of the same kind around it, with this one in its lineage.

        Args:
            estimator: not fitted, of a kind that this subject can hold.
            x: (n, …) rows as the owner of the model passes them.
            y: (n,) class indices; every class of this subject occurs.
            note: what was done, for the digest.

        Raises:
            SubjectFailed: the estimator cannot be fitted on these rows.
        """


@runtime_checkable
class Files(Protocol):
    """A file or folder whose bytes can be read without loading it."""

    @property
    def root(self) -> Path:
        """The file or folder."""

    def files(self) -> tuple[tuple[Path, str], ...]:
        """Every file under the root in sorted order, each with its path as reports show it.

        Raises:
            Unreadable: a folder cannot be listed.
        """

    def left_out(self) -> tuple[str, ...]:
        """Paths, as reports show them, of the files under the root that the settings exclude."""

    def digest(self, path: Path) -> str:
        """SHA-256 of one of the files, hexadecimal; empty when it was not digested or cannot be read."""


@runtime_checkable
class Deployment(Subject, Protocol):
    """A running server that can be asked harmless things."""

    @property
    def n_requests(self) -> int:
        """Requests sent so far."""

    @property
    def spent(self) -> bool:
        """Whether no further request is allowed."""

    def ask(self, request: Any) -> Any:
        """Send one request (`redan.kernels.deployment.exchange`) and return its answer, or None."""

    def facts(self) -> Any:
        """Return what checks need beside answers (`redan.kernels.deployment.outcome.Facts`).

        Raises:
            Unreadable: nothing answers.
        """


PROTOCOLS: dict[str, type] = {
    "labels": Labels,
    "scores": Scores,
    "gradients": Gradients,
    "trainable": Trainable,
    "trees": Trees,
    "refittable": Refittable,
    "bytes": Files,
    "deployment": Deployment,
}


def missing(subject: Subject, needs: tuple[Capability, ...]) -> tuple[Capability, ...]:
    """Return which of the needed capabilities the subject lacks, in order."""
    return tuple(need for need in needs if need not in subject.capabilities)


def unsuited(subject: Subject, needs: tuple[str, ...]) -> str:
    """Return why a subject is no case for what needs these capabilities, or an empty string.

    What asks a model and does not declare ``text`` works on numbers.
    """
    if "text" in subject.capabilities and "text" not in needs and ASKING.intersection(needs):
        return f"works on numbers; the inputs of {subject.ref.name} are text"
    if "text" in needs and "text" not in subject.capabilities and "labels" in subject.capabilities:
        return f"works on texts; the inputs of {subject.ref.name} are numbers"
    return ""


def require(subject: Subject, *needs: Capability) -> None:
    """Insist on capabilities.

    Raises:
        CapabilityMissing: naming what lacks and what the subject does offer.
    """
    lacking = missing(subject, needs)
    if lacking:
        offers = ", ".join(sorted(subject.capabilities)) or "nothing"
        raise CapabilityMissing(
            f"{subject.ref.name!r} ({subject.ref.kind}) does not offer {', '.join(lacking)}; it offers {offers}",
            hint="choose probes that need less (redan list probes), or give the model itself instead of an endpoint",
        )


Loader = Callable[[], Subject]
"""A subject that is built only when it is needed."""
