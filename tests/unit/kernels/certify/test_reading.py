"""A graph does what its module does, and what cannot be read is named."""

from __future__ import annotations

import pytest
import torch
from tests.unit.kernels.certify.nets import MAKERS, graph_of, images, net
from torch import nn

from redan.core.errors import Skipped
from redan.kernels.certify.certify import check_faithful
from redan.kernels.certify.graph import Rectifier


@pytest.mark.parametrize("name", MAKERS)
def test_a_graph_gives_the_scores_of_its_module(name):
    module, x = net(name), images(5)
    ours, theirs = graph_of(module).forward(x), module(x)
    if name == "softmax":
        ours = ours.softmax(dim=1)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_graph_of_a_module_in_half_precision_has_the_type_asked_for():
    graph = graph_of(net("mlp").double(), dtype=torch.float32)
    assert graph.forward(images(2)).dtype == torch.float32


class Wild(nn.Module):
    """Does one thing that has no bounds."""

    def __init__(self, step):
        super().__init__()
        self.step, self.last = step, nn.Linear(64, 3)

    def forward(self, x):
        return self.last(self.step(x.flatten(1)))


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (torch.sin, "'sin'"),
        (lambda x: x * x, "'mul'"),
        (lambda x: torch.cumsum(x, 1), "'cumsum'"),
        (lambda x: x + x.mean(0), "'mean'"),
        (lambda x: x - x.flip(0), "'flip'"),
        (lambda x: nn.functional.leaky_relu(x, 1.5), "slope 1.5"),
        (lambda x: nn.functional.leaky_relu(x, -0.5), "slope -0.5"),
        (lambda x: torch.relu(x) if x.sum() > 0 else x, "cannot be read"),
        (lambda x: nn.functional.dropout(x, 0.5, training=True), "training mode"),
        (lambda x: x.softmax(1), "softmax"),
        (lambda x: nn.functional.batch_norm(x, None, None, training=True), "statistics of the batch"),
        (lambda x: x.double().float(), "float64"),
    ],
)
def test_what_has_no_bounds_is_named(step, named):
    with pytest.raises(Skipped, match=named):
        graph_of(Wild(step).eval())


def test_scores_that_do_not_depend_on_the_input_are_refused():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 3)

    with pytest.raises(Skipped, match="does not depend"):
        graph_of(Constant())


def test_reading_leaves_the_module_alone():
    module = net("residual").train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    graph = graph_of(module)
    assert module.training
    assert torch.allclose(graph.forward(images(3)), module.eval()(images(3)), atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_value_written_over_is_read_as_written():
    class Inplace(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(64, 6), nn.Linear(6, 3)

        def forward(self, x):
            h = self.first(x.flatten(1))
            y = nn.functional.relu(h, inplace=True)
            return self.last(h + y)

    module, x = Inplace().requires_grad_(requires_grad=False), images(4)
    graph = graph_of(module)
    assert torch.allclose(graph.forward(x), module(x), atol=1e-6)
    assert sum(isinstance(node.operation, Rectifier) for node in graph.nodes) == 1


def test_a_model_that_does_something_else_is_refused():
    module, x = net("mlp"), images(4)
    check_faithful(graph_of(module), module(x), x)
    with pytest.raises(Skipped, match="differ by"):
        check_faithful(graph_of(module), module(x) + torch.tensor([0.0, 0.1, 0.0, 0.0]), x)
