"""Images without small ripples: total variation made small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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

_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalVariationParams(core_params.Params):
    """Parameters of total variation minimisation.

    Attributes:
        weight: how much variation counts, as a share of the width of the box.
        iterations: steps towards the minimum.
    """

    weight: float = 0.1
    iterations: int = 20


@mitigation(
    Spec(
        id="RDN-EVA-113",
        name="total-variation",
        threat="evasion",
        title="Total variation minimisation",
        source="Guo, Rana, Cissé & van der Maaten 2018, ICLR, section 4.2; Chambolle 2004, equation 9",
        needs=("labels",),
        cost="instant",
        references=("arxiv:1711.00117", "arxiv:1802.00420", "atlas:AML.M0010"),
        default=False,
    )
)
class TotalVariation:
    """Replaces each image by a near one of small total variation.

    What it does:
        A fixed number of iterations approaches the image with the best sum of squared difference and total variation.
        The iterations are part of the network, and gradients go through all of them.

    Why it helps:
        A perturbation is rippled; edges, which carry the meaning, are kept.

    Shapes:
        Images (n, channels, height, width), floating point; each channel for itself.

    Units:
        The weight as a share of the width of the box.

    Cost:
        ``iterations`` passes over the image for each answer, often more than the model itself.

    Sources:
        Guo, Rana, Cissé & van der Maaten 2018, "Countering adversarial images using input transformations", section
        4.2; Chambolle 2004, "An algorithm for total variation minimization and applications", equations 9 and 13.

    Limits:
        Textures are lost, and with them clean accuracy. Nothing is dropped at random, as the paper does besides. Read
        the robust accuracy of the cascade, which goes through the transformation, and the masking verdict beside it:
        attacks that do not know the transformation report far more than is there.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TotalVariationParams

    def apply(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: TotalVariationParams,
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
            UsageError: weight or iterations mean nothing, or the bounds are not known.
        """
        need_torch(self.spec.name)
        from redan.kernels.input_transforms.variation import TotalVariation as Flattening

        check_images(inputs, self.spec.name)
        if not params.weight > 0 or not 1 <= params.iterations <= _MOST:
            told = f"weight is {params.weight:g} and iterations {params.iterations}"
            raise UsageError(f"{told}; expected a weight above zero and 1 to {_MOST} iterations")
        low, high = box_of(subject, inputs)
        view = Flattening(weight=params.weight * (high - low), iterations=params.iterations)
        note = f"total variation, weight {params.weight:g}, {params.iterations} iterations"
        return behind(subject, (view,), note=note, budget=budget)
