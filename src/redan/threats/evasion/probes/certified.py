"""Certified accuracy: inputs that provably no perturbation within ε moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, Skipped
from redan.core.probe import Spec
from redan.threats.evasion.measured import REACH
from redan.threats.evasion.proven import Proven, finding
from redan.threats.evasion.sampling import chosen, numbered
from redan.threats.evasion.setting import setting, told

if TYPE_CHECKING:
    from torch import Tensor

    from redan.core.budget import Budget
    from redan.core.finding import Finding
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Gradients, Subject, Trainable
    from redan.kernels.certify.certify import Certified as Verdict
    from redan.kernels.certify.graph import Graph
    from redan.threats.evasion.measured import Setting

    class Open(Subject, Gradients, Trainable):
        """A subject whose network can be read."""


ROWS = {"quick": 30, "standard": 60, "deep": 1000}
"""Plan → most inputs."""
HALVINGS = {"quick": 2, "standard": 3, "deep": 5}
"""Plan → halvings of the interval in which a certified radius lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedParams(core_params.Params):
    """Parameters of certification.

    Attributes:
        norm: norm of the perturbation.
        eps: radius on the inputs' own scale; the usual one for the norm when absent.
        plan: how much to spend: quick, standard or deep.
        max_units: numbers that may lie between the layers of the network, so that nobody waits for hours.
    """

    norm: Literal["linf", "l2", "l1"] = "linf"
    eps: float | None = None
    plan: Literal["quick", "standard", "deep"] = "standard"
    max_units: int = 20_000


@probe(
    Spec(
        id="RDN-EVA-040",
        name="certified",
        threat="evasion",
        title="Certified accuracy by linear bounds and branch and bound",
        source="Zhang et al. 2018 (CROWN), theorem 3.2; Xu et al. 2021 (alpha-CROWN); Wang et al. 2021 (beta-CROWN)",
        needs=("gradients", "trainable"),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0043.000", "arxiv:1811.00866", "arxiv:2011.13824", "arxiv:2103.06624"),
    )
)
class Certified:
    """Measures for how many inputs no point within ε is misclassified, with a proof for each.

    What it measures:
        Certified accuracy: the share of all inputs for which lower bounds of every margin are above zero on the whole
        ball cut with the box. A misclassified clean input counts as not certified. Also the certified share against ε.

    Why it matters:
        An attack gives an upper bound of the robust accuracy, this a lower one; the truth lies between the two,
        whatever attack is invented later.

    How:
        A quick attack sorts out inputs that fall. The network is read as a graph; linear bounds are carried back
        through it (CROWN); where they leave a margin open, the slopes of the bounds are optimised, and then the signs
        of uncertain rectifiers are split until every part is proven or the effort ends.

    Shapes:
        x: (n, …) floating point inside the bounds. y: (n,) class indices. Feed-forward networks with linear,
        convolutional, normalising, pooling and common activation layers.

    Units:
        Distances on the inputs' own scale, Linf, L2 or L1; accuracies as fractions of n.

    Error of the estimate:
        Wilson 95 % interval for the sample of inputs. Bounds are computed in float32 and widened by 1e-5 of each
        layer's largest bound, about ten times the rounding measured against float64.

    Cost:
        For a net of five thousand units about 0.03 CPU seconds an input with linear bounds, and a second for each input
        that needs splits; at most 60 inputs with the standard plan.

    Sources:
        Zhang et al. 2018, "Efficient neural network robustness certification with general activation functions"; Xu et
        al. 2021, "Fast and complete"; Wang et al. 2021, "Beta-CROWN"; Bunel et al. 2020 (branch and bound).

    Limits:
        Not certified does not mean broken. Unsupported layers and large networks are skipped, with the layer's name.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = CertifiedParams

    def run(
        self,
        subject: Open,
        inputs: Inputs,
        params: CertifiedParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Certify the first test inputs and yield one finding.

        Raises:
            BudgetSpent: before the first input.
            Skipped: the network cannot be bounded here.
        """
        import torch

        data = chosen(inputs.role("test"), ROWS[params.plan])
        where = setting(subject, data, params.norm, params.eps)
        x, y = torch.as_tensor(np.asarray(data.x, np.float32)), torch.as_tensor(np.asarray(data.y, np.int64))
        graph = _graph(subject, x, params, budget)
        numbered(data, graph.n_classes)
        fell = _fallen(subject, x, y, where, budget, seed, self.spec.id, data)
        if reason := budget.stop():
            raise BudgetSpent(f"no input was certified: {reason}", hint="give a larger budget")
        observe.started(self.spec.name, len(data))
        proven = _prove(graph, x, y, fell, where, params, budget, observe)
        observe.finished(self.spec.name, f"{proven.certified.mean():.1%} certified")
        how = "This is a proof for the network as it is, whatever the attack."
        yield finding(self.spec, subject.ref.name, told(params, where), proven, where, data, how=how)


def _graph(subject: Open, x: Tensor, params: CertifiedParams, budget: Budget) -> Graph:
    """Read the network and check that the graph answers as it does."""
    import torch

    from redan.kernels.certify.certify import check_faithful
    from redan.kernels.certify.reading import read

    with torch.no_grad():
        logits = subject.logits(x)
    budget.charge(queries=len(x))
    graph = read(subject.module, tuple(x.shape[1:]), dtype=torch.float32)
    units = sum(int(np.prod(node.shape)) for node in graph.nodes[1:])
    if units > params.max_units:
        msg = f"the network has {units} numbers between its layers; bounds are made for up to {params.max_units}"
        raise Skipped(msg, hint=f"--param certified.max_units={units} tries it all the same, or probe smoothing")
    check_faithful(graph, logits.float().cpu(), x)
    return graph


def _fallen(
    subject: Open, x: Tensor, y: Tensor, where: Setting, budget: Budget, seed: int, key: str, data: Dataset
) -> Tensor:
    """Which inputs a quick attack moves, so that nothing is spent on proving the impossible."""
    from redan.kernels.attacks.ball import Ball, Box
    from redan.kernels.attacks.cascade import evade
    from redan.kernels.attacks.plans import plan_for
    from redan.kernels.draws import sample_keys

    def model(points: Tensor) -> Tensor:
        budget.charge(queries=len(points))
        return subject.logits(points)

    low, high = where.bounds
    found = evade(
        model,
        x,
        y,
        ball=Ball(norm=where.norm, eps=where.eps, box=Box(low=low, high=high)),
        keys=sample_keys(seed, key, data.indices),
        plan=plan_for("quick", where.norm),
        stop=budget.stop,
    )
    fell: Tensor = found.success & (found.distance <= where.eps)
    return fell


def _prove(
    graph: Graph,
    x: Tensor,
    y: Tensor,
    fell: Tensor,
    where: Setting,
    params: CertifiedParams,
    budget: Budget,
    observe: Observer,
) -> Proven:
    import torch

    from redan.kernels.certify.certify import EFFORTS, UNSEEN, certify, radii

    norm: Any = where.norm
    found = certify(
        graph,
        x,
        y,
        eps=where.eps,
        norm=norm,
        bounds=where.bounds,
        effort=EFFORTS[params.plan],
        fell=fell,
        stop=budget.stop,
        progress=lambda stage, done, total: observe.advanced("certified", done, total, stage),
    )
    sure, seen = found.certified, found.stage != UNSEEN
    with torch.no_grad():
        right = graph.forward(x).argmax(dim=1) == y
    low = sure.to(x.dtype) * where.eps
    # a radius is looked for from ε to a little beyond the end of the curve, or below ε; a misclassified input has none
    high = (right & seen).to(x.dtype) * torch.where(sure, where.eps * REACH * 1.1, where.eps)
    radius = radii(
        graph,
        x,
        y,
        low=low,
        high=high,
        norm=norm,
        bounds=where.bounds,
        halvings=HALVINGS[params.plan],
        stop=budget.stop,
    )
    return Proven(
        right=right.numpy(),
        certified=sure.numpy(),
        fell=(fell & right).numpy(),
        radius=radius.double().numpy(),
        stages=_stages(found),
        partial=found.reason or budget.stop() or "",
    )


def _stages(found: Verdict) -> tuple[tuple[str, int], ...]:
    from redan.kernels.certify.certify import FELL, OPEN, STAGES, UNSEEN, WRONG

    rest = (("fell to an attack", FELL), ("undecided", OPEN), ("wrong already", WRONG), ("not reached", UNSEEN))
    named = (*((name, place) for place, name in enumerate(STAGES)), *rest)
    return tuple((name, found.count(place)) for name, place in named)
