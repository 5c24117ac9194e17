"""From a model on disk, its statements and redan.toml to a decision: what is read and asked before it is judged."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from redan.core import config as configuration
from redan.core.errors import EvidenceError, MissingDependency, SubjectError
from redan.core.settings import Admission
from redan.evidence.keys import Verifier, load_verifier
from redan.evidence.signing import signature_path
from redan.evidence.signing import verify as verify_signature
from redan.evidence.signing.certificates import load_certificates
from redan.evidence.signing.verification import MemoryFor
from redan.evidence.statements import Bundle, beside, describe, read
from redan.evidence.statements.admission import ModelSignature, admission
from redan.evidence.statements.decision import Decision
from redan.evidence.statements.policy import AdmissionPolicy, policy_of
from redan.kernels.digests import Entry, Facts, Memory
from redan.kernels.digests.cache import DigestCache


def verify(
    model: str | Path,
    *,
    statements: Sequence[str | Path] = (),
    keys: Sequence[Verifier | str | Path] = (),
    authorities: Sequence[str | Path] = (),
    identity: str = "",
    signature: str | Path | None = None,
    cache: str | Path | None = None,
    policy: str | Path | AdmissionPolicy | None = None,
    at: datetime | None = None,
) -> Decision:
    """Decide whether a model on disk may be used.

    Args:
        model: file or folder.
        statements: bundles; the one beside the model when empty.
        keys: public keys that count beside those of the policy.
        authorities: certificates, beside those of the policy, of those who may vouch for who signed the model itself.
        identity: name that the certificate of the model's signer must carry; the policy's when empty.
        signature: the model's own signature; ``redan sign``'s place for it when None.
        cache: folder with the sealed digests of earlier calls; files that are as they were are then not read.
        policy: a redan.toml, or a policy whose keys are read; the nearest redan.toml when None.
        at: time to judge by; now when None.

    Raises:
        Unreadable: the model, a bundle, a key or a certificate cannot be read.
        SignatureRefused: the cache was changed or written by somebody else.
        ConfigError: the policy does not fit.
        UsageError: ``at`` has no time zone.
    """
    verifiers = [key if isinstance(key, Verifier) else load_verifier(Path(key)) for key in keys]
    rules = policy if isinstance(policy, AdmissionPolicy) else _read_policy(policy, verifiers)
    more = tuple(c for each in authorities for c in load_certificates(Path(each)))
    rules = replace(rules, authorities=rules.authorities + more, identity=identity or rules.identity)
    moment = at or datetime.now(UTC)
    path = Path(model)
    bundles = [_bundle(Path(each)) for each in statements] or [read(beside(path))]
    envelopes = [envelope for bundle in bundles for envelope in bundle.envelopes]
    lines = tuple(line for bundle in bundles for line in bundle.ignored)
    memory = _OneReading() if cache is None else DigestCache(Path(cache), path)
    about = describe(path, memory=memory)
    file = signature_path(path) if signature is None else Path(signature)
    found = model_signature(path, file, rules, _whole_files(memory), moment)
    if isinstance(memory, DigestCache):
        memory.save()
        lines = (*lines, f"what was read earlier and has kept its time and place was not read again ({memory.path})")
    return admission(about, envelopes, rules, at=moment, signature=found, notes=lines)


class _OneReading:
    """Whole-file SHA-256 digests of this very call, so that two checks of a model read it once."""

    def __init__(self) -> None:
        self._known: dict[Facts, tuple[str, ...]] = {}

    def recall(self, entry: Entry) -> tuple[str, ...] | None:
        return self._known.get(entry.facts)

    def learn(self, entry: Entry, digests: tuple[str, ...], read_at_ns: int) -> None:
        self._known[entry.facts] = digests


def _whole_files(memory: Memory) -> MemoryFor:
    return lambda algorithm, shard: memory if (algorithm, shard) == ("sha256", None) else _OneReading()


def model_signature(
    model: Path, path: Path, policy: AdmissionPolicy, memory_for: MemoryFor, at: datetime
) -> ModelSignature:
    """Look at a model's own signature.

    Args:
        model: file or folder.
        path: the signature.
        policy: whose signatures count.
        memory_for: makes a memory of digests for an algorithm and a shard length.
        at: time to check certificates at.
    """
    if policy.signature == "ignored" or not path.exists():
        return ModelSignature()
    if not policy.verifiers and not policy.authorities:
        return ModelSignature(state="unchecked", why=f"there is {path.name!r} and no key to check it with")
    try:
        found = verify_signature(
            model,
            path,
            keys=policy.verifiers,
            authorities=policy.authorities,
            identity=policy.identity,
            at=at,
            memory_for=memory_for,
        )
    except (EvidenceError, SubjectError) as err:
        return ModelSignature(state="refused", why=err.message)
    except MissingDependency as err:
        return ModelSignature(state="unchecked", why=err.message)
    return ModelSignature(
        state="verified", why=f"signed by {found.signer}, {found.n_files} file{'s' if found.n_files != 1 else ''}"
    )


def _bundle(path: Path) -> Bundle:
    if not path.exists():
        raise EvidenceError(f"there are no statements at {str(path)!r}", hint="name the bundle that redan seal wrote")
    return read(path)


def _read_policy(given: str | Path | None, keys: Sequence[Verifier]) -> AdmissionPolicy:
    file = Path(given) if given is not None else configuration.find(Path.cwd())
    if file is None:
        return policy_of(Admission(), Path.cwd(), keys=keys)
    config = configuration.load(file=file, root=file.parent, environ=os.environ)
    return policy_of(config.settings.admission, config.root, keys=keys)
