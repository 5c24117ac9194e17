"""The bounds on the adversarially trained Fashion-MNIST net: tighter than plain CROWN, never above the attack."""

from __future__ import annotations

import pytest
import torch
from tests.unit.kernels.attacks.test_fashion_mnist import at01, data, run

from redan.kernels.attacks.plans import plan_for
from redan.kernels.certify.certify import EFFORTS, FELL, OPEN, Effort, certify
from redan.kernels.certify.reading import read

__all__ = ["at01", "data"]
EPS = 0.1
FIRST, COUNT = 2000, 12


@pytest.fixture(scope="module")
def graph(at01):
    return read(at01, (1, 28, 28), dtype=torch.float32)


def test_splits_certify_more_than_crown_and_nothing_that_falls(at01, data, graph):
    images, labels = data[0][FIRST : FIRST + COUNT], data[1][FIRST : FIRST + COUNT]
    fell = run(at01, data, "linf", EPS, plan_for("standard", "linf"), n=COUNT, first=FIRST).success
    shares = {}
    for name, effort in (("crown", EFFORTS["quick"]), ("splits", Effort(alpha_steps=3, domains=40))):
        found = certify(graph, images, labels, eps=EPS, norm="linf", bounds=(0.0, 1.0), effort=effort)
        assert not (found.certified & fell).any()
        assert ((found.margin > 0) == found.certified).all()
        shares[name] = found.certified
    assert (shares["splits"] | ~shares["crown"]).all()
    assert int(shares["splits"].sum()) > int(shares["crown"].sum())


def test_nothing_is_spent_on_what_fell_and_a_stop_keeps_what_was_proven(at01, data, graph):
    images, labels = data[0][FIRST : FIRST + COUNT], data[1][FIRST : FIRST + COUNT]
    where = {"eps": 0.02, "norm": "linf", "bounds": (0.0, 1.0), "effort": EFFORTS["quick"]}
    whole = certify(graph, images, labels, **where)
    known = certify(graph, images, labels, fell=torch.arange(COUNT) % 2 == 0, **where)
    assert not known.certified[::2].any()
    assert set(known.stage[::2].tolist()) <= {FELL, -1}
    assert torch.equal(known.certified[1::2], whole.certified[1::2])
    asked = iter([None, "enough", "enough"])
    part = certify(graph, images, labels, stop=lambda: next(asked), **where)
    assert part.reason == "enough"
    assert torch.equal(part.certified[:8], whole.certified[:8])
    assert part.count(-4) == COUNT - 8
    assert whole.count(OPEN) < COUNT
