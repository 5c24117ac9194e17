"""Smoothed images: what a single pixel says counts for less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.probe import Spec
from redan.threats.evasion.transforming import behind, check_images, need_torch, window

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.evasion.transforming import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialSmoothingParams(core_params.Params):
    """Parameters of spatial smoothing.

    Attributes:
        window: median, or gaussian with a quarter of the side as standard deviation.
        size: side of the window in pixels, odd.
    """

    window: Literal["median", "gaussian"] = "median"
    size: int = 3


@mitigation(
    Spec(
        id="RDN-EVA-111",
        name="spatial-smoothing",
        threat="evasion",
        title="Spatial smoothing: median or Gaussian of a window",
        source="Xu, Evans & Qi 2018, NDSS, section III-B",
        needs=("labels",),
        cost="instant",
        references=("arxiv:1704.01155", "arxiv:1802.00420", "atlas:AML.M0010"),
        default=False,
    )
)
class SpatialSmoothing:
    """Puts a median or Gaussian filter in front of the model.

    What it does:
        Each pixel becomes the median, or a weighted mean, of the window around it; edges are repeated outwards. Both
        are differentiable, and attacks with gradients go through them.

    Why it helps:
        Changes of single pixels disappear under a median; changes that alternate from pixel to pixel under a mean.

    Shapes:
        Images (n, channels, height, width), floating point.

    Units:
        The window in pixels.

    Cost:
        A filter of the image for each answer.

    Sources:
        Xu, Evans & Qi 2018, "Feature squeezing: detecting adversarial examples in deep neural networks", section III-B.

    Limits:
        It costs sharpness and so clean accuracy unless the model was trained behind it. An attacker who knows it makes
        smooth changes. Read the robust accuracy of the cascade, which goes through the transformation, and the masking
        verdict beside it: attacks that do not know the transformation report far more than is there.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = SpatialSmoothingParams

    def apply(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: SpatialSmoothingParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject behind the transformation; the one given stays as it was.

        Raises:
            BudgetSpent: there is nothing to spend.
            MissingDependency: torch is not installed.
            ShapeMismatch: the data are no images.
            UsageError: the size is none of a window.
        """
        need_torch(self.spec.name)
        from redan.kernels.input_transforms.filters import Gaussian, Median

        check_images(inputs, self.spec.name)
        size = window(params.size)
        view = Median(size) if params.window == "median" else Gaussian(size)
        return behind(subject, (view,), note=f"{params.window} of {size} by {size} pixels", budget=budget)
