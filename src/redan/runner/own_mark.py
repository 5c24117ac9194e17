"""Put an owner's secrets into a network, or read a fingerprint from it, with independent models beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from redan.core import params as core_params
from redan.core.errors import CapabilityMissing, UsageError
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.evidence.ownership import MOST_SECRETS, Mark, Ownership
from redan.runner.own_independent import Strangers, strangers
from redan.runner.own_reading import Secrets, count, inner, packed

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.core.inputs import Inputs
    from redan.core.subject import Subject
    from redan.kernels.ownership.trigger_set import TriggerSet
    from redan.runner.run import Session

Method = Literal["weights", "triggers", "both", "fingerprint"]
SPEC = Spec(id="RDN-THE-012", name="mark", threat="theft", title="Marking a model", source="Adi 2018; Uchida 2017")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkParams(core_params.Params):
    """How a mark is put in, or a fingerprint read.

    Attributes:
        triggers: secret inputs of a trigger set.
        bits: secret bits in the weights.
        points: inputs of a fingerprint.
        margin: logits by which the secret answer leads at a point of the fingerprint.
        epochs: passes over the training data that put the mark in, at least.
        steps: batches, at least: few rows are passed over more often.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
        strength: weight of the bits in the loss.
    """

    triggers: int = 100
    bits: int = 256
    points: int = 300
    margin: float = 2.0
    epochs: int = 5
    steps: int = 1500
    batch_size: int = 64
    learning_rate: float = 2e-3
    strength: float = 0.5

    def passes(self, rows: int) -> int:
        """Return the passes over so many rows that make enough steps."""
        batches = -(-rows // max(1, self.batch_size))
        return max(self.epochs, -(-self.steps // max(1, batches)))

    def check(self) -> None:
        """Refuse numbers that nothing can be claimed with.

        Raises:
            UsageError: fewer than 20 secrets, or more than 100,000.
        """
        least, most = min(self.triggers, self.bits, self.points), max(self.triggers, self.bits, self.points)
        if least < 20 or most > MOST_SECRETS:
            raise UsageError(f"triggers, bits and points lie within 20 .. {MOST_SECRETS:,}, got {least} and {most}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Owned:
    """A model with its owner's secrets.

    Attributes:
        subject: the model.
        marks: what it carries, with the counts of the independent models.
        secrets: what the key and the marks know.
        training_cpu_s: what putting them in took.
        note: what was done, one line.
        independent: how the independent models were made.
    """

    subject: Subject
    marks: tuple[Mark, ...]
    secrets: Secrets
    training_cpu_s: float
    note: str
    independent: str = ""


def bounds_of(subject: Subject, inputs: Inputs) -> tuple[float, float]:
    """Return the lowest and highest legal input value: the model's, else those of the data, else its range.

    Raises:
        UsageError: there are no data, or all their values are the same.
    """
    data = inputs.train or inputs.test
    found = subject.bounds or (data.bounds if data is not None else None)
    if found is not None:
        return found
    if data is None or not float(data.x.min()) < float(data.x.max()):
        raise UsageError("secret inputs lie within legal values, and none are known", hint="--bounds LOW HIGH")
    return float(data.x.min()), float(data.x.max())


def marked(subject: Any, inputs: Inputs, key: bytes, method: Method, params: MarkParams, session: Session) -> Owned:
    """Fine-tune a copy of a network until it carries the secrets.

    Raises:
        CapabilityMissing: the model cannot be trained.
        UsageError: no training data, or no layer has room for the bits.
        BudgetSpent: before the first epoch was over.
    """
    from redan.kernels.ownership.marking import Bits, lesson_of
    from redan.subjects.teaching import course_of, lessons_of, pupil, taught, told_of

    params.check()
    if "trainable" not in subject.capabilities:
        raise CapabilityMissing(
            f"{subject.ref.name!r} ({subject.ref.kind}) cannot be trained, so nothing can be put into it",
            hint="redan own fingerprint reads a secret from a network; a model behind an API offers none",
        )
    secret = _triggers(subject, inputs, key, params) if method in ("triggers", "both") else None
    bits = Bits(key=key, n=params.bits, strength=params.strength) if method in ("weights", "both") else None
    epochs = params.passes(len(inputs.role("train")))
    course = course_of(epochs=epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
    begun = session.budget.cpu_s
    with lessons_of(subject, SPEC, session.seed):
        learner = pupil(subject, inputs.role("train"))
        learner.net.requires_grad_(requires_grad=True)
        lesson = _lesson(lesson_of, learner.net, session.seed, secret, bits)
        trained = taught(
            SPEC, learner, lesson, course, budget=session.budget, seed=session.seed, observe=session.observe
        )
    made = subject.rebuilt(learner.net, note=f"marked by {method}, {told_of(trained, course, 'given', session.seed)}")
    secrets = Secrets(key=key, triggers=secret)
    return Owned(
        subject=made,
        marks=_marks(made, secrets, method, params),
        secrets=secrets,
        training_cpu_s=session.budget.cpu_s - begun,
        note=made.ref.binding.detail,
    )


def _lesson(make: Any, net: Any, seed: int, secret: TriggerSet | None, bits: Any) -> Any:
    from redan.kernels.training.randomness import generator

    try:
        return make(net, generator(derive(seed, SPEC.id), "triggers"), triggers=secret, bits=bits)
    except ValueError as err:
        raise UsageError(
            f"this network carries no such mark: {err}", hint="--param bits=64, or --method triggers"
        ) from err


def _triggers(subject: Subject, inputs: Inputs, key: bytes, params: MarkParams) -> TriggerSet:
    data = inputs.role("train")
    shape = tuple(int(size) for size in data.x.shape[1:])
    from redan.kernels.ownership.trigger_set import trigger_set

    return trigger_set(key, params.triggers, shape, classes_of(subject, inputs), bounds=bounds_of(subject, inputs))


def classes_of(subject: Any, inputs: Inputs) -> int:
    """Return how many classes a model has, by its answer to one row."""
    data = inputs.train or inputs.role("test")
    return int(subject.scores(data.x[:1]).shape[1])


def _marks(subject: Subject, secrets: Secrets, method: Method, params: MarkParams) -> tuple[Mark, ...]:
    from redan.kernels.ownership.weights import carried, carrier

    marks: list[Mark] = []
    if secrets.triggers is not None:
        marks.append(Mark(kind="triggers", n=len(secrets.triggers.y), matched=0))
    if method in ("weights", "both"):
        layer, weight = carrier(inner(subject))
        marks.append(Mark(kind="weights", n=params.bits, matched=0, layer=layer, width=len(carried(weight))))
    if secrets.points is not None:
        marks.append(Mark(kind="fingerprint", n=len(secrets.points.y), matched=0))
    return tuple(replace(mark, matched=count(mark, secrets, subject)) for mark in marks)


def fingerprinted(subject: Any, inputs: Inputs, key: bytes, params: MarkParams, session: Session) -> Owned:
    """Read a fingerprint: inputs moved until the network gives secret answers.

    Raises:
        CapabilityMissing: the model has no gradients.
        UsageError: fewer than 20 points reach their answer.
    """
    from redan.kernels.ownership.boundary import fingerprint

    params.check()
    if "gradients" not in subject.capabilities:
        raise CapabilityMissing(
            f"{subject.ref.name!r} ({subject.ref.kind}) has no gradients to read a fingerprint with"
        )
    begun = session.budget.cpu_s
    shape = tuple(int(size) for size in (inputs.train or inputs.role("test")).x.shape[1:])
    points = fingerprint(
        subject.logits,
        key,
        params.points,
        shape,
        classes_of(subject, inputs),
        bounds=bounds_of(subject, inputs),
        margin=params.margin,
    )
    if len(points.y) < 20:
        raise UsageError(
            f"only {len(points.y)} of {params.points} points reached their secret answer; 20 are needed",
            hint="--param points=500, or a smaller --param margin",
        )
    secrets = Secrets(key=key, points=points)
    return Owned(
        subject=subject,
        marks=_marks(subject, secrets, "fingerprint", params),
        secrets=secrets,
        training_cpu_s=session.budget.cpu_s - begun,
        note=f"fingerprint of {len(points.y)} points, the model was not changed",
    )


def with_strangers(
    owned: Owned, wanted: Strangers, config: Config, subject: Subject, inputs: Inputs, session: Session
) -> Owned:
    """Ask independent models for the same secrets.

    Raises:
        SubjectError: one cannot be trained, opened or asked.
        BudgetSpent: before all of them were.
    """
    told: list[str] = []
    counts: list[list[int]] = [[] for _ in owned.marks]
    for stranger in strangers(wanted, config, subject, inputs, session, told):
        for mark, kept in zip(owned.marks, counts, strict=True):
            kept.append(count(mark, owned.secrets, stranger))
    marks = tuple(replace(mark, independent=tuple(kept)) for mark, kept in zip(owned.marks, counts, strict=True))
    return replace(owned, marks=marks, independent="; ".join(told))


def ownership_of(owned: Owned, before: Subject, inputs: Inputs, *, points_file: str) -> tuple[Ownership, bytes]:
    """Write down what is owned, bound to the key; and the bytes of the fingerprint's points, empty without.

    Args:
        owned: the model with its secrets.
        before: the model as it was.
        inputs: the data.
        points_file: name of the file that the points go into.
    """
    from hashlib import sha256

    points = packed(owned.secrets.points) if owned.secrets.points is not None else b""
    told = Ownership(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        model=owned.subject.ref.name,
        model_sha256=owned.subject.ref.digest,
        made_from_sha256=before.ref.digest,
        shape=tuple(int(size) for size in (inputs.train or inputs.role("test")).x.shape[1:]),
        classes=classes_of(owned.subject, inputs),
        bounds=bounds_of(before, inputs),
        marks=owned.marks,
        independent=owned.independent,
        points=points_file if points else "",
        points_sha256=sha256(points).hexdigest() if points else "",
    )
    return told.bound(owned.secrets.key), points
