"""What a model must prove, with the keys read: the table [admission] of redan.toml made ready to decide by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography.x509 import Certificate

from redan.core.errors import ConfigError
from redan.core.settings import Admission, Requirement, age_s
from redan.evidence.keys import Verifier, load_verifier
from redan.evidence.signing.certificates import load_certificates

_KEY_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """One requirement with the keys that count for it.

    Attributes:
        requirement: as redan.toml says it.
        signed_by: identifiers of the keys that count.
        max_age_s: oldest that a statement may be.
    """

    requirement: Requirement
    signed_by: frozenset[str]
    max_age_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionPolicy:
    """What decides about a model.

    Attributes:
        required: what a model must have; nothing is admitted when this is empty.
        verifiers: every key that counts for anything, each once.
        revoked_by: identifiers of the keys whose revocations count.
        signature: what is asked of the model's own signature.
        authorities: certificates of those who may vouch for who signed the model itself.
        identity: name that the certificate of the model's signer must carry; any when empty.
        names: what the policy calls its keys, by identifier; for sentences alone.
    """

    required: tuple[Required, ...] = ()
    verifiers: tuple[Verifier, ...] = ()
    revoked_by: frozenset[str] = frozenset()
    signature: Literal["required", "if present", "ignored"] = "if present"
    authorities: tuple[Certificate, ...] = ()
    identity: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def named(self, key_ids: Iterable[str]) -> str:
        """Name keys for a reader: as the policy does, with the beginning of each identifier."""
        shown = (f"{self.names.get(key_id, 'key')} {key_id[:16]}…" for key_id in sorted(key_ids))
        return ", ".join(shown) or "no key"


def policy_of(admission: Admission, root: Path, *, keys: Sequence[Verifier] = ()) -> AdmissionPolicy:
    """Read the keys that a policy names.

    Args:
        admission: the table of redan.toml.
        root: folder that its paths start from.
        keys: further keys; they count wherever the table's own keys do, and may be named by identifier.

    Raises:
        ConfigError: a key identifier that no given key has, or a requirement for which no key counts.
        Unreadable: a key file is missing or holds no public key.
    """
    ring = _Ring(root, keys)
    general = frozenset({*ring.ids(admission.keys), *(key.key_id for key in keys)})
    required = tuple(_required(each, admission, ring, general) for each in admission.require)
    revoking = ring.ids(admission.revoked_by)
    return AdmissionPolicy(
        required=required,
        verifiers=tuple(ring.known.values()),
        revoked_by=revoking or frozenset(ring.known),
        signature=admission.signature,
        authorities=tuple(c for name in admission.authorities for c in load_certificates(root / name)),
        identity=admission.identity,
        names=ring.names,
    )


def _required(requirement: Requirement, admission: Admission, ring: _Ring, general: frozenset[str]) -> Required:
    signed_by = ring.ids(requirement.signed_by) or general
    if len(signed_by) < requirement.signers:
        raise ConfigError(
            f"[[admission.require]] of {requirement.statement!r} asks for {requirement.signers} different keys and "
            f"{len(signed_by)} count for it",
            hint='name public keys: signed_by = ["keys/ml.pub"], or keys = [...] in [admission]',
        )
    return Required(
        requirement=requirement,
        signed_by=signed_by,
        max_age_s=age_s(requirement.max_age or admission.max_age),
    )


class _Ring:
    """Keys by identifier; a file is read once, and the same key under two names is one key."""

    def __init__(self, root: Path, keys: Iterable[Verifier]) -> None:
        self._root = root
        self._by_name: dict[str, Verifier] = {}
        self.known: dict[str, Verifier] = {key.key_id: key for key in keys}
        self.names: dict[str, str] = {}

    def ids(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset(self._key(name).key_id for name in names)

    def _key(self, name: str) -> Verifier:
        if _KEY_ID.fullmatch(name):
            return _named(self.known, name)
        if name not in self._by_name:
            key = load_verifier(self._root / name)
            self._by_name[name] = self.known.setdefault(key.key_id, key)
            self.names.setdefault(key.key_id, name)
        return self._by_name[name]


def _named(known: Mapping[str, Verifier], key_id: str) -> Verifier:
    if key_id not in known:
        raise ConfigError(
            f"[admission] names the key {key_id[:16]}… and no key given has that identifier",
            hint="name its public key file in keys, or give it with --key",
        )
    return known[key_id]
