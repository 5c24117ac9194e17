"""How often triggered rows get the answer that the attacker wants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.finding import Finding, Location
from redan.core.probe import Spec
from redan.subjects.fit import check_fit
from redan.threats.poisoning.counted import array, rate
from redan.threats.poisoning.reading import BATCH, class_name
from redan.threats.poisoning.threat import THREAT

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Labels, Subject

    class Labelled(Subject, Labels):
        """A subject with labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSuccessParams(core_params.Params):
    """There is nothing to set."""


@probe(
    Spec(
        id="RDN-POI-012",
        name="trigger-success",
        threat="poisoning",
        title="Success of a known trigger",
        source="Gu, Dolan-Gavitt & Garg 2017, BadNets, section 4.2 (attack success)",
        needs=("labels",),
        data=("canary",),
        cost="seconds",
        references=("arxiv:1708.06733", "atlas:AML.T0018", "owasp:ML10"),
    )
)
class TriggerSuccess:
    """Measures how often rows with a trigger get the class that the attacker wants.

    What it measures:
        The share of the canary rows that the model answers with the canary's label: rows that carry a trigger, labelled
        as the attacker wants them, none of which is truly of that class.

    Why it matters:
        A backdoor is silent on clean data, so accuracy does not show it. Whoever knows or has inverted the trigger can
        say how bad it is, and whether a mitigation removed it.

    How:
        One question for each row.

    Shapes:
        canary: (n, …) triggered inputs with (n,) classes that the attacker wants.

    Units:
        Share of rows.

    Error of the estimate:
        Wilson 95 % interval.

    Cost:
        One forward pass.

    Sources:
        Gu, Dolan-Gavitt & Garg 2017, "BadNets: identifying vulnerabilities in the machine learning model supply
        chain", section 4.2.

    Limits:
        It needs the trigger; where nobody knows it, trigger inversion looks for one. A model without a backdoor takes
        some rows for the class by mistake: compare with clean rows of the same classes.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TriggerSuccessParams

    def run(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: TriggerSuccessParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Ask about every canary row and yield one finding."""
        data = inputs.role("canary")
        check_fit(subject, data)
        observe.started(self.spec.name, len(data))
        answers: list[Any] = []
        for start in range(0, len(data), BATCH):
            if budget.stop():
                break
            part = data.x[start : start + BATCH]
            budget.charge(queries=len(part))
            answers.append(subject.labels(part))
            observe.advanced(self.spec.name, start + len(part))
        observe.finished(self.spec.name)
        if not answers:
            return
        given = np.concatenate(answers)
        asked = data.rows(slice(0, len(given)))
        hit = given == asked.y
        measured = rate("trigger_success_rate", int(hit.sum()), len(hit), partial=len(hit) < len(data))
        wanted = ", ".join(class_name(subject, data, int(label)) for label in np.unique(asked.y)[:3])
        yield Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=subject.ref.name,
            title=f"{measured.value:.1%} of {len(hit)} triggered rows get the class that the attacker wants",
            severity=THREAT.severity(measured),
            detail=(
                f"{int(hit.sum())} of {len(hit)} rows are answered as wanted ({wanted}); 95 % interval "
                f"{measured.low:.1%} to {measured.high:.1%}."
            ),
            params=params.as_dict(),
            quantities=(measured,),
            locations=(Location(uri="canary data"),),
            evidence=(
                array("hits", hit, "which canary rows get the class that the attacker wants"),
                array("indices", asked.indices, "rows of the source, in the same order"),
            ),
            remedies=("RDN-POI-101", "RDN-POI-102", "RDN-POI-103"),
            references=self.spec.references,
        )
