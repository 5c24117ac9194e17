"""Distance of features to the k-th nearest training row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from redan.core.catalogue import monitor
from redan.core.probe import Spec
from redan.kernels.detectors.calibration import calibrate
from redan.kernels.detectors.neighbours import Neighbours, fit
from redan.subjects.detectors.made import Made, made, restored
from redan.threats.evasion.monitors.screening import Screening, rowwise

if TYPE_CHECKING:
    from redan.core.inputs import Dataset, Inputs
    from redan.subjects.detectors.served import Asked, Served

NEIGHBOUR = 10


@monitor(
    Spec(
        id="RDN-EVA-203",
        name="nearest-rows",
        threat="evasion",
        title="Distance of features to the nearest training rows",
        source="Sun et al. 2022, ICML, section 3",
        data=("train", "reference"),
        references=("arxiv:2204.06507", "atlas:AML.T0015", "atlas:AML.M0015"),
    )
)
class NearestRows(Screening):
    """Sees inputs whose features resemble those of no training row.

    What it sees:
        The distance of each input's features, scaled to length 1, to those of its 10th nearest training row.

    Why it matters:
        It asks for no shape of the classes, so it also serves where they are no bells.

    How:
        At most 4096 training rows are kept, drawn by seed; distances are exact. The threshold comes from other benign
        rows; a finding says that the share of alarms has risen above what calibration allows.

    Units:
        Distance between vectors of length 1, from 0 to 2; alarm rate as a fraction of requests.

    Cost:
        One forward pass where features are read, and a product with the kept rows: 4096 times the number of features.

    Sources:
        Sun, Ming, Zhu & Li 2022, "Out-of-distribution detection with deep nearest neighbors".

    Limits:
        An attack that knows it walks around it: see the adaptive column in docs/monitors.md. The file holds features of
        training rows, or the rows themselves where the model shows no features: keep it as secret as they are.
    """

    spec: ClassVar[Spec]

    def __init__(self, detector: Neighbours, made: Made, served: Served) -> None:
        super().__init__(rowwise(lambda rows: detector.scores(served.embed(rows)), made.shape), made)
        self.detector = detector

    @classmethod
    def fitted(cls, train: Dataset, benign: Dataset, served: Served, asked: Asked) -> Self:
        """Keep training rows, calibrate on other benign rows.

        Raises:
            UsageError: too few benign rows for the rate, or dearer than the budget.
            ShapeMismatch: rows and model do not fit together, or there are fewer than 10 rows.
        """
        detector = fit(served.embed(np.asarray(train.x, dtype=np.float32)), k=NEIGHBOUR, seed=asked.seed)

        def score(rows: NDArray[Any]) -> NDArray[np.float64]:
            return detector.scores(served.embed(rows))

        return cls(detector, made(cls.spec, score, benign, served, asked, calibrate, reads=served.reads), served)

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Fit on the training rows and calibrate on the test rows; errors as in `fitted`."""
        return cls.fitted(inputs.role("train"), inputs.role("test"), served, asked)

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Served) -> Self:
        """Return what a file holds; errors as in `restored`, and KeyError for an array that lacks."""
        detector = Neighbours(kept=arrays["kept"], k=NEIGHBOUR)
        return cls(detector, restored(about, cls.spec, served, served.reads), served)

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and words of the file."""
        return {"kept": self.detector.kept}, self.made.about(self.spec)
