"""What the adapters of models that only answer have in common: facts about the model, told by its owner or learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.core.subject import SubjectRef
    from redan.subjects.columns import AnswerForm
    from redan.subjects.options import Kind, Options


class Answering:
    """Facts of a model that is asked and whose inside is not seen; an adapter sets the three attributes."""

    _ref: SubjectRef
    _options: Options
    _form: AnswerForm

    @property
    def ref(self) -> SubjectRef:
        """What exactly it is."""
        return self._ref

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the outputs, empty when unknown."""
        return self._form.classes

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Lowest and highest legal input value."""
        return self._options.bounds

    @property
    def score_kind(self) -> Kind:
        """What the scores are.

        Raises:
            UsageError: it was not told, and the model was not asked yet.
        """
        return self._form.kind
