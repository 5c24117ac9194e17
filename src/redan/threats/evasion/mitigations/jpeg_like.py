"""What a lossy image format does: rounded cosine coefficients of blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.threats.evasion.transforming import behind, box_of, check_images, need_torch

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.evasion.transforming import Labelled


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRoundingParams(core_params.Params):
    """Parameters of block rounding.

    Attributes:
        step: distance of the levels of the lowest frequency, over the width of the box; the highest has eight times it.
        gradient: what attacks that follow gradients are given at the rounding: straight-through leads on, own is zero
            and makes usual attacks fail; the answers are the same.
    """

    step: float = 0.2
    gradient: Literal["straight-through", "own"] = "straight-through"


@mitigation(
    Spec(
        id="RDN-EVA-112",
        name="jpeg-like",
        threat="evasion",
        title="JPEG-like compression: rounded frequencies of blocks",
        source="Guo, Rana, Cissé & van der Maaten 2018, ICLR, section 4.1",
        needs=("labels",),
        cost="instant",
        references=("arxiv:1711.00117", "arxiv:1802.00420", "atlas:AML.M0010"),
        default=False,
    )
)
class BlockRounding:
    """Puts a lossy compression and decompression in front of the model.

    What it does:
        Blocks of 8 by 8 pixels become cosine coefficients, which are rounded, high frequencies more coarsely, and the
        image is put together again. Attacks with gradients meet the rounding with a straight-through gradient.

    Why it helps:
        Small changes of high frequency are rounded away.

    Shapes:
        Images (n, channels, height, width), floating point; each channel for itself.

    Units:
        The step as a share of the width of the box.

    Cost:
        Two small matrix products for each block.

    Sources:
        Guo, Rana, Cissé & van der Maaten 2018, "Countering adversarial images using input transformations", section
        4.1; Athalye, Carlini & Wagner 2018, "Obfuscated gradients give a false sense of security", section 5.3, which
        breaks it.

    Limits:
        It is no JPEG: no table of the standard, no mixing of channels. An attacker who knows it moves low frequencies.
        Read the robust accuracy of the cascade, which goes through the transformation, and the masking verdict beside
        it: attacks that do not know the transformation report far more than is there.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = BlockRoundingParams

    def apply(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: BlockRoundingParams,
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
            UsageError: the step is not above zero, or the bounds are not known.
        """
        need_torch(self.spec.name)
        from redan.kernels.input_transforms.cosines import BlockCosines

        check_images(inputs, self.spec.name)
        if not params.step > 0:
            raise UsageError(f"step is {params.step:g}; expected a share of the box above zero")
        low, high = box_of(subject, inputs)
        view = BlockCosines(step=params.step, low=low, high=high, gradient=params.gradient)
        note = f"cosines of blocks rounded to steps of {params.step:g}, {params.gradient} gradient"
        return behind(subject, (view,), note=note, budget=budget)
