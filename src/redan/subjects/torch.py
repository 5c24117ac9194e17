"""Torch modules in memory, from a factory, a state dict, TorchScript, torch.export or Keras on the torch backend."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from redan.core.errors import RedanError, SubjectFailed, UsageError
from redan.core.subject import Binding, Component, SubjectRef
from redan.subjects.columns import refuse_broken
from redan.subjects.failures import answering
from redan.subjects.network import Network, evaluating, kind_of
from redan.subjects.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from redan.core.subject import Capability
    from redan.subjects.options import Kind


class TorchSubject:
    """A torch module, asked in evaluation mode and left exactly as it was.

    Neither train/eval flags, ``requires_grad``, ``.grad``, weights nor buffers differ after any call. The digest is
    taken when the subject is made: whoever trains the module further makes a new subject.

    Args:
        module: the module; held, not copied.
        options: what its owner knows about it.
        components: parts beside the weights, such as the source of the factory.
        weights: the part that holds the weights, where they come from a file; else they are digested here.
        binding: how the module was reached.
        lineage: digests of the subjects it was made from.
        sample: a few inputs to learn from what the outputs are; without it the first batch tells.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        options: Options | None = None,
        components: tuple[Component, ...] = (),
        weights: Component | None = None,
        binding: Binding | None = None,
        lineage: tuple[str, ...] = (),
        sample: NDArray[Any] | None = None,
    ) -> None:
        self._options = options or Options()
        self._net = module if isinstance(module, Network) else Network(module, options=self._options)
        self._known = isinstance(module, Network)
        name = self._options.name or type(self._net.inner).__name__
        parts = (weights or weights_component(self._net.inner, name), *components, *_preprocessing(self._options))
        self._ref = SubjectRef(name=name, kind="torch", components=parts, binding=binding or Binding(), lineage=lineage)
        if self._options.score_kind != "auto":
            self._net.kind, self._known = self._options.score_kind, True
        elif sample is not None:
            self._learn(self._tensor(sample))

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is."""
        return self._ref

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Labels, scores and gradients; weights and training where there are parameters, gradients of float inputs."""
        offers: set[Capability] = {"labels", "scores"}
        if not self._net.keeps_integers:
            offers.add("gradients")
        if next(self._net.inner.parameters(), None) is not None:
            offers.add("weights")
            # an exported or scripted graph holds what tracing left of it; training needs the module it came from
            if not isinstance(self._net.inner, (torch.jit.ScriptModule, torch.fx.GraphModule)):
                offers.add("trainable")
        return frozenset(offers)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the outputs, empty when unknown."""
        return self._options.classes

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest legal input value."""
        return self._options.bounds

    @property
    def module(self) -> nn.Module:
        """The network from the owner's scale to logits (n, classes), normalisation inside, in the mode it is in."""
        return self._net

    @property
    def score_kind(self) -> Kind:
        """What the scores are.

        Raises:
            UsageError: the model was not asked yet and the shape of an input is not known.
        """
        if not self._known:
            if not self._options.input_shape:
                raise UsageError(
                    f"what the outputs of {self._ref.name!r} are is known only after it was asked once",
                    hint="give score_kind=, input_shape= or a sample of the data",
                )
            self._learn(torch.zeros((2, *self._options.input_shape), dtype=self._dtype))
        return self._net.kind

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n, …) inputs as (n,) int64."""
        return np.concatenate([np.zeros(0, np.int64), *(rows.argmax(axis=1) for rows in self._batches(x))])

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores of (n, …) inputs as (n, classes) floating point, logits or probabilities by ``score_kind``."""
        rows = list(self._batches(x))
        return np.concatenate(rows) if rows else np.zeros((0, len(self.classes)), np.float32)

    def logits(self, x: Tensor) -> Tensor:
        """Map (n, …) inputs on their own scale to (n, classes) logits, differentiable by the inputs only.

        Raises:
            ShapeMismatch: model and inputs do not fit.
            SubjectFailed: the model raised.
        """
        x = x.to(device=self._device, dtype=self._dtype if x.is_floating_point() else x.dtype)
        if not self._known:
            self._learn(x.detach())
        with answering(self._ref.name, tuple(x.shape)), evaluating(self._net):
            logits: Tensor = self._net(x)
            return logits

    def rebuilt(self, module: nn.Module, *, note: str) -> TorchSubject:
        """Return a subject around other weights, with this one in its lineage.

        Args:
            module: a trained copy of ``module`` (the network with its preprocessing), or any module that takes
                inputs on the owner's scale.
            note: what was done, kept in the binding.
        """
        kept = [part for part in self._ref.components if part.role == "code"]
        options = self._options
        if not isinstance(module, Network):
            options = replace(options, mean=(), std=(), channels="first")
        return TorchSubject(
            module,
            options=replace(options, name=self._ref.name),
            components=tuple(kept),
            binding=Binding(kind="memory", detail=note),
            lineage=(*self._ref.lineage, self._ref.digest),
        )

    @property
    def _device(self) -> torch.device:
        first = next(self._net.inner.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    @property
    def _dtype(self) -> torch.dtype:
        floats = (p.dtype for p in self._net.inner.parameters() if p.is_floating_point())
        return next(floats, torch.float32)

    def _tensor(self, x: NDArray[Any]) -> Tensor:
        keep = self._net.keeps_integers and np.issubdtype(x.dtype, np.integer)
        with answering(self._ref.name, x.shape):
            return torch.tensor(x, dtype=torch.int64 if keep else self._dtype, device=self._device)

    def _batches(self, x: NDArray[Any]) -> Iterator[NDArray[Any]]:
        x = np.asarray(x)
        for start in range(0, len(x), self._options.batch):
            batch = self._tensor(x[start : start + self._options.batch])
            if not self._known:
                self._learn(batch)
            with answering(self._ref.name, tuple(batch.shape)), evaluating(self._net), torch.no_grad():
                rows = self._net.outputs(batch)
            yield refuse_broken(rows.detach().cpu().numpy(), self._ref.name)

    def _learn(self, x: Tensor) -> None:
        """Ask once, with the graph recorded, to learn whether the answers are logits or probabilities."""
        leaf = x.detach().clone()
        if leaf.is_floating_point():
            leaf.requires_grad_(True)
        with answering(self._ref.name, tuple(x.shape)), evaluating(self._net, freeze=False), torch.enable_grad():
            self._net.kind = kind_of(self._net.raw(leaf))
        self._known = True


def weights_component(module: nn.Module, name: str) -> Component:
    """Digest a module's state: names, types, shapes and bytes of its tensors, independent of how they were stored.

    Raises:
        SubjectFailed: the module cannot give its state.
    """
    digest = sha256()
    size = 0
    try:
        state = module.state_dict()
        for key in sorted(state):
            value = state[key]
            if not isinstance(value, Tensor):
                digest.update(f"{key}:{type(value).__name__}\n".encode())
                continue
            plain = value.detach().cpu().to_dense() if value.is_sparse else value.detach().cpu()
            data = plain.contiguous().reshape(-1).view(torch.uint8).numpy()
            digest.update(f"{key}:{value.dtype}:{tuple(value.shape)}\n".encode())
            digest.update(data.data)
            size += data.nbytes
    except RedanError:
        raise
    except Exception as err:
        raise SubjectFailed(f"the weights of {name!r} cannot be read: {type(err).__name__}: {err}") from err
    return Component(role="weights", uri=name, sha256=digest.hexdigest(), size_bytes=size)


def _preprocessing(options: Options) -> tuple[Component, ...]:
    """Normalisation and layout change the answers, so they are part of what was measured."""
    if not options.mean and options.channels == "first":
        return ()
    text = f"mean={options.mean!r} std={options.std!r} channels={options.channels}"
    return (Component(role="preprocessing", uri=text, sha256=sha256(text.encode()).hexdigest(), size_bytes=len(text)),)
