"""Jacobian-based data set augmentation: a copy from a handful of inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import UsageError
from redan.core.finding import Finding, Location, Quantity, Series
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.draws import sample_keys, uniform
from redan.kernels.statistics import wilson
from redan.subjects.failures import needing
from redan.threats.theft.asking import Victim, field_of
from redan.threats.theft.probes.knockoff import watch_of
from redan.threats.theft.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.threats.theft.asking import Asked, Field


@dataclass(frozen=True, slots=True, kw_only=True)
class JbdaParams(core_params.Params):
    """Parameters of the augmentation.

    Attributes:
        queries: most queries.
        start: inputs that the thief has.
        step: how far an input moves in one round, as a share of the range of values.
        clone_epochs: passes over the answers that train a copy.
    """

    queries: int = 1000
    start: int = 50
    step: float = 0.1
    clone_epochs: int = 20


@probe(
    Spec(
        id="RDN-THE-002",
        name="jbda",
        threat="theft",
        title="Fidelity of a copy grown from a handful of inputs",
        source="Papernot et al. 2017, AsiaCCS, algorithm 1",
        needs=("labels",),
        data=("test",),
        cost="seconds",
        references=("atlas:AML.T0024.002", "owasp:ML05", "arxiv:1602.02697"),
        default=False,
    )
)
class Jbda:
    """Copies the model from a few inputs, moving them along the copy's own gradients each round.

    What it measures:
        Fidelity: the share of rows, none of them asked about, on which the copy answers like the model.

    Why it matters:
        A thief needs no data of his own for it, and the copy is good near the boundary, where adversarial examples are
        looked for.

    How:
        The copy is trained on what was answered so far; each input is moved by the sign of the gradient of its class's
        probability; the model is asked about the moved ones, and so on, doubling each round.

    Shapes:
        x: (n, …) numbers with known bounds, else the range of the inputs.

    Units:
        Shares of rows; queries.

    Error of the estimate:
        Wilson 95 % interval for the rows judged.

    Cost:
        The queries, and one training of a small network a round.

    Sources:
        Papernot, McDaniel, Goodfellow, Jha, Celik & Swami 2017, "Practical black-box attacks against machine
        learning", algorithm 1.

    Limits:
        Knockoff with inputs of the model's kind gets more for the same queries; this needs fewer inputs and draws
        attention, since its queries are small changes of one another.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = JbdaParams

    def run(
        self,
        subject: Asked,
        inputs: Inputs,
        params: JbdaParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Steal and yield one finding."""
        if params.start < 2 or params.queries < params.start or not params.step > 0 or params.clone_epochs < 1:
            raise UsageError(
                f"start={params.start}, queries={params.queries}, step={params.step:g}; expected at least 2 inputs, as "
                "many queries, and a step above zero"
            )
        field = field_of(subject, inputs, budget, seed)
        pool = np.asarray(field.pool.x)
        keys = sample_keys(seed, self.spec.id, field.pool.indices)
        first = np.argsort(uniform(keys, (1,), stream=0)[:, 0], kind="stable")[: params.start]
        low, high = subject.bounds or field.pool.bounds or (float(pool.min()), float(pool.max()))
        left = budget.left_queries()
        most = params.queries if left is None else min(params.queries, left)
        if most < len(first):
            return
        observe.started(self.spec.name, most)
        with needing(self.spec.name):
            from redan.kernels.extraction.clone import Pace
            from redan.kernels.extraction.stealing import augmented
            from redan.threats.theft.copied import agreement, fidelity

            answers = "scores" if "scores" in subject.capabilities else "labels"
            theft = augmented(
                Victim(subject, "scores" if answers == "scores" else "labels", field.classes, budget),
                pool[first],
                most,
                step=params.step * (high - low),
                bounds=(low, high),
                pace=Pace(epochs=params.clone_epochs),
                seed=derive(seed, self.spec.id) % 2**31,
                watch=watch_of(budget),
            )
            whole = theft.copies[:-1] if budget.stop() else theft.copies
            if theft.cut:
                budget.end(theft.cut)
            if not whole:
                return
            agrees = [agreement(one.net, field) for one in whole]
            held = fidelity(agrees[-1], partial=whole[-1].queries < params.queries)
        observe.finished(self.spec.name)
        yield _finding(self.spec, subject, params, field, [one.queries for one in whole], agrees, held, len(first))


def _finding(
    spec: Spec,
    subject: Asked,
    params: JbdaParams,
    field: Field,
    queries: list[int],
    agrees: list[NDArray[np.bool_]],
    held: Quantity,
    start: int,
) -> Finding:
    ends = [wilson(int(each.sum()), len(each)) for each in agrees]
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=(
            f"{queries[-1]:,} queries grown from {start} inputs buy a copy that answers alike on {held.value:.1%} of "
            f"{held.n} other rows"
        ),
        severity=THREAT.severity(held),
        detail=(
            f"95 % interval {held.low:.1%} to {held.high:.1%}. Queries of such a theft are small changes of one "
            "another, which a monitor of streams sees."
        ),
        params=params.as_dict(),
        quantities=(held,),
        series=(
            Series(
                name="fidelity_by_queries",
                x=tuple(float(each) for each in queries),
                y=tuple(float(each.mean()) for each in agrees),
                low=tuple(end[0] for end in ends),
                high=tuple(end[1] for end in ends),
                n=tuple(len(each) for each in agrees),
                x_unit="queries",
                y_unit="fraction",
            ),
        ),
        locations=(Location(uri=field.pool.name),),
        remedies=("watch streams of queries: extraction-stream", "bound the queries of each client"),
        references=spec.references,
    )
