"""No point of a region may leave its bounds, whatever the network, the norm and the way the bounds are computed."""

from __future__ import annotations

import pytest
import torch
from tests.unit.kernels.certify.nets import MAKERS, graph_of, images, net, sampled

from redan.kernels.attacks.watch import Watch
from redan.kernels.certify import crown as crowns
from redan.kernels.certify.alpha import optimised, plain
from redan.kernels.certify.branch import branched
from redan.kernels.certify.crown import crown, crown_margins, ibp, ibp_margins
from redan.kernels.certify.graph import evaluate
from redan.kernels.certify.region import Region

RADII = {"linf": 0.05, "l2": 0.5, "l1": 2.0}


def margins_of(logits, label):
    others = [j for j in range(logits.shape[1]) if j != label]
    return logits[:, [label]] - logits[:, others]


def activations(graph, x):
    values = []
    for node in graph.nodes:
        values.append(evaluate(node, [values[place] for place in node.parents]) if node.parents else x)
    return values


@pytest.mark.parametrize("norm", RADII)
@pytest.mark.parametrize("name", MAKERS)
def test_sampled_points_stay_within_every_bound(name, norm):
    module = net(name)
    graph, exact, x = graph_of(module), graph_of(module, dtype=torch.float64), images(3)
    labels = graph.forward(x).argmax(dim=1)
    region = Region.around(x, eps=RADII[norm], norm=norm, bounds=(0, 1))
    plainly = plain(graph, region, labels)
    better = optimised(graph, plainly, steps=4, watch=Watch())
    searched = branched(graph, better, domains_each=24, watch=Watch())
    intervals, backward = ibp(graph, region), crown(graph, region)
    for i in range(len(x)):
        points = sampled(x[i : i + 1], eps=RADII[norm], norm=norm, count=600, seed=i)
        values = activations(exact, points)
        for boxes in (intervals, backward, better.boxes):
            for place, (low, high) in boxes.items():
                assert (values[place] >= low[i].double()).all(), (place, graph.nodes[place].operation)
                assert (values[place] <= high[i].double()).all(), (place, graph.nodes[place].operation)
        least = margins_of(values[-1], int(labels[i])).amin(dim=0)
        for found in (ibp_margins(graph, region, labels)[i], plainly.margins[i], better.margins[i]):
            assert (found <= least).all()
        assert ((searched.margins[i] > 0) <= (least > 0)).all()


@pytest.mark.parametrize("name", MAKERS)
def test_more_effort_gives_no_worse_bound(name):
    graph, x = graph_of(net(name)), images(4, seed=2)
    labels = graph.forward(x).argmax(dim=1)
    region = Region.around(x, eps=0.05, norm="linf", bounds=(0, 1))
    first = plain(graph, region, labels)
    second = optimised(graph, first, steps=4, watch=Watch())
    third = branched(graph, second, domains_each=24, watch=Watch())
    assert (first.margins <= second.margins).all()
    assert (second.margins <= third.margins).all()
    assert (ibp_margins(graph, region, labels) <= second.margins + 1e-3).all()


def test_slopes_and_splits_do_tighten():
    graph, x = graph_of(net("mlp")), images(8, seed=3)
    labels = graph.forward(x).argmax(dim=1)
    first = plain(graph, Region.around(x, eps=0.05, norm="linf", bounds=(0, 1)), labels)
    second = optimised(graph, first, steps=10, watch=Watch())
    third = branched(graph, second, domains_each=200, watch=Watch())
    worst = [found.margins.amin(dim=1).double().mean() for found in (first, second, third)]
    assert worst[0] + 0.003 < worst[1] < worst[2]
    assert int(first.certified().sum()) < int(third.certified().sum())


def test_a_linear_model_is_bounded_exactly():
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)).requires_grad_(requires_grad=False)
    graph, x = graph_of(module, dtype=torch.float64), images(5, dtype=torch.float64) * 0.5 + 0.25
    labels = graph.forward(x).argmax(dim=1)
    weight = module[1].weight.double()
    for norm, dual, eps in (("linf", 1, 0.1), ("l2", 2, 0.2), ("l1", torch.inf, 0.25)):
        region = Region.around(x, eps=eps, norm=norm, bounds=(0, 1))
        bounds = crown_margins(graph, region, labels)
        for i, y in enumerate(labels.tolist()):
            others = [j for j in range(3) if j != y]
            clean = margins_of(graph.forward(x[i : i + 1]), y)[0]
            exact = clean - eps * (weight[y] - weight[others]).norm(p=dual, dim=1)
            assert torch.allclose(bounds[i], exact, atol=1e-9)


def test_windows_and_the_full_form_give_the_same_bounds(monkeypatch):
    graph, x = graph_of(net("windows")), images(4)
    region = Region.around(x, eps=0.05, norm="linf", bounds=(0, 1))
    assert any(crowns.window_of(graph, place) for place in range(len(graph.nodes)))
    cut = crown(graph, region)
    monkeypatch.setattr(crowns, "window_of", lambda *_: None)
    full = crown(graph, region)
    for place, (low, high) in full.items():
        # the full form leaves out units whose sign the intervals tell already
        matters = (low < 0) & (high > 0)
        assert torch.allclose(low[matters], cut[place][0][matters], atol=1e-4)
        assert torch.allclose(high[matters], cut[place][1][matters], atol=1e-4)


@pytest.mark.parametrize("name", MAKERS)
def test_rounding_moves_bounds_by_far_less_than_the_slack(name):
    module, x = net(name), images(6, seed=5)
    graphs = [graph_of(module, dtype=dtype) for dtype in (torch.float32, torch.float64)]
    labels = graphs[0].forward(x).argmax(dim=1)
    found = [
        plain(graph, Region.around(x.to(dtype), eps=0.05, norm="linf", bounds=(0, 1)), labels)
        for graph, dtype in zip(graphs, (torch.float32, torch.float64), strict=True)
    ]
    raw = [one.margins.double() + one.slack.unsqueeze(1) for one in found]
    assert ((raw[0] - raw[1]).abs() <= 0.3 * found[1].slack.unsqueeze(1)).all()


def test_a_batch_and_its_inputs_alone_have_the_same_bounds():
    graph, x = graph_of(net("residual")), images(5)
    labels = graph.forward(x).argmax(dim=1)
    together = crown_margins(graph, Region.around(x, eps=0.03, norm="linf", bounds=(0, 1)), labels)
    for i in range(5):
        region = Region.around(x[i : i + 1], eps=0.03, norm="linf", bounds=(0, 1))
        assert torch.allclose(crown_margins(graph, region, labels[i : i + 1])[0], together[i], atol=1e-4)


def test_little_memory_changes_no_bound(monkeypatch):
    for name in ("windows", "residual", "mlp"):
        graph, x = graph_of(net(name)), images(4)
        labels = graph.forward(x).argmax(dim=1)
        region = Region.around(x, eps=0.05, norm="linf", bounds=(0, 1))
        whole = crown_margins(graph, region, labels)
        with monkeypatch.context() as patch:
            patch.setattr(crowns, "CHUNK", 1)
            assert torch.allclose(crown_margins(graph, region, labels), whole, atol=1e-4)
