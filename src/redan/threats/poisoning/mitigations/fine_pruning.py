"""Fine-pruning: channels that clean rows leave idle are taken out, then the network learns on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent, UsageError
from redan.core.probe import Spec
from redan.subjects.teaching import course_of, lessons_of, pupil, taught, told_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.kernels.training.course import Batch
    from redan.subjects.teaching import Pupil, Teachable

_EXAMPLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FinePruningParams(core_params.Params):
    """Parameters of fine-pruning.

    Attributes:
        most_loss: of accuracy on the clean rows by pruning, as a share; fine-tuning wins some of it back.
        epochs: passes over the clean rows.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
    """

    most_loss: float = 0.04
    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 3e-3


@mitigation(
    Spec(
        id="RDN-POI-102",
        name="fine-pruning",
        threat="poisoning",
        title="Fine-pruning on a few clean rows",
        source="Liu, Dolan-Gavitt & Garg 2018, RAID, section 3",
        needs=("gradients", "trainable"),
        data=("reference",),
        cost="seconds",
        references=("arxiv:1805.12185", "atlas:AML.M0003"),
        default=False,
    )
)
class FinePruning:
    """Takes out channels that clean rows hardly use, and trains the rest on clean rows.

    What it does:
        The output channels of the last convolution (of the last hidden layer, where there is none) are pruned from the
        least used on, until accuracy on the clean rows falls by more than is allowed; then all other weights are
        trained on the clean rows.

    Why it helps:
        A backdoor may live in channels that clean rows leave idle, and training on clean rows moves the others.

    Shapes:
        reference: (n, …) floating point, (n,) classes; clean rows.

    Units:
        ``most_loss`` is a share of the clean rows.

    Cost:
        A forward pass for each sixteenth of the channels, and the epochs.

    Sources:
        Liu, Dolan-Gavitt & Garg 2018, "Fine-pruning: defending against backdooring attacks on deep neural networks".

    Limits:
        Where backdoor and clean rows share channels, as in small networks, much of the backdoor stays: measured, from a
        tenth to nine tenths of its success. Trigger unlearning takes the same rows and does far more.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = FinePruningParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: FinePruningParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the pruned network; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
            ShapeMismatch: model and rows do not fit together, or there is no hidden layer.
            UsageError: a parameter is out of range.
        """
        from torch.nn.functional import cross_entropy

        from redan.kernels.unlearning.pruning import keep_pruned

        if not 0 <= params.most_loss <= 1:
            raise UsageError(f"most_loss={params.most_loss:g}; expected a share of 1")
        if reason := budget.stop():
            raise BudgetSpent(f"nothing was pruned: {reason}", hint="give a larger budget")
        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        with lessons_of(subject, self.spec, seed):
            learner = pupil(subject, inputs.role("reference"))
            learner.net.requires_grad_(requires_grad=True)
            layer, gone, n_channels = _pruned(learner, params.most_loss, budget)

            def lesson(batch: Batch) -> Tensor:
                return cross_entropy(learner.net(batch.inputs), batch.labels)

            end = keep_pruned(layer, gone)
            try:
                trained = taught(self.spec, learner, lesson, course, budget=budget, seed=seed, observe=observe)
            finally:
                end()
        note = f"{len(gone)} of {n_channels} channels pruned, {told_of(trained, course, 'given', seed)}"
        return subject.rebuilt(learner.net, note=note)


def _pruned(learner: Pupil, most_loss: float, budget: Budget) -> tuple[nn.Module, Tensor, int]:
    """Prune in place; return the layer, the channels that went, and how many there were."""
    import torch

    from redan.kernels.unlearning.pruning import channels, last_hidden, most_prunable

    net = learner.net.eval()
    layer = last_hidden(net, learner.inputs[:_EXAMPLES])
    found = channels(net, layer, learner.inputs)

    def accuracy() -> float:
        with torch.no_grad():
            parts = [net(part).argmax(dim=1) for part in learner.inputs.split(500)]
        return float((torch.cat(parts) == learner.labels).float().mean())

    gone = most_prunable(net, found, accuracy, most_loss, budget.stop)
    return layer, gone, len(found.activation)
