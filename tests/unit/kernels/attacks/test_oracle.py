"""The guard around a model: counts, checks, no trace."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from redan.core.errors import ShapeMismatch, SubjectFailed
from redan.kernels.attacks.oracle import Oracle, untouched


def state(model):
    """Everything an attack must leave alone."""
    return (
        [(m.training) for m in model.modules()],
        [(p.requires_grad, p.grad, p.detach().clone()) for p in model.parameters()],
        [b.clone() for b in model.buffers()],
    )


def same(first, second):
    flags = first[0] == second[0]
    parameters = all(
        a[0] == b[0] and a[1] is b[1] and torch.equal(a[2], b[2]) for a, b in zip(first[1], second[1], strict=True)
    )
    return flags and parameters and all(torch.equal(a, b) for a, b in zip(first[2], second[2], strict=True))


@pytest.fixture
def used(net, images):
    """A net in the middle of training: mixed modes, a frozen parameter, gradients, batch statistics."""
    model = net(3).train()
    model[0].eval()
    model[0].weight.requires_grad_(requires_grad=False)
    model(images(4)).sum().backward()
    return model


def test_everything_is_as_it_was(used, images):
    before = state(used)
    with untouched(used):
        assert not any(m.training for m in used.modules())
        oracle = Oracle(used)
        oracle.gradient(images(5), lambda z: z[:, 0])
        used.train()(images(5))  # batch norm moves its statistics
        assert not same(before, state(used))
    assert same(before, state(used))


def test_everything_is_as_it_was_after_an_error(used, images):
    before = state(used)

    def fail():
        with untouched(used):
            used.train()(images(5))
            raise RuntimeError("broken model")

    with pytest.raises(RuntimeError, match="broken model"):
        fail()
    assert same(before, state(used))


def test_a_plain_callable_is_welcome(images):
    with untouched(lambda x: x.flatten(1)):
        assert Oracle(lambda x: x.flatten(1)).logits(images(2)).shape == (2, 64)


def test_samples_are_counted(net, images):
    oracle = Oracle(net(3).eval())
    oracle.logits(images(5))
    oracle.gradient(images(7), lambda z: z[:, 0])
    assert (oracle.counts.forward, oracle.counts.gradient, oracle.counts.queries) == (5, 7, 12)


def test_the_gradient_is_the_gradient(linear):
    model = linear(6, 3)
    _, gradients, logits = Oracle(model).gradient(torch.ones(2, 6), lambda z: z[:, 1] - z[:, 2])
    assert torch.allclose(gradients, (model.weight[1] - model.weight[2]).detach().expand(2, 6))
    assert torch.allclose(logits, model(torch.ones(2, 6)))


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_one_logit_becomes_two_columns_of_the_same_log_odds(shape):
    logits = Oracle(lambda x: x.sum(1).reshape(shape)).logits(torch.tensor([[2.0], [-3.0], [0.0]]))
    assert torch.allclose(logits.softmax(1)[:, 1], torch.tensor([2.0, -3.0, 0.0]).sigmoid())


@pytest.mark.parametrize("single", [False, True])
def test_probabilities_become_logits_of_the_same_probabilities(single):
    both = torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    oracle = Oracle(lambda x: both[:, 1] if single else both, outputs="probabilities")
    logits = oracle.logits(torch.zeros(2, 1))
    assert torch.isfinite(logits).all()
    assert torch.allclose(logits.softmax(1), both)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_an_answer_that_is_no_number_is_an_error(bad):
    with pytest.raises(SubjectFailed, match="NaN or infinity"):
        Oracle(lambda x: torch.tensor([[0.0, 1.0], [0.0, bad]])).logits(torch.zeros(2, 1))


def test_huge_finite_answers_are_numbers():
    assert Oracle(lambda x: torch.full((2, 2), 3e38)).logits(torch.zeros(2, 1)).shape == (2, 2)


@pytest.mark.parametrize("shape", [(3, 2), (2, 2, 2), ()])
def test_an_answer_of_another_shape_is_an_error(shape):
    with pytest.raises(ShapeMismatch, match="must answer 2 inputs"):
        Oracle(lambda x: torch.zeros(shape)).logits(torch.zeros(2, 1))


def test_an_answer_that_is_no_tensor_is_an_error():
    with pytest.raises(ShapeMismatch, match="list"):
        Oracle(lambda x: [0.0, 1.0]).logits(torch.zeros(2, 1))


def test_a_model_without_gradient_is_an_error():
    with pytest.raises(SubjectFailed, match="no gradient"):
        Oracle(lambda x: x.detach()).gradient(torch.zeros(2, 2), lambda z: z[:, 0])


def test_broken_gradients_are_zeroed_and_counted():
    # the gradient of the root at 0 is infinite
    oracle = Oracle(lambda x: torch.cat([x.sqrt(), 1 - x], dim=1))
    _, gradients, _ = oracle.gradient(torch.tensor([[0.0], [0.25], [0.0]]), lambda z: z[:, 0])
    assert gradients.flatten().tolist() == [0.0, 1.0, 0.0]
    assert oracle.counts.broken_gradients == 2


def test_modules_without_parameters_are_welcome():
    with untouched(nn.Flatten()):
        pass
