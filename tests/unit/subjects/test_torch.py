"""A torch module is measured and left exactly as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from redan.core.errors import ShapeMismatch, SubjectFailed, UsageError
from redan.subjects.network import Network
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject, weights_component


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def net(n_in: int = 4, n_out: int = 3) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, n_in, n_out)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, generator=generator())
    return layer


def rows(n: int = 7, width: int = 4) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, width)).astype(np.float32)


class Noisy(nn.Module):
    """Everything that a careless evaluation would disturb: dropout, batch norm, a counter, a replaced buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(net(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), net(4, 3))
        self.register_buffer("written", torch.zeros(()))
        self.register_buffer("replaced", torch.zeros(()))

    def forward(self, x):
        self.written += 1
        self.replaced = self.replaced + 1
        return self.body(x)


def test_scores_are_the_modules_own_outputs():
    module, x = net(), rows()
    subject = TorchSubject(module)
    np.testing.assert_array_equal(subject.scores(x), module(torch.from_numpy(x)).detach().numpy())
    np.testing.assert_array_equal(subject.labels(x), subject.scores(x).argmax(axis=1))
    assert subject.labels(x).dtype == np.int64


@pytest.mark.parametrize("ask", ["labels", "scores", "logits", "backward"])
def test_nothing_is_left_behind(ask):
    module = Noisy().train()
    module.body[1].eval()
    module.body[0].weight.requires_grad_(False)
    module.body[3].weight.grad = torch.ones_like(module.body[3].weight)
    before = copy.deepcopy(module)
    gradient, buffer = module.body[3].weight.grad, module.replaced
    subject = TorchSubject(module)
    if ask in {"labels", "scores"}:
        getattr(subject, ask)(rows())
    else:
        x = torch.from_numpy(rows()).requires_grad_()
        answer = subject.logits(x)
        if ask == "backward":
            answer.sum().backward()
            assert x.grad is not None
    assert [part.training for part in module.modules()] == [part.training for part in before.modules()]
    for ours, theirs in zip(module.parameters(), before.parameters(), strict=True):
        assert ours.requires_grad == theirs.requires_grad
        assert torch.equal(ours, theirs)
    assert module.body[3].weight.grad is gradient
    assert torch.equal(gradient, torch.ones_like(gradient))
    assert module.body[0].bias.grad is None
    assert module.replaced is buffer
    for name, held in module.named_buffers():
        assert torch.equal(held, before.get_buffer(name)), name


def test_everything_is_restored_when_the_module_raises():
    class Broken(Noisy):
        def forward(self, x):
            super().forward(x)
            raise RuntimeError("no more")

    module = Broken().train()
    with pytest.raises(SubjectFailed, match="no more"):
        TorchSubject(module).scores(rows())
    assert all(part.training for part in module.modules())
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert float(module.written) == 0


def test_dropout_is_off_and_batch_statistics_are_not_used():
    subject = TorchSubject(Noisy().train())
    x = rows()
    np.testing.assert_array_equal(subject.scores(x), subject.scores(x))
    np.testing.assert_allclose(subject.scores(x)[:1], subject.scores(x[:1]), rtol=1e-5)


@pytest.mark.parametrize("shape", ["(n,)", "(n, 1)"])
def test_one_logit_becomes_two_columns(shape):
    layer = net(4, 1)
    module = nn.Sequential(layer, nn.Flatten(0)) if shape == "(n,)" else layer
    x = rows()
    scores = TorchSubject(module).scores(x)
    logit = layer(torch.from_numpy(x)).detach().numpy()[:, 0]
    assert scores.shape == (7, 2)
    np.testing.assert_allclose(scores[:, 1] - scores[:, 0], logit, rtol=1e-6)
    np.testing.assert_array_equal(TorchSubject(module).labels(x), (logit > 0).astype(int))


@pytest.mark.parametrize("tail", [nn.Sigmoid(), nn.Sequential(nn.Sigmoid(), nn.Flatten(0))])
def test_one_probability_is_told_from_one_logit(tail):
    module = nn.Sequential(net(4, 1), tail)
    subject = TorchSubject(module)
    x = rows()
    p = module(torch.from_numpy(x)).detach().numpy().reshape(-1)
    np.testing.assert_allclose(subject.scores(x), np.stack([1 - p, p], axis=1), rtol=1e-6)
    assert subject.score_kind == "probabilities"
    np.testing.assert_array_equal(subject.labels(x), (p > 0.5).astype(int))


def test_one_logit_that_happens_to_lie_between_zero_and_one_stays_a_logit():
    module = net(4, 1)
    with torch.no_grad():
        module.weight.zero_()
        module.bias.fill_(0.25)
    subject = TorchSubject(module)
    assert set(subject.labels(rows())) == {1}
    assert subject.score_kind == "logits"


def test_softmax_outputs_are_probabilities_and_logits_their_logarithm():
    module = nn.Sequential(net(), nn.Softmax(dim=1))
    subject = TorchSubject(module)
    x = torch.from_numpy(rows())
    assert subject.scores(rows()).sum(axis=1) == pytest.approx(1)
    assert subject.score_kind == "probabilities"
    torch.testing.assert_close(subject.logits(x), module(x).log())
    assert subject.labels(rows()).tolist() == module(x).argmax(1).tolist()


def test_plain_logits_are_logits():
    assert TorchSubject(net(), sample=rows()).score_kind == "logits"


def test_score_kind_needs_an_answer_a_shape_or_the_owners_word():
    with pytest.raises(UsageError, match="asked once"):
        _ = TorchSubject(net()).score_kind
    assert TorchSubject(net(), options=Options(input_shape=(4,))).score_kind == "logits"
    assert TorchSubject(net(), options=Options(score_kind="probabilities")).score_kind == "probabilities"


def test_gradients_flow_to_the_input_on_the_owners_scale():
    options = Options(mean=(0.5, 0.0), std=(0.25, 1.0))
    module = nn.Sequential(nn.Flatten(), net(8, 3))
    subject = TorchSubject(module, options=options)
    x = torch.rand(5, 2, 2, 2, generator=generator(), requires_grad=True)
    answer = subject.logits(x)
    plain = (x - torch.tensor([0.5, 0.0]).view(1, 2, 1, 1)) / torch.tensor([0.25, 1.0]).view(1, 2, 1, 1)
    torch.testing.assert_close(answer, module(plain))
    (gradient,) = torch.autograd.grad(answer[:, 0].sum(), x)
    (expected,) = torch.autograd.grad(module(plain)[:, 0].sum(), x)
    torch.testing.assert_close(gradient, expected)


def test_one_mean_for_all_channels_and_tables():
    subject = TorchSubject(net(), options=Options(mean=(1.0,), std=(2.0,)))
    np.testing.assert_allclose(subject.scores(rows()), TorchSubject(net()).scores((rows() - 1) / 2), rtol=1e-5)


def test_channels_last_models_get_their_layout():
    class Last(nn.Module):
        def forward(self, x):
            assert x.shape[1:] == (5, 6, 2)
            return x.mean(dim=(1, 2))

    x = np.random.default_rng(0).random((3, 2, 5, 6), dtype=np.float32)
    np.testing.assert_allclose(
        TorchSubject(Last(), options=Options(channels="last")).scores(x), x.mean(axis=(2, 3)), rtol=1e-5
    )


@pytest.mark.parametrize("form", ["mapping", "attribute", "tuple"])
def test_outputs_of_libraries_are_unwrapped(form):
    class Answer:
        def __init__(self, logits):
            self.logits = logits

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net()

        def forward(self, x):
            logits = self.inner(x)
            return {"mapping": {"logits": logits}, "attribute": Answer(logits), "tuple": (logits, None)}[form]

    module = Wrapped()
    np.testing.assert_array_equal(TorchSubject(module).scores(rows()), TorchSubject(module.inner).scores(rows()))


def test_capabilities():
    assert TorchSubject(net()).capabilities == {"labels", "scores", "gradients", "weights", "trainable"}
    assert TorchSubject(nn.Flatten()).capabilities == {"labels", "scores", "gradients"}
    tokens = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(8, 2))
    assert "gradients" not in TorchSubject(tokens).capabilities
    assert TorchSubject(tokens).labels(np.array([[1, 2], [3, 4]])).shape == (2,)


def test_integer_inputs_of_ordinary_networks_become_floating():
    np.testing.assert_allclose(
        TorchSubject(net()).scores(np.arange(8).reshape(2, 4)),
        TorchSubject(net()).scores(np.arange(8, dtype=np.float32).reshape(2, 4)),
    )


def test_double_networks_get_double_inputs():
    subject = TorchSubject(net().double())
    assert subject.scores(rows()).dtype == np.float64
    x = torch.from_numpy(rows()).requires_grad_()
    assert torch.autograd.grad(subject.logits(x).sum(), x)[0].dtype == torch.float32


def test_batches_do_not_change_the_answer():
    x = rows(23)
    whole = TorchSubject(net(), options=Options(batch=100)).scores(x)
    np.testing.assert_allclose(TorchSubject(net(), options=Options(batch=5)).scores(x), whole, rtol=1e-5)
    assert TorchSubject(net()).labels(x[:0]).shape == (0,)


def test_wrong_shapes_nan_and_nonsense_are_named():
    with pytest.raises(ShapeMismatch, match=r"does not accept inputs of shape \(7, 5\)"):
        TorchSubject(net()).labels(rows(width=5))
    with pytest.raises(ShapeMismatch, match="expected"):
        TorchSubject(nn.Identity()).labels(np.zeros((2, 3, 4), np.float32))
    broken = net()
    with torch.no_grad():
        broken.bias[1] = float("nan")
    with pytest.raises(SubjectFailed, match="NaN or infinity for 7 of 7"):
        TorchSubject(broken).labels(rows())


def test_the_digest_follows_weights_names_and_shapes_and_nothing_else():
    module = net()
    first = TorchSubject(module).ref
    assert TorchSubject(copy.deepcopy(module).train(mode=False)).ref.digest == first.digest
    with torch.no_grad():
        module.bias[0] += 1
    assert TorchSubject(module).ref.digest != first.digest
    wrapped = weights_component(nn.Sequential(net()), "x")
    assert wrapped.sha256 != weights_component(net(), "x").sha256
    assert TorchSubject(net(), options=Options(mean=(0.5,), std=(1.0,))).ref.digest != first.digest
    assert first.components[0].size_bytes == (12 + 3) * 4


def test_half_precision_and_sparse_weights_have_a_digest():
    module = net().to(torch.bfloat16)
    module.register_buffer("mask", torch.eye(3).to_sparse())
    module.register_buffer("none", torch.zeros(0))
    assert len(weights_component(module, "x").sha256) == 64


def test_rebuilt_has_lineage_and_keeps_name_and_preprocessing():
    subject = TorchSubject(net(), options=Options(name="mine", mean=(1.0,), std=(2.0,), classes=("a", "b", "c")))
    trained = copy.deepcopy(subject.module)
    with torch.no_grad():
        trained.inner.bias += 1
    safer = subject.rebuilt(trained, note="trained on noise")
    assert safer.ref.lineage == (subject.ref.digest,)
    assert safer.ref.name == "mine"
    assert safer.ref.binding.detail == "trained on noise"
    assert safer.classes == ("a", "b", "c")
    assert safer.ref.digest != subject.ref.digest
    np.testing.assert_allclose(safer.scores(rows()), subject.scores(rows()) + 1, rtol=1e-5)
    again = safer.rebuilt(copy.deepcopy(safer.module), note="again")
    assert again.ref.lineage == (subject.ref.digest, safer.ref.digest)


def test_rebuilt_around_a_bare_module_does_not_normalise_twice():
    subject = TorchSubject(net(), options=Options(mean=(1.0,), std=(2.0,)))
    np.testing.assert_array_equal(
        subject.rebuilt(net(), note="other").scores(rows()), TorchSubject(net()).scores(rows())
    )


def test_the_module_is_a_network_from_owner_scale_to_logits():
    subject = TorchSubject(nn.Sequential(net(4, 1), nn.Sigmoid()), options=Options(mean=(1.0,), std=(2.0,)))
    subject.labels(rows())
    x = torch.from_numpy(rows())
    assert isinstance(subject.module, Network)
    torch.testing.assert_close(subject.module(x), subject.logits(x))


@pytest.mark.parametrize(
    "options",
    [
        {"bounds": (1.0, 0.0)},
        {"mean": (0.5,)},
        {"mean": (0.5, 0.5), "std": (1.0,)},
        {"mean": (0.0,), "std": (0.0,)},
        {"batch": 0},
    ],
)
def test_options_that_contradict_themselves_are_refused(options):
    with pytest.raises(UsageError):
        Options(**options)
