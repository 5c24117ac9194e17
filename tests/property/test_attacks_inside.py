"""Whatever the model, the inputs and the ball: adversarial points are inside, and draws are keyed."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.kernels import draws
from redan.kernels.attacks.ball import Ball, Box
from redan.kernels.attacks.cascade import evade
from redan.kernels.attacks.hopskipjump import HopSkipJumpSettings, hopskipjump
from redan.kernels.attacks.plans import fgsm, member, minimum_norm, pgd, plan_for
from redan.kernels.attacks.projection import distance, project, tighten
from redan.kernels.attacks.starts import random_points

norms = st.sampled_from(["linf", "l2", "l1", "l0"])
boxes = st.tuples(st.sampled_from([-1000.0, -1.0, 0.0]), st.sampled_from([0.5, 1.0, 255.0])).map(
    lambda ends: Box(low=ends[0], high=ends[1])
)
shapes = st.sampled_from([(1,), (5,), (2, 3), (3, 4, 4)])
seeds = st.integers(0, 2**64 - 1)


@st.composite
def balls(draw):
    box = draw(boxes)
    share = draw(st.floats(1e-4, 2.0))
    norm = draw(norms)
    return Ball(
        norm=norm, eps=float(draw(st.integers(1, 9))) if norm == "l0" else share * (box.high - box.low), box=box
    )


def plan_of(name, norm):
    """A plan that knows the norm."""
    if name in {"deepfool", "cw"}:
        known = {"deepfool": {"linf", "l2", "l1"}, "cw": {"l2"}}[name]
        return minimum_norm(name if norm in known else "fmn", 20)
    if name in {"fgsm", "pgd"}:
        return fgsm() if name == "fgsm" else pgd(10)
    return plan_for("quick", norm) if name == "quick" else member(name)


def inputs_in(box, n, shape, seed):
    unit = draws.uniform(draws.sample_keys(seed, "inputs", range(n)), shape, stream=0)
    return torch.from_numpy((box.low + unit * np.float32(box.high - box.low)).clip(box.low, box.high))


def inside(points, inputs, ball):
    return bool(
        (distance(points, inputs, ball.norm) <= ball.eps).all()
        and (points >= ball.box.low).all()
        and (points <= ball.box.high).all()
    )


@given(ball=balls(), shape=shapes, seed=seeds)
@settings(max_examples=300, deadline=None)
def test_random_starts_and_projections_are_inside(ball, shape, seed):
    inputs = inputs_in(ball.box, 6, shape, seed)
    keys = draws.sample_keys(seed, "property", range(6))
    near = random_points(inputs, ball, keys, stream=0)
    assert inside(tighten(near, inputs, ball), inputs, ball)
    far = inputs + 3 * ball.eps * (near - inputs).sign()
    assert inside(tighten(project(far, inputs, ball), inputs, ball), inputs, ball)
    # projecting twice is projecting once, up to rounding
    once = project(far, inputs, ball)
    assert torch.allclose(project(once, inputs, ball), once, rtol=1e-5, atol=1e-5 * (ball.box.high - ball.box.low))


@given(
    ball=balls(),
    shape=shapes,
    seed=seeds,
    classes=st.integers(2, 5),
    n=st.integers(0, 5),
    plan=st.sampled_from(["quick", "apgd-ce", "apgd-t", "fmn", "deepfool", "cw", "fgsm", "pgd"]),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
)
@settings(max_examples=60, deadline=None)
def test_successes_are_real_and_inside(ball, shape, seed, classes, n, plan, scale):
    inputs = inputs_in(ball.box, n, shape, seed)
    width = inputs[:1].numel() or int(np.prod(shape))
    weight = torch.from_numpy(draws.normal(draws.sample_keys(seed, "weights", range(width)), (classes,), stream=0))
    middle = (ball.box.low + ball.box.high) / 2

    asked = []

    def model(x):
        asked.append(x.detach())
        return torch.tanh((x - middle).flatten(1) / (ball.box.high - ball.box.low) @ weight) * scale

    labels = model(inputs).argmax(1)
    keys = draws.sample_keys(seed, "property", range(n))
    chosen = plan_of(plan, ball.norm)
    found = evade(model, inputs, labels, ball=ball, keys=keys, plan=chosen)
    assert inside(found.adversarial, inputs, ball)
    assert all((x >= ball.box.low).all() and (x <= ball.box.high).all() for x in asked)
    assert torch.equal(found.success, model(found.adversarial).argmax(1) != labels)
    assert torch.equal(found.success, found.distance <= ball.eps)


@given(norm=st.sampled_from(["linf", "l2"]), box=boxes, shape=shapes, seed=seeds, n=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_decision_points_are_wrong_and_in_the_box(norm, box, shape, seed, n):
    inputs = inputs_in(box, n, shape, seed).numpy()
    cut = np.float32((box.low + box.high) / 2)

    def predict(x):
        return (x.reshape(len(x), int(np.prod(shape))).mean(1) > cut).astype(np.int64)

    found = hopskipjump(
        predict,
        inputs,
        predict(inputs),
        norm=norm,
        box=box,
        keys=draws.sample_keys(seed, "property", range(n)),
        settings=HopSkipJumpSettings(iterations=2, first_estimate=20),
    )
    moved = np.isfinite(found.distance)
    assert (predict(found.adversarial[moved]) != predict(inputs[moved])).all()
    assert (found.adversarial >= box.low).all()
    assert (found.adversarial <= box.high).all()


@given(seed=seeds, places=st.lists(st.integers(0, 2**40), min_size=1, max_size=20), stream=st.integers(0, 10**6))
@settings(max_examples=200, deadline=None)
def test_a_draw_depends_on_its_key_alone(seed, places, stream):
    together = draws.normal(draws.sample_keys(seed, "p", places), (4,), stream=stream)
    alone = [draws.normal(draws.sample_keys(seed, "p", [place]), (4,), stream=stream)[0] for place in places]
    assert together.tobytes() == np.stack(alone).tobytes()
