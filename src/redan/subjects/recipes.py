"""How to train a model like the one given: reference models, shadow models and retraining all ask for a recipe.

The owner's own training function is used where one is given. Else a network is trained from fresh weights by a course
of ours, and an estimator is fitted anew with its own parameters: that is a guess about the owner's training, and
whoever uses it says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import BudgetSpent, CapabilityMissing, RedanError, SubjectFailed, UsageError
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.core.subject import Refittable, Trainable
from redan.subjects.digests import of_file
from redan.subjects.factory import named_in, split_factory
from redan.subjects.failures import first_line
from redan.subjects.perturbed import PerturbedRecipe, PerturbedSubject

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.recipe import Recipe
    from redan.core.subject import Subject
    from redan.kernels.training.course import Batch
    from redan.subjects.options import Options

_MOST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Length and pace of the trainings that are ours; estimators have their own.

    Attributes:
        epochs: passes over the data.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 2e-3


def recipe_of(subject: Subject, inputs: Inputs, pace: Pace | None = None) -> tuple[Recipe, str]:
    """Return how to train such a model, and a sentence for the reader on whose recipe it is.

    Args:
        subject: the model.
        inputs: its ``recipe`` comes first.
        pace: of a network's training, where the recipe is ours; the usual one when None.

    Raises:
        CapabilityMissing: the owner gave no recipe, and the model can be neither trained nor fitted.
    """
    if isinstance(subject, PerturbedSubject):
        recipe, told = recipe_of(subject.behind, inputs, pace)
        return PerturbedRecipe(recipe=recipe, subject=subject), f"{told}; their answers pass through the same change"
    if inputs.recipe is not None:
        return inputs.recipe, "models were trained by the owner's own recipe"
    if "trainable" in subject.capabilities and isinstance(subject, Trainable):
        return NetworkRecipe(subject=subject, pace=pace or Pace()), (
            "models of the same layers were trained from fresh weights by Redan's own course, which is a guess about "
            "the owner's training; [model] recipe names the owner's"
        )
    if "refittable" in subject.capabilities and isinstance(subject, Refittable):
        return EstimatorRecipe(subject=subject), "estimators of the same parameters were fitted"
    raise CapabilityMissing(
        f"{subject.ref.name!r} ({subject.ref.kind}) cannot be trained anew, and no recipe was given",
        hint="name the function that trains it: [model] recipe = 'train.py:fit', called as fit(x, y, seed)",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRecipe:
    """The layers of a torch network with fresh weights, trained with cross-entropy."""

    subject: Any
    pace: Pace = field(default_factory=Pace)

    @property
    def digest(self) -> str:
        """SHA-256 of the layers' description and the pace; the weights take no part."""
        return sha256(f"{self.subject.module}\n{self.pace}".encode()).hexdigest()

    def fit(self, data: Dataset, *, budget: Budget, seed: int, observe: Observer) -> Subject:
        """Train on the data.

        Raises:
            BudgetSpent: before the first epoch was over.
            ShapeMismatch: model and data do not fit together.
            UsageError: a layer cannot draw fresh weights.
            SubjectFailed: the loss became NaN or infinite.
        """
        from torch.nn.functional import cross_entropy

        from redan.subjects.teaching import course_of, lessons_of, pupil, taught, told_of

        pace = self.pace
        course = course_of(epochs=pace.epochs, batch_size=pace.batch_size, learning_rate=pace.learning_rate)
        with lessons_of(self.subject, _SPEC, seed):
            learner = pupil(self.subject, data, "scratch")
            learner.net.requires_grad_(requires_grad=True)

            def lesson(batch: Batch) -> Any:
                return cross_entropy(learner.net(batch.inputs), batch.labels)

            trained = taught(_SPEC, learner, lesson, course, budget=budget, seed=seed, observe=observe)
        made: Subject = self.subject.rebuilt(learner.net, note=told_of(trained, course, "scratch", seed))
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorRecipe:
    """A scikit-learn estimator, fitted anew with its own parameters and the seed in place of its own."""

    subject: Any

    @property
    def digest(self) -> str:
        """SHA-256 of the estimator's kind and parameters."""
        return sha256(repr(self.subject.estimator).encode()).hexdigest()

    def fit(self, data: Dataset, *, budget: Budget, seed: int, observe: Observer) -> Subject:
        """Fit on the data.

        Raises:
            BudgetSpent: there is nothing to spend.
            SubjectFailed: the estimator cannot be fitted on these rows.
        """
        from sklearn.base import clone

        if reason := budget.stop():
            raise BudgetSpent(f"no estimator was fitted: {reason}", hint="give a larger budget")
        observe.note("fitting")
        anew = clone(self.subject.estimator)
        own = derive(seed, _SPEC.id, "random_state") % _MOST_SEED
        seeds = {name: own for name in anew.get_params() if name.rpartition("__")[2] == "random_state"}
        made: Subject = self.subject.refitted(
            anew.set_params(**seeds), np.asarray(data.x), np.asarray(data.y), note=f"fitted anew, seed {seed}"
        )
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecipe:
    """The owner's training function, called as ``fit(x, y, seed)``; what it returns is opened like any model.

    Attributes:
        function: the function itself.
        name: what reports call it.
        code_sha256: digest of its file; empty for a function given from Python.
        options: what the owner knows about such models.
    """

    function: Callable[..., Any]
    name: str
    code_sha256: str
    options: Options

    @property
    def digest(self) -> str:
        """SHA-256 of the code, or of the function's name where there is no file."""
        return self.code_sha256 or sha256(self.name.encode()).hexdigest()

    def fit(self, data: Dataset, *, budget: Budget, seed: int, observe: Observer) -> Subject:
        """Call the function and open what it returns.

        Raises:
            BudgetSpent: there is nothing to spend.
            SubjectFailed: the function raised.
            UsageError: what it returned is no model.
        """
        from redan.subjects.objects import Found, from_object

        if reason := budget.stop():
            raise BudgetSpent(f"{self.name} was not called: {reason}", hint="give a larger budget")
        observe.note(f"training: {self.name}")
        x, y = np.array(data.x), np.array(data.y)
        try:
            # what an owner's training seeds takes 31 bits at most
            model = self.function(x, y, seed % _MOST_SEED)
        except RedanError:
            raise
        except Exception as err:  # the owner's code may raise anything
            raise SubjectFailed(
                f"{self.name} raised {type(err).__name__}: {first_line(err)}",
                hint="it is called as fit(x, y, seed) with (n, …) inputs and (n,) class indices, and returns the model",
            ) from err
        options = replace(self.options, classes=self.options.classes or data.classes)
        return from_object(model, Found(options=options, sample=x[:64]), kind="auto")


def own_recipe(function: Any, options: Options) -> OwnRecipe:
    """Wrap the owner's training function.

    Args:
        function: the function, or ``MODULE.py:FUNCTION``: the user's own code, which is imported.
        options: what the owner knows about such models.

    Raises:
        UsageError: it is or names no function.
        Unreadable: there is no such file.
        UnknownName: the file has no such function.
        SubjectFailed: the import raised.
    """
    if callable(function):
        name = str(getattr(function, "__qualname__", type(function).__name__))
        return OwnRecipe(function=function, name=name, code_sha256="", options=options)
    found = split_factory(str(function))
    if found is None:
        raise UsageError(f"{str(function)!r} names no training function", hint="write MODULE.py:FUNCTION")
    path, name = found
    return OwnRecipe(
        function=named_in(path, name), name=f"{path.name}:{name}", code_sha256=of_file(path)[0], options=options
    )


_SPEC = Spec(id="recipe", name="recipe", threat="", title="Training a model like the one given", source="")
