"""Disagreement of the model about an input and its squeezed copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from numpy.typing import NDArray

from redan.core.catalogue import monitor
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.kernels.attacks.ball import Box
from redan.kernels.detectors.calibration import calibrate
from redan.kernels.detectors.squeezing import Squeezing, squeezing
from redan.subjects.detectors.made import Made, made, restored
from redan.threats.evasion.monitors.screening import Screening, rowwise

if TYPE_CHECKING:
    import numpy as np

    from redan.core.inputs import Dataset, Inputs
    from redan.subjects.detectors.served import Asked, Served

_READS = "probabilities"


@monitor(
    Spec(
        id="RDN-EVA-204",
        name="feature-squeezing",
        threat="evasion",
        title="Disagreement between answers to an input and to its squeezed copies",
        source="Xu et al. 2018, NDSS, section V",
        data=("reference",),
        references=("arxiv:1704.01155", "atlas:AML.T0015", "atlas:AML.M0015"),
    )
)
class FeatureSqueezing(Screening):
    """Sees inputs about which the model changes its mind when details are taken away.

    What it sees:
        The largest L1 distance between the model's probabilities for an input and for its copies: one of 3 bits, and
        for pictures one under a 2 by 2 median.

    Why it matters:
        Small perturbations made for a model without this detector rarely survive the squeeze; what a person sees does.

    How:
        The threshold comes from benign rows; a finding says that the share of alarms has risen above what calibration
        allows.

    Units:
        L1 distance of probabilities, from 0 to 2; alarm rate as a fraction of requests.

    Cost:
        Two forward passes besides the answer itself, three for pictures.

    Sources:
        Xu, Evans & Qi 2018, "Feature squeezing: detecting adversarial examples in deep neural networks".

    Limits:
        An attack that knows it walks around it: see the adaptive column in docs/monitors.md. It needs scores, and says
        little about a model whose answers hardly depend on details, such as an adversarially trained one.
    """

    spec: ClassVar[Spec]

    def __init__(self, detector: Squeezing, made: Made, served: Served) -> None:
        super().__init__(rowwise(lambda rows: detector.scores(rows, served.answers), made.shape), made)
        self.detector = detector

    @classmethod
    def fitted(cls, benign: Dataset, served: Served, asked: Asked) -> Self:
        """Calibrate on benign rows.

        Raises:
            UsageError: the model's bounds are not known, too few benign rows for the rate, or dearer than the budget.
            CapabilityMissing: the model answers labels only.
        """
        detector = _squeezing(served.bounds)

        def score(rows: NDArray[Any]) -> NDArray[np.float64]:
            return detector.scores(rows, served.answers)

        return cls(detector, made(cls.spec, score, benign, served, asked, calibrate, reads=_READS), served)

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Calibrate on the test rows; errors as in `fitted`."""
        return cls.fitted(inputs.role("test"), served, asked)

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Served) -> Self:
        """Return what a file holds; errors as in `restored`."""
        del arrays
        made = restored(about, cls.spec, served, _READS)
        return cls(_squeezing(made.bounds), made, served)

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays (none) and words of the file."""
        return {}, self.made.about(self.spec)


def _squeezing(bounds: tuple[float, float] | None) -> Squeezing:
    if bounds is None:
        raise UsageError("feature squeezing needs the bounds of the inputs", hint="open the model with bounds=(0, 1)")
    return squeezing(Box(low=bounds[0], high=bounds[1]))
