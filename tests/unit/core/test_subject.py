"""Subjects: what was measured, and what lacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

import pytest

from redan.core.errors import CapabilityMissing
from redan.core.subject import CAPABILITIES, PROTOCOLS, Capability, Component, Labels, SubjectRef, missing, require

WEIGHTS = Component(role="weights", uri="net.pt", sha256=sha256(b"w").hexdigest(), size_bytes=1)
CODE = Component(role="code", uri="net.py", sha256=sha256(b"c").hexdigest(), size_bytes=1)
REF = SubjectRef(name="net", kind="torch", components=(WEIGHTS, CODE))


@dataclass(frozen=True)
class Some:
    """A subject that offers labels only."""

    ref: SubjectRef = REF
    capabilities: frozenset[Capability] = frozenset({"labels"})
    classes: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None

    def labels(self, x: object) -> object:
        """Predict."""
        return x


def test_the_digest_is_of_the_parts_wherever_they_lie() -> None:
    moved = replace(REF, name="other", components=(CODE, replace(WEIGHTS, uri="elsewhere/x.pt")))
    assert moved.digest == REF.digest
    assert len(REF.digest) == 64


@pytest.mark.parametrize(
    "changed",
    [
        replace(REF, components=(WEIGHTS,)),
        replace(REF, components=(CODE, replace(WEIGHTS, sha256=CODE.sha256))),
        replace(REF, components=(CODE, replace(WEIGHTS, role="artifact"))),
    ],
)
def test_the_digest_follows_the_bytes_and_their_roles(changed: SubjectRef) -> None:
    assert changed.digest != REF.digest


def test_a_subject_of_unknown_parts_has_no_digest() -> None:
    assert SubjectRef(name="api", kind="http").digest == ""


def test_what_lacks_is_named_in_order() -> None:
    assert missing(Some(), ("labels",)) == ()
    assert missing(Some(), ("weights", "labels", "gradients")) == ("weights", "gradients")
    require(Some(), "labels")
    with pytest.raises(CapabilityMissing) as caught:
        require(Some(), "labels", "gradients", "scores")
    assert caught.value.message == "'net' (torch) does not offer gradients, scores; it offers labels"
    with pytest.raises(CapabilityMissing, match="it offers nothing"):
        require(replace(Some(), capabilities=frozenset()), "labels")


def test_protocols_belong_to_capabilities() -> None:
    assert set(PROTOCOLS) <= set(CAPABILITIES)
    assert isinstance(Some(), Labels)
    assert not isinstance(object(), Labels)
