"""Whether a model may be served: its statements against ``[admission]``, about the very bytes that are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.evidence.statements.admission import ModelSignature, admission
from redan.kernels.digests.reading import hasher
from redan.runner.verify import model_signature

if TYPE_CHECKING:
    from redan.evidence.signing.verification import MemoryFor
    from redan.evidence.statements.bundle import Bundle
    from redan.evidence.statements.decision import Decision
    from redan.evidence.statements.policy import AdmissionPolicy
    from redan.kernels.digests import Entry, Memory
    from redan.service.models.holding import Held
    from redan.service.models.source import Source

NO_POLICY = (
    "redan.toml does not say what a model must prove: expected [[admission.require]] in it; "
    'write statement = "scan" there and keys = ["ci.pub"] under [admission]'
)
_MOST_SENTENCES = 5


class NotAdmitted(UsageError):
    """A version may not be served, nor become live in the registry; the message says what fails and how to meet it."""

    code = "RDN-E530"
    exit_code = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class About:
    """What must be kept of a model to judge it again, without its bytes.

    Attributes:
        held: with the bytes of its files taken out once they are loaded.
        digests: (algorithm, shard length) → path inside the folder → digests of its ranges, as far as asked.
    """

    held: Held
    digests: dict[tuple[str, int | None], dict[str, tuple[str, ...]]] = field(default_factory=dict)

    def memory_for(self, algorithm: str, shard_bytes: int | None) -> Memory:
        """Make a memory that answers with digests of the held bytes, so that the files on disk are not read."""
        return _OfHeld(self, algorithm, shard_bytes)


@dataclass(frozen=True, slots=True)
class _OfHeld:
    about: About
    algorithm: str
    shard_bytes: int | None

    def recall(self, entry: Entry) -> tuple[str, ...] | None:
        known = self.about.digests.setdefault((self.algorithm, self.shard_bytes), {})
        name = entry.name
        if name in known:
            return known[name]
        if (self.algorithm, self.shard_bytes) == ("sha256", None) and name in self.about.held.model.files:
            return (self.about.held.model.files[name],)
        if name not in self.about.held.files:
            raise SignatureRefused(
                f"{name!r} is not among the files that were loaded, or another kind of digest was signed meanwhile",
                hint="reload the model",
            )
        known[name] = _digests(self.about.held.files[name], self.algorithm, self.shard_bytes)
        return known[name]

    def learn(self, entry: Entry, digests: tuple[str, ...], read_at_ns: int) -> None:
        raise SignatureRefused(
            f"{entry.name!r} has another length on disk than what was loaded", hint="reload the model"
        )


def _digests(data: bytes, algorithm: str, shard_bytes: int | None) -> tuple[str, ...]:
    if algorithm == "sha256" and shard_bytes is None:
        return (sha256(data).hexdigest(),)
    begin = hasher(algorithm)
    found = []
    for start in range(0, len(data) if shard_bytes else 1, shard_bytes or 1):
        digest = begin()
        digest.update(data[start : start + shard_bytes] if shard_bytes else data)
        found.append(digest.hexdigest())
    return tuple(found)


def decide(
    about: About, source: Source, bundles: Sequence[Bundle], policy: AdmissionPolicy, *, at: datetime
) -> Decision:
    """Judge a model by its statements as they are now.

    Args:
        about: the model, with digests of the bytes that are or will be loaded.
        source: where it comes from.
        bundles: its statements.
        policy: ``[admission]`` with its keys read.
        at: time to judge by.

    Raises:
        Unreadable: the signature cannot be read.
    """
    envelopes = [envelope for bundle in bundles for envelope in bundle.envelopes]
    notes = [line for bundle in bundles for line in bundle.ignored]
    signature = ModelSignature()
    if source.signature is not None and not about.held.encrypted:
        if source.signature.exists() and not source.signature.is_file():
            # a pipe in its place would be waited for
            raise Unreadable(f"the signature {source.signature.name!r} is no regular file")
        memory_for: MemoryFor = about.memory_for
        signature = model_signature(source.path, source.signature, policy, memory_for, at)
    return admission(about.held.model, envelopes, policy, at=at, signature=signature, notes=notes)


def why_not(decision: Decision) -> str:
    """Return why a model is not admitted and what to do, in one line; empty when it is admitted."""
    if decision.admitted:
        return ""
    if not decision.failures:
        return NO_POLICY
    told = [f"{each.sentence()} – {each.fix}" for each in decision.failures[:_MOST_SENTENCES]]
    more = len(decision.failures) - _MOST_SENTENCES
    return "; ".join([*told, *([f"and {more} more"] if more > 0 else []), *_forged(decision)])


def _forged(decision: Decision) -> list[str]:
    """Say which statements were there and did not count, where no failure says so already."""
    said = " ".join(each.found for each in decision.failures)
    return [note for note in decision.notes[:_MOST_SENTENCES] if note.rpartition(": ")[2] not in said]


def insist(name: str, why: str) -> None:
    """Refuse a version that has a reason against it.

    Raises:
        NotAdmitted: with the reason.
    """
    if why:
        raise NotAdmitted(f"{name} is not admitted: {why}", hint=f"redan verify MODEL shows all of it ({name})")
