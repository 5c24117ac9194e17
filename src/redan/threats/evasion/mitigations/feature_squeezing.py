"""Fewer levels and a median one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.probe import Spec
from redan.threats.evasion.transforming import behind, box_of, check_images, depth, need_torch, window

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.evasion.transforming import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSqueezingParams(core_params.Params):
    """Parameters of feature squeezing.

    Attributes:
        bits: bits that are kept of each value.
        size: side of the median's window in pixels, odd.
        gradient: what attacks that follow gradients are given at the rounding: straight-through leads on, own is zero
            and makes usual attacks fail; the answers are the same.
    """

    bits: int = 3
    size: int = 3
    gradient: Literal["straight-through", "own"] = "straight-through"


@mitigation(
    Spec(
        id="RDN-EVA-115",
        name="feature-squeezing",
        threat="evasion",
        title="Feature squeezing: few levels, then a median",
        source="Xu, Evans & Qi 2018, NDSS, section III",
        needs=("labels",),
        cost="instant",
        references=("arxiv:1704.01155", "arxiv:1706.04701", "arxiv:1802.00420", "atlas:AML.M0010"),
        default=False,
    )
)
class FeatureSqueezing:
    """Puts a rounding to few levels and a median filter in front of the model.

    What it does:
        Each value is rounded to 2^bits levels, then each pixel becomes the median of its window. Gradients go through
        both, straight through the rounding.

    Why it helps:
        What rounding leaves of a perturbation, single pixels that changed their level, a median removes.

    Shapes:
        Images (n, channels, height, width), floating point.

    Units:
        Bits; pixels.

    Cost:
        A rounding and a filter for each answer.

    Sources:
        Xu, Evans & Qi 2018, "Feature squeezing: detecting adversarial examples in deep neural networks", section III,
        where the comparison with the answer to the original input raises an alarm; He, Wei, Chen, Carlini & Song 2017,
        "Adversarial example defenses: ensembles of weak defenses are not strong", section 4, which breaks it.

    Limits:
        Two weak defences do not make a strong one. Read the robust accuracy of the cascade, which goes through the
        transformation, and the masking verdict beside it: attacks that do not know the transformation report far more
        than is there.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = FeatureSqueezingParams

    def apply(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: FeatureSqueezingParams,
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
            UsageError: bits or size mean nothing, or the bounds are not known.
        """
        need_torch(self.spec.name)
        from torch import nn

        from redan.kernels.input_transforms.filters import Median
        from redan.kernels.input_transforms.rounding import BitDepth

        check_images(inputs, self.spec.name)
        low, high = box_of(subject, inputs)
        rounding = BitDepth(bits=depth(params.bits), low=low, high=high, gradient=params.gradient)
        view = nn.Sequential(rounding, Median(window(params.size)))
        note = f"bit depth {params.bits}, then a median of {params.size} by {params.size}, {params.gradient} gradient"
        return behind(subject, (view,), note=note, budget=budget)
