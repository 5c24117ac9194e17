"""The mitigation contract: make a better subject, with a new digest and its lineage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.params import Params
    from redan.core.probe import Spec
    from redan.core.progress import Observer
    from redan.core.subject import Subject


class Mitigation(Protocol):
    """Turns a subject or recipe into a better subject; always shown before → after with its price."""

    spec: ClassVar[Spec]
    Params: ClassVar[type[Params]]

    def apply(
        self, subject: Any, inputs: Inputs, params: Any, *, budget: Budget, seed: int, observe: Observer
    ) -> Subject:
        """Return a new subject; the one given stays as it was.

        Raises:
            BudgetSpent: before a usable subject existed.
        """
        ...
