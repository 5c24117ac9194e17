"""Mahalanobis distance of what enters the model's last layer to the nearest class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from redan.core.catalogue import monitor
from redan.core.probe import Spec
from redan.kernels.detectors.calibration import calibrate
from redan.kernels.detectors.mahalanobis import Mahalanobis, fit
from redan.subjects.detectors.made import Made, made, restored
from redan.threats.evasion.monitors.screening import Screening, rowwise

if TYPE_CHECKING:
    from redan.core.inputs import Dataset, Inputs
    from redan.subjects.detectors.served import Asked, Served


@monitor(
    Spec(
        id="RDN-EVA-202",
        name="feature-distance",
        threat="evasion",
        title="Mahalanobis distance of features to the nearest class",
        source="Lee et al. 2018, NeurIPS, equations 1 and 2",
        data=("train", "reference"),
        references=("arxiv:1807.03888", "atlas:AML.T0015", "atlas:AML.M0015"),
    )
)
class FeatureDistance(Screening):
    """Sees inputs whose features lie far from those of every class.

    What it sees:
        The squared Mahalanobis distance of each input's features to the nearest class mean, under one covariance for
        all classes. Features are what enters the last layer of a torch net, else the inputs themselves.

    Why it matters:
        Inputs of another kind than the training data, and inputs made by an attack that does not know the detector,
        often leave the place where the model has learnt what it says.

    How:
        Means and covariance come from training rows, the threshold from other benign rows. A finding says that the
        share of alarms has risen above what calibration allows, by a test that may be looked at after every event.

    Units:
        Squared standard deviations; alarm rate as a fraction of requests.

    Cost:
        One forward pass where features are read, and a product with a matrix of as many rows and columns as features.

    Sources:
        Lee, Lee, Lee & Shin 2018, "A simple unified framework for detecting out-of-distribution samples and
        adversarial attacks", section 2.1.

    Limits:
        An attack that knows it walks around it: see the adaptive column in docs/monitors.md. One layer, and neither the
        ensemble over layers nor the perturbed input of the paper.
    """

    spec: ClassVar[Spec]

    def __init__(self, detector: Mahalanobis, made: Made, served: Served) -> None:
        super().__init__(rowwise(lambda rows: detector.scores(served.embed(rows)), made.shape), made)
        self.detector = detector

    @classmethod
    def fitted(cls, train: Dataset, benign: Dataset, served: Served, asked: Asked) -> Self:
        """Fit on training rows, calibrate on other benign rows.

        Raises:
            UsageError: too few benign rows for the rate, or dearer than the budget.
            ShapeMismatch: rows, labels and model do not fit together.
        """
        detector = fit(served.embed(np.asarray(train.x, dtype=np.float32)), train.y)

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
        detector = Mahalanobis(whitening=arrays["whitening"], centres=arrays["centres"])
        return cls(detector, restored(about, cls.spec, served, served.reads), served)

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and words of the file."""
        arrays = {"whitening": self.detector.whitening, "centres": self.detector.centres}
        return arrays, self.made.about(self.spec)
