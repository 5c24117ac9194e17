"""The cascade as a whole on small models: honesty, determinism, odd sizes and odd models."""

from __future__ import annotations

import math

import pytest
import torch

from redan.core.errors import ShapeMismatch, SubjectFailed
from redan.kernels import draws
from redan.kernels.attacks.ball import NORMS, Ball, Box
from redan.kernels.attacks.cascade import evade
from redan.kernels.attacks.loss import margin
from redan.kernels.attacks.plans import fgsm, member, pgd, plan_for
from redan.kernels.attacks.projection import distance
from redan.kernels.attacks.rivals import likeliest

UNIT = Box(low=0.0, high=1.0)
QUICK = {norm: plan_for("quick", norm) for norm in NORMS}
RADIUS = {"linf": 0.05, "l2": 0.4, "l1": 1.5, "l0": 2.0}


def ball(norm, factor=1.0):
    return Ball(norm=norm, eps=RADIUS[norm] * factor, box=UNIT)


@pytest.fixture
def problem(net, images, keys):
    """Return a function (classes, n) -> model, images, labels (a tenth of them wrong), keys."""

    def build(classes, n):
        model = net(classes).eval()
        inputs = images(n)
        with torch.no_grad():
            labels = model(inputs).argmax(1)
        labels[::10] = (labels[::10] + 1) % classes
        return model, inputs, labels, keys(n)

    return build


def check(model, inputs, labels, found, where):
    """What any result must keep, whatever the attack did."""
    n = len(inputs)
    with torch.no_grad():
        clean, answers = model(inputs).argmax(1), model(found.adversarial).argmax(1)
    assert torch.equal(answers[found.success] != labels[found.success], torch.ones(int(found.success.sum())).bool())
    assert (distance(found.adversarial, inputs, where.norm) <= where.eps).all()
    assert n == 0 or (found.adversarial.min() >= where.box.low and found.adversarial.max() <= where.box.high)
    assert torch.equal(found.adversarial[~found.success], inputs[~found.success])
    assert torch.equal(found.stage == 0, clean != labels)
    assert torch.equal(found.distance == 0, clean != labels)
    assert torch.equal(found.stage >= 0, found.success)
    assert torch.equal(found.distance <= where.eps, found.success)
    assert (found.margin[found.success] <= 0).all()
    assert sum(count for _, count in found.waterfall()) == int(found.success.sum())
    radii = [0.0, where.eps / 2, where.eps, where.eps * 2, math.inf]
    curve = found.curve(radii)
    assert list(curve) == sorted(curve, reverse=True)
    assert curve[2] == pytest.approx(found.robust_accuracy)
    assert curve[0] == pytest.approx((clean == labels).double().mean().item())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("depth", "classes"), [("quick", 2), ("quick", 10), ("standard", 3), ("deep", 4)])
def test_results_are_honest(problem, norm, depth, classes):
    model, inputs, labels, keys = problem(classes, 30)
    found = evade(model, inputs, labels, ball=ball(norm), keys=keys, plan=plan_for(depth, norm), batch_size=16)
    check(model, inputs, labels, found, ball(norm))
    assert found.complete
    assert found.reason is None
    assert 0 < found.robust_accuracy < (found.stage != 0).double().mean()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    ("name", "classes"),
    [("apgd-ce", 2), ("apgd-dlr", 2), ("apgd-dlr", 3), ("apgd-t", 3), ("apgd-t", 4), ("fmn", 5)],
)
def test_members_alone_are_honest(problem, norm, name, classes):
    model, inputs, labels, keys = problem(classes, 12)
    found = evade(model, inputs, labels, ball=ball(norm), keys=keys, plan=member(name))
    check(model, inputs, labels, found, ball(norm))
    too_few = {"apgd-dlr": 3, "apgd-t": 4}.get(name, 0) > classes
    assert ("used the margin" in "".join(found.notes)) == too_few


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one(problem, norm, n):
    model, inputs, labels, keys = problem(3, n)
    found = evade(model, inputs, labels, ball=ball(norm), keys=keys, plan=plan_for("standard", norm))
    check(model, inputs, labels, found, ball(norm)) if n else None
    assert found.success.shape == (n,)
    assert math.isnan(found.robust_accuracy) == (n == 0)
    assert found.counts.queries > 0 or n == 0


@pytest.mark.parametrize("norm", NORMS)
def test_batch_size_changes_nothing(problem, norm):
    model, inputs, labels, keys = problem(10, 15)
    one, seven, all_ = (
        evade(model, inputs, labels, ball=ball(norm), keys=keys, plan=QUICK[norm], batch_size=size).success
        for size in (1, 7, 500)
    )
    assert torch.equal(one, all_)
    assert torch.equal(seven, all_)


@pytest.mark.parametrize(
    ("norm", "plan"), [("linf", pgd(5)), ("l2", QUICK["l2"]), ("l1", member("apgd-ce")), ("l0", QUICK["l0"])]
)
def test_the_same_seed_gives_the_same_bits(problem, norm, plan):
    model, inputs, labels, keys = problem(10, 20)
    first, second = (evade(model, inputs, labels, ball=ball(norm), keys=keys, plan=plan) for _ in range(2))
    assert torch.equal(first.adversarial, second.adversarial)
    assert first.counts == second.counts
    other = draws.sample_keys(1, "test", range(20))
    third = evade(model, inputs, labels, ball=ball(norm), keys=other, plan=plan)
    if norm != "l0":  # its quick plan draws nothing
        assert not torch.equal(first.margin, third.margin)


@pytest.mark.parametrize("norm", NORMS)
def test_a_larger_radius_is_no_safer(problem, norm):
    model, inputs, labels, keys = problem(10, 60)
    shares = [
        evade(model, inputs, labels, ball=ball(norm, factor), keys=keys, plan=QUICK[norm]).robust_accuracy
        for factor in (0.5, 1.0, 4.0, 16.0)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]
    assert shares[-1] < 0.1


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 255.0)])
def test_bounds_are_the_users(net, images, keys, low, high):
    model = net(4).eval()
    inner = lambda x: model((x - low) / (high - low))  # noqa: E731  a model with its own normalisation
    inputs = images(30) * (high - low) + low
    labels = inner(inputs).argmax(1)
    where = Ball(norm="linf", eps=0.05 * (high - low), box=Box(low=low, high=high))
    found = evade(inner, inputs, labels, ball=where, keys=keys(30), plan=QUICK["linf"])
    unit = evade(model, images(30), labels, ball=ball("linf"), keys=keys(30), plan=QUICK["linf"])
    check(inner, inputs, labels, found, where)
    assert (found.success == unit.success).double().mean() >= 0.9


def test_one_logit_and_probabilities_are_the_same_model(net, images, keys):
    model = net(2).eval()
    inputs = images(30)
    labels = model(inputs).argmax(1)

    def run(answer, outputs="logits"):
        return evade(answer, inputs, labels, ball=ball("l2"), keys=keys(30), plan=QUICK["l2"], outputs=outputs).success

    both = run(model)
    assert both.any()
    assert torch.equal(both, run(lambda x: model(x).diff(dim=1)))
    assert torch.equal(both, run(lambda x: model(x).diff(dim=1).squeeze(1)))
    assert torch.equal(both, run(lambda x: model(x).softmax(1), "probabilities"))
    assert torch.equal(both, run(lambda x: model(x).softmax(1)[:, 1], "probabilities"))


def test_batch_norm_in_training_mode_is_left_alone(net, images, keys):
    model = net(5).train()
    model[0].weight.requires_grad_(requires_grad=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs = images(20)
    found = evade(model, inputs, torch.zeros(20).long(), ball=ball("linf"), keys=keys(20), plan=QUICK["linf"])
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert [p.requires_grad for p in model.parameters()] == [False] + [True] * 5
    assert all(p.grad is None for p in model.parameters())
    # it was measured in evaluation mode
    answers = model.eval()(found.adversarial).argmax(1)
    assert (answers[found.success] != 0).all()


def test_no_global_random_state_is_touched(problem):
    model, inputs, labels, keys = problem(3, 10)
    before = torch.random.get_rng_state()
    evade(model, inputs, labels, ball=ball("l2"), keys=keys, plan=plan_for("standard", "l2"))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(("norm", "after"), [("linf", 0), ("linf", 1), ("l1", 5), ("l0", 40)])
def test_a_stop_leaves_an_honest_partial_result(problem, norm, after):
    model, inputs, labels, keys = problem(10, 60)
    asked = []

    def stop():
        asked.append(None)
        return "the budget is spent" if len(asked) > after else None

    found = evade(
        model, inputs, labels, ball=ball(norm), keys=keys, plan=plan_for("standard", norm), batch_size=25, stop=stop
    )
    assert not found.complete
    assert found.reason == "the budget is spent"
    assert len(asked) == after + 1
    full = evade(model, inputs, labels, ball=ball(norm), keys=keys, plan=plan_for("standard", norm), batch_size=25)
    assert found.robust_accuracy >= full.robust_accuracy
    assert (distance(found.adversarial, inputs, norm) <= RADIUS[norm]).all()


def test_progress_counts_to_the_end_of_each_stage(problem):
    model, inputs, labels, keys = problem(3, 30)
    told = []
    evade(
        model,
        inputs,
        labels,
        ball=ball("l2"),
        keys=keys,
        plan=QUICK["l2"],
        batch_size=8,
        progress=lambda *what: told.append(what),
    )
    assert [done for stage, done, _ in told if stage == "clean"] == [8, 16, 24, 30]
    assert {stage for stage, _, _ in told} == {"clean", "funnel", "fmn"}
    assert all(done <= total for _, done, total in told)


def test_a_model_that_turns_to_nan_under_attack_is_an_error(images, keys):
    def model(x):
        flat = x.flatten(1)
        poisoned = torch.where((flat - images(3).flatten(1)).abs().amax(1) > 0.01, torch.nan, 1.0)
        return torch.stack([flat.sum(1) * poisoned, flat.sum(1) * 0], dim=1)

    with pytest.raises(SubjectFailed, match="NaN or infinity"):
        evade(model, images(3), torch.zeros(3).long(), ball=ball("linf"), keys=keys(3), plan=QUICK["linf"])


def test_a_model_that_raises_is_left_as_it_was(net, images, keys):
    model = net(3).train()

    def broken(module, inputs):
        if len(inputs[0]) < 5:
            raise RuntimeError("out of memory")

    model.register_forward_pre_hook(broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        evade(model, images(9), torch.zeros(9).long(), ball=ball("l2"), keys=keys(9), plan=QUICK["l2"], batch_size=5)
    assert all(module.training for module in model.modules())
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x + 2, y), "must lie in"),
        (lambda x, y: (x * torch.nan, y), "must lie in"),
        (lambda x, y: (x, y[:-1]), "as many labels"),
        (lambda x, y: ((x * 255).to(torch.uint8), y), "floating point"),
        (lambda x, y: (x, y + 7), "classes"),
        (lambda x, y: (x, y - 1), "classes"),
    ],
)
def test_what_does_not_fit_is_refused(net, images, keys, change, message):
    inputs, labels = change(images(4), torch.zeros(4).long())
    with pytest.raises(ShapeMismatch, match=message):
        evade(net(3).eval(), inputs, labels, ball=ball("l2"), keys=keys(4), plan=QUICK["l2"])


def test_unknown_plans_are_refused():
    with pytest.raises(ValueError, match="no plan"):
        plan_for("endless", "l2")
    with pytest.raises(ValueError, match="no member"):
        member("pgd-1000000")


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("depth", ["quick", "standard"])
def test_targeted_samples_fall_only_when_their_class_is_answered(problem, norm, depth):
    model, inputs, labels, keys = problem(10, 40)
    targets = likeliest(model(inputs), labels, 3)[torch.arange(40), torch.arange(40) % 3]
    where = ball(norm, 2.0)
    found = evade(model, inputs, labels, ball=where, keys=keys, plan=plan_for(depth, norm), targets=targets)
    answers = model(found.adversarial).argmax(1)
    assert torch.equal(answers == targets, found.success)
    assert (distance(found.adversarial, inputs, norm) <= where.eps).all()
    free = evade(model, inputs, labels, ball=where, keys=keys, plan=plan_for(depth, norm))
    assert 0 < int(found.success.sum()) <= int(free.success.sum())


@pytest.mark.parametrize("plan", [fgsm(), pgd(10), member("apgd-ce"), member("apgd-dlr"), member("apgd-t")])
def test_targeted_members_are_honest(problem, plan):
    model, inputs, labels, keys = problem(5, 20)
    targets = (labels + 1) % 5
    found = evade(model, inputs, labels, ball=ball("linf", 3.0), keys=keys, plan=plan, targets=targets)
    assert torch.equal(model(found.adversarial).argmax(1) == targets, found.success)
    assert found.success.any()


def test_a_target_is_another_class_that_exists(problem):
    model, inputs, labels, keys = problem(3, 5)
    for targets in (labels, labels[:2], labels.double(), torch.full_like(labels, 9)):
        with pytest.raises(ShapeMismatch):
            evade(model, inputs, labels, ball=ball("l2"), keys=keys, plan=QUICK["l2"], targets=targets)


def test_one_step_of_fgsm_is_the_sign_of_the_gradient(linear, keys):
    model = linear(6, 2)
    inputs = torch.full((1, 6), 0.5)
    labels = model(inputs).argmax(1)
    slope = (model.weight[labels] - model.weight[1 - labels]).detach()
    eps = 1.01 * float(margin(model(inputs).detach(), labels) / slope.abs().sum())
    where = Ball(norm="linf", eps=eps, box=Box(low=-9.0, high=9.0))
    found = evade(model, inputs, labels, ball=where, keys=keys(1), plan=fgsm())
    assert found.success.all()
    assert torch.allclose(found.adversarial, inputs - eps * slope.sign(), atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_a_thousand_classes_dropout_and_doubles(net, images, keys, norm):
    model = torch.nn.Sequential(net(1000), torch.nn.Dropout(0.9)).double()
    inputs = images(6).double()
    labels = model.eval()(inputs).argmax(1)
    found = evade(model.train(), inputs, labels, ball=ball(norm), keys=keys(6), plan=QUICK[norm])
    assert model.training
    assert found.adversarial.dtype == torch.float64
    assert torch.equal(model.eval()(found.adversarial).argmax(1) != labels, found.success)
    assert found.success.any()
