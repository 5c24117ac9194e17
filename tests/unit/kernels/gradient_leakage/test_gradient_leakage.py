"""What a shared gradient gives away, on networks small enough to know the answer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from redan.kernels.gradient_leakage.attack import Receiver, reconstruct
from redan.kernels.gradient_leakage.closed_form import door_of, rows_of, seen_by
from redan.kernels.gradient_leakage.features import unfolded
from redan.kernels.gradient_leakage.fidelity import MOST_DB, best_db, psnr_db
from redan.kernels.gradient_leakage.labels import agreeing, classes_of, last_bias
from redan.kernels.gradient_leakage.matching import Matching, distance, match, roughness
from redan.kernels.gradient_leakage.updates import clipped_noisy, largest, signs, update_of

LOW, HIGH = torch.tensor(0.0), torch.tensor(1.0)


class Scaled(nn.Module):
    """Normalises before the first layer, as models do."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - 0.3) / 0.5


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(net: nn.Module, seed: int = 0) -> nn.Module:
    generator = draws(seed)
    for weight in net.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) / weight[0].numel() ** 0.5
    return net.eval()


def perceptron() -> nn.Module:
    return drawn(nn.Sequential(Scaled(), nn.Flatten(), nn.Linear(36, 40), nn.ReLU(), nn.Linear(40, 4)))


def convolutional() -> nn.Module:
    layers = (nn.Conv2d(1, 12, 3, stride=2, padding=1), nn.LeakyReLU(), nn.Flatten(), nn.Linear(108, 20), nn.ReLU())
    return drawn(nn.Sequential(*layers, nn.Linear(20, 4)))


def batch(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand((n, 1, 6, 6), generator=draws(n)), torch.arange(n) % 4


def go_on() -> str | None:
    return None


def test_one_row_is_read_off_exactly_through_a_normalisation() -> None:
    net, (x, y) = perceptron(), batch(1)
    door = door_of(net, (1, 6, 6))
    assert door is not None
    found = rows_of(seen_by(update_of(net, x, y), door, most=0), door, (1, 6, 6))
    assert torch.allclose(found, x, atol=1e-4)


def test_a_row_that_alone_excites_neurons_is_read_off_from_a_batch() -> None:
    net, (x, y) = perceptron(), batch(3)
    door = door_of(net, (1, 6, 6))
    assert door is not None
    with torch.no_grad():
        # the first neurons fire for one row each, as a trained layer's rare ones do
        for neuron in range(3):
            flat = ((x - 0.3) / 0.5).flatten(1)
            centred = flat[neuron] - flat.mean(dim=0)
            net[2].weight[neuron] = centred
            scores = flat @ centred
            others = max(float(scores[row]) for row in range(3) if row != neuron)
            net[2].bias[neuron] = -(float(scores[neuron]) + others) / 2
    found = rows_of(seen_by(update_of(net, x, y), door, most=36), door, (1, 6, 6))
    assert best_db(found, x, HIGH)[0].min() > 60


def test_a_network_that_begins_with_a_convolution_hides_nothing_of_what_its_linear_layer_sees() -> None:
    net, (x, y) = convolutional(), batch(1)
    door = door_of(net, (1, 6, 6))
    assert door is not None
    assert door.shift is None
    with pytest.raises(ValueError, match="other layers"):
        rows_of(torch.zeros(1, 108), door, (1, 6, 6))
    seen = seen_by(update_of(net, x, y), door, most=0)
    assert torch.allclose(seen[0], net[:3](x)[0], atol=1e-5)
    found = unfolded(net, door, seen, (1, 6, 6), (LOW, HIGH), 150, go_on)
    assert best_db(found, x, HIGH)[0] > 15


def test_a_network_without_a_linear_layer_that_sees_rows_has_no_door() -> None:
    assert door_of(nn.Sequential(nn.Conv2d(1, 4, 6), nn.Flatten()), (1, 6, 6)) is None
    assert door_of(nn.Sequential(nn.Linear(6, 4), nn.Flatten(), nn.Linear(24, 4)), (1, 6, 6)) is None


def test_matching_gradients_finds_a_row_and_gets_nearer_with_steps() -> None:
    net, (x, y) = convolutional(), batch(1)
    shared, start = update_of(net, x, y), torch.rand(x.shape, generator=draws(9))
    found = [
        match(net, shared, y, start, (LOW, HIGH), Matching(steps=n, total_variation=0.0), go_on) for n in (1, 30, 120)
    ]
    assert found[0].distance > found[1].distance > found[2].distance
    assert found[2].distance < 0.05
    before, after = (float(best_db(each.x, x, HIGH)[0]) for each in (found[0], found[2]))
    assert after > before + 3


def test_a_search_that_is_told_to_stop_does() -> None:
    net, (x, y) = convolutional(), batch(1)
    found = match(net, update_of(net, x, y), y, torch.zeros_like(x), (LOW, HIGH), Matching(), lambda: "enough")
    assert found.reason == "enough"
    assert torch.equal(found.x, torch.zeros_like(x))


@pytest.mark.parametrize("y", [[2], [0, 1], [3, 3], [0, 1, 2, 3, 0, 1, 2, 3]])
def test_classes_are_read_off_the_last_bias(y: list[int]) -> None:
    net, true = perceptron(), torch.tensor(y)
    x = torch.rand((len(y), 1, 6, 6), generator=draws(1))
    bias = last_bias(update_of(net, x, true), 4)
    assert bias is not None
    expected = net(torch.rand((64, 1, 6, 6), generator=draws(2))).softmax(dim=1).mean(dim=0).detach()
    found = classes_of(bias, len(y), None if len(y) == 1 else expected)
    assert agreeing(found, true) >= len(y) - (len(y) > 2)
    assert last_bias(update_of(net, x, true), 5) is None


def test_agreement_counts_classes_whatever_their_order() -> None:
    assert agreeing(torch.tensor([0, 1, 1]), torch.tensor([1, 0, 2])) == 2


def test_defences_do_what_they_say() -> None:
    net, (x, y) = perceptron(), batch(1)
    update = update_of(net, x, y)
    clipped = clipped_noisy(update, norm=0.1, noise_multiplier=0.0, generator=draws())
    assert float(torch.cat([g.flatten() for g in clipped]).norm()) == pytest.approx(0.1, rel=1e-5)
    noisy = clipped_noisy(update, norm=1e-9, noise_multiplier=2e9, generator=draws())
    assert float(torch.cat([g.flatten() for g in noisy]).std()) == pytest.approx(2.0, rel=0.1)
    assert all(set(g.unique().tolist()) <= {-1.0, 0.0, 1.0} for g in signs(update))
    kept = sum(int((g != 0).sum()) for g in largest(update, share=0.01))
    assert kept == round(0.01 * sum(g.numel() for g in update))


def test_distance_of_updates_is_a_cosine_over_what_was_sent() -> None:
    one = (torch.tensor([1.0, 2.0, 5.0]),)
    assert float(distance(one, (torch.tensor([2.0, 4.0, 0.0]),))) == pytest.approx(0, abs=1e-6)
    assert float(distance(one, (torch.tensor([-1.0, -2.0, -5.0]),))) == pytest.approx(2)


def test_psnr_is_that_of_the_textbook() -> None:
    true = torch.zeros(1, 4)
    assert float(psnr_db(torch.full((1, 4), 0.1), true, HIGH)) == pytest.approx(20)
    assert float(psnr_db(true, true, HIGH)) == MOST_DB
    assert float(psnr_db(torch.full((1, 4), 1.0), true, torch.tensor(10.0))) == pytest.approx(20)


def test_roughness_is_of_images_only() -> None:
    assert float(roughness(torch.rand(2, 5))) == 0
    assert float(roughness(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))) == 1.0


def test_the_receiver_of_one_row_keeps_what_fits_the_update_best() -> None:
    net, (x, y) = perceptron(), batch(1)
    receiver = Receiver(
        net=net,
        door=door_of(net, (1, 6, 6)),
        shape=(1, 6, 6),
        low=LOW,
        high=HIGH,
        n_classes=4,
        unfold_steps=10,
        matching=Matching(steps=5),
    )
    start = torch.rand(x.shape, generator=draws(3))
    found = reconstruct(receiver, update_of(net, x, y), y, start, go_on)
    assert found.by == "closed form"
    assert found.classes is not None
    assert found.classes.tolist() == y.tolist()
    assert float(best_db(found.rows, x, HIGH)[0]) > 60
    noisy = clipped_noisy(update_of(net, x, y), norm=1.0, noise_multiplier=1.0, generator=draws(4))
    assert float(best_db(reconstruct(receiver, noisy, y, start, go_on).rows, x, HIGH)[0]) < 20
