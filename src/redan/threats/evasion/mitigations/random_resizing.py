"""Images seen at several sizes and places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.threats.evasion.transforming import behind, box_of, check_images, need_torch

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.threats.evasion.transforming import Labelled

_MOST = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomResizingParams(core_params.Params):
    """Parameters of random resizing.

    Attributes:
        copies: places that are drawn from the seed.
        smallest: side of the smallest image over that of the original.
        answer: mean lets all copies answer together, always alike; random lets one of them answer, drawn at each call.
    """

    copies: int = 8
    smallest: float = 0.8
    answer: Literal["mean", "random"] = "mean"


@mitigation(
    Spec(
        id="RDN-EVA-114",
        name="random-resizing",
        threat="evasion",
        title="Random resizing and padding",
        source="Xie, Wang, Zhang, Ren & Yuille 2018, ICLR, section 3",
        needs=("labels",),
        cost="instant",
        references=("arxiv:1711.01991", "arxiv:1802.00420", "atlas:AML.M0010"),
        default=False,
    )
)
class RandomResizing:
    """Shows the model its input made smaller, at places drawn from the seed.

    What it does:
        The image is made smaller and put somewhere on a ground of the lowest legal value. With ``mean`` all copies
        answer together, the same for every call, and gradients go through all of them. With ``random`` one copy
        answers, drawn anew at each call.

    Why it helps:
        A perturbation that fits one size and place need not fit another.

    Shapes:
        Images (n, channels, height, width), floating point.

    Units:
        ``smallest`` is a share of the side.

    Cost:
        ``copies`` answers of the model for each, with ``random`` one.

    Sources:
        Xie, Wang, Zhang, Ren & Yuille 2018, "Mitigating adversarial effects through randomization", section 3 (with
        larger instead of smaller images); Athalye, Carlini & Wagner 2018, section 5.5, which breaks it by expectation
        over the draws.

    Limits:
        With ``random`` the same input may get two answers, one attack on a lucky draw counts as a fall, and only an
        attack on the expectation, which the masking verdict makes, says what is left. Nets that never saw other sizes
        lose clean accuracy.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = RandomResizingParams

    def apply(
        self,
        subject: Labelled,
        inputs: Inputs,
        params: RandomResizingParams,
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
            UsageError: copies or smallest mean nothing, or the bounds are not known.
        """
        need_torch(self.spec.name)
        from redan.kernels.input_transforms.resizing import drawn

        check_images(inputs, self.spec.name)
        if not 1 <= params.copies <= _MOST or not 0 < params.smallest <= 1:
            told = f"copies is {params.copies} and smallest {params.smallest:g}"
            raise UsageError(f"{told}; expected 1 to {_MOST} copies and a share from 0 to 1")
        own = derive(seed, self.spec.id, "places")
        views = drawn(own, params.copies, smallest=params.smallest, ground=box_of(subject, inputs)[0])
        note = f"{params.answer} of {params.copies} places, sides from {params.smallest:g}, seed {seed}"
        return behind(subject, views, note=note, budget=budget, answer=params.answer, seed=own)
