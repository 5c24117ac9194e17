"""Fewer levels: small changes of a value are rounded away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.probe import Spec
from redan.threats.evasion.transforming import behind, box_of, depth, need_torch

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.evasion.transforming import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class BitDepthParams(core_params.Params):
    """Parameters of bit-depth reduction.

    Attributes:
        bits: bits that are kept of each value.
        gradient: what attacks that follow gradients are given at the rounding: straight-through leads on, own is zero
            and makes usual attacks fail; the answers are the same.
    """

    bits: int = 3
    gradient: Literal["straight-through", "own"] = "straight-through"


@mitigation(
    Spec(
        id="RDN-EVA-110",
        name="bit-depth",
        threat="evasion",
        title="Bit-depth reduction: values rounded to few levels",
        source="Xu, Evans & Qi 2018, NDSS, section III-A",
        needs=("labels",),
        cost="instant",
        references=("arxiv:1704.01155", "arxiv:1802.00420", "atlas:AML.M0010"),
        default=False,
    )
)
class BitDepth:
    """Puts a rounding of each value to 2^bits levels in front of the model.

    What it does:
        Each value becomes the nearest of 2^bits levels between the bounds, then the model is asked. Any classifier with
        labels can be put behind it. Inside a network attacks meet the rounding with a straight-through gradient.

    Why it helps:
        A change smaller than half the distance of two levels is undone where the value lay near a level, so that values
        that are mostly at the bounds, as in drawings or scans, withstand more.

    Shapes:
        Inputs (n, …) floating point; any kind of data with one pair of bounds.

    Units:
        Bits.

    Cost:
        One rounding a value.

    Sources:
        Xu, Evans & Qi 2018, "Feature squeezing: detecting adversarial examples in deep neural networks", section III-A;
        Athalye, Carlini & Wagner 2018, "Obfuscated gradients give a false sense of security", section 4.1, which breaks
        it.

    Limits:
        Values between two levels are pushed over by a small change. Read the robust accuracy of the cascade, which goes
        through the transformation, and the masking verdict beside it: attacks that do not know the transformation
        report far more than is there.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = BitDepthParams

    def apply(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: BitDepthParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the subject behind the transformation; the one given stays as it was.

        Raises:
            BudgetSpent: there is nothing to spend.
            MissingDependency: torch is not installed.
            UsageError: bits mean nothing, or the bounds are not known.
        """
        need_torch(self.spec.name)
        from redan.kernels.input_transforms.rounding import BitDepth as Rounding

        low, high = box_of(subject, inputs)
        view = Rounding(bits=depth(params.bits), low=low, high=high, gradient=params.gradient)
        note = f"bit depth {params.bits} between {low:g} and {high:g}, {params.gradient} gradient"
        return behind(subject, (view,), note=note, budget=budget)
