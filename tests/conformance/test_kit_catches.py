"""For each promise somebody who breaks it: the kit says which promise, and passes who keeps them all."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from redan.core import catalogue
from redan.core.errors import BudgetSpent, ShapeMismatch
from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.params import Params
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.core.subject import Component, SubjectRef
from redan.kernels.statistics import wilson
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.testing import (
    MitigationCase,
    ProbeCase,
    check_mitigation,
    check_probe,
    mitigation_checks,
    probe_checks,
)

SPEC = Spec(
    id="ACME-EVA-001",
    name="shaking",
    threat="evasion",
    title="Share of inputs that keep their label when shaken",
    source="Somebody 2020, section 3",
    needs=("labels",),
    data=("test",),
    references=("cwe:1039",),
)
PROBE_PAGE = """Shakes each input and counts the labels that stay.

What it measures:
    The share.
Why it matters:
    It does.
How:
    By shaking.
Shapes:
    (n, d).
Units:
    Fraction.
Error of the estimate:
    Wilson.
Cost:
    One query an input.
Sources:
    Somebody 2020.
Limits:
    Many.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShakingParams(Params):
    """How far, and how many at once."""

    eps: float = 0.2
    batch_size: int = 8


class Shaking:
    """Keeps every promise."""

    __doc__ = PROBE_PAGE
    spec: ClassVar[Spec] = SPEC
    Params: ClassVar[type[Params]] = ShakingParams

    def run(
        self, subject: Any, inputs: Inputs, params: Any, *, budget: Any, seed: int, observe: Any
    ) -> Iterator[Finding]:
        """Shake batch after batch and yield one finding."""
        data = inputs.role("test")
        if data.x.ndim != 2:
            raise ShapeMismatch("inputs are no rows")
        kept: list[bool] = []
        for start in range(0, len(data), params.batch_size):
            if budget.stop():
                break
            rows = slice(start, start + params.batch_size)
            budget.charge(queries=len(data.x[rows]))
            moved = data.x[rows] + params.eps * self.noise(seed, data.indices[rows])
            kept += (subject.labels(moved) == data.y[rows]).tolist()
        if kept:
            yield self.finding(subject, params, kept, partial=len(kept) < len(data))

    def noise(self, seed: int, indices: Any) -> Any:
        """Draw one number between −1 and 1 for each index."""
        return np.array([[2 * derive(seed, self.spec.id, int(i)) / 2**64 - 1] for i in indices])

    def finding(self, subject: Any, params: Any, kept: list[bool], *, partial: bool) -> Finding:
        """Say the share."""
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=subject.ref.name,
            title="some keep their label",
            severity=Severity.LOW,
            params={"eps": params.eps},
            quantities=(self.share(kept, partial=partial),),
            series=(Series(name="kept", x=("a",), y=(1.0,), y_unit="count"),),
            locations=(Location(uri="test"),),
            evidence=(Evidence.of("kept", bytes(kept), "application/octet-stream"),),
            references=self.spec.references,
        )

    def share(self, kept: list[bool], *, partial: bool) -> Quantity:
        """Count."""
        low, high = wilson(sum(kept), len(kept))
        return Quantity(
            name="kept",
            value=sum(kept) / len(kept),
            unit="fraction",
            n=len(kept),
            low=low,
            high=high,
            better="higher",
            partial=partial,
        )


class Net:
    """A torch network as a subject of labels, with scores nobody declared a need for."""

    def __init__(self) -> None:
        self.net = torch.nn.utils.skip_init(torch.nn.Linear, 3, 2)  # its usual start draws from global state
        self.net.weight.data = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
        self.net.bias.data = torch.tensor([0.5, 0.0])
        self.ref = SubjectRef(name="net", kind="torch")
        self.capabilities = frozenset({"labels", "scores"})
        self.classes = ("low", "high")
        self.bounds = (0.0, 1.0)

    def labels(self, x: Any) -> Any:
        """Predict classes."""
        return self.scores(x).argmax(axis=1)

    def scores(self, x: Any) -> Any:
        """Predict scores."""
        x = np.asarray(x, np.float32)
        if x.ndim != 2 or x.shape[1] != 3:
            raise ShapeMismatch(f"rows of 3 numbers were expected, not {x.shape}")
        with torch.no_grad():
            return self.net(torch.from_numpy(x)).numpy()


def rows(n: int = 30) -> Dataset:
    """Rows that are right without shaking; a third of them lie near the boundary."""
    x = np.linspace(0.3, 0.7, n)[:, None] * np.ones((1, 3))
    return Dataset(x=x, y=(x[:, 0] > 0.5).astype(np.int64), name="rows", sha256="", indices=np.arange(n))


def inputs() -> Inputs:
    """Test data, and training data that nobody declared."""
    return Inputs(test=rows(), train=rows())


def probe_case(thing: Any) -> ProbeCase:
    """The probe on the network."""
    return ProbeCase(thing=thing, make_subject=Net, make_inputs=inputs)


def broken_by(case: Any, checks: tuple[Any, ...]) -> dict[str, str]:
    """Return which promises a case breaks, and what the kit says."""
    found = {}
    for check in checks:
        try:
            check(case)
        except AssertionError as err:
            found[check.name] = str(err)
    return found


def test_a_probe_that_keeps_every_promise_passes() -> None:
    assert broken_by(probe_case(Shaking), probe_checks()) == {}
    check_probe(Shaking, Net, inputs, params={"eps": 0.1})


def described(**changes: Any) -> type:
    """The probe with another specification."""
    return type("Misdescribed", (Shaking,), {"__doc__": PROBE_PAGE, "spec": replace(SPEC, **changes)})


def documented(page: str) -> type:
    """The probe with another docstring."""
    return type("Misdocumented", (Shaking,), {"__doc__": page})


def with_params(**fields: Any) -> type:
    """The probe with another parameter set."""
    return type("Misparametrised", (Shaking,), {"__doc__": PROBE_PAGE, "Params": fields["Params"]})


class Undecorated(Params):
    """Parameters that forgot their decorator, so that they are none."""

    eps: float = 0.2
    batch_size: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Demanding(Params):
    """A parameter without a default."""

    eps: float
    batch_size: int = 8


def saying(**changes: Any) -> type:
    """The probe with something else in its findings."""

    class Saying(Shaking):
        __doc__ = PROBE_PAGE

        def finding(self, *args: Any, **more: Any) -> Finding:
            return replace(super().finding(*args, **more), **changes)

    return Saying


def measuring(**changes: Any) -> type:
    """The probe with something else in its quantity."""

    class Measuring(Shaking):
        __doc__ = PROBE_PAGE

        def share(self, kept: list[bool], *, partial: bool) -> Quantity:
            return replace(super().share(kept, partial=partial), **changes)

    return Measuring


class Listing(Shaking):
    """Returns a list."""

    __doc__ = PROBE_PAGE

    def run(self, *args: Any, **more: Any) -> Any:
        """Return everything at once."""
        return list(super().run(*args, **more))


class Yielding(Shaking):
    """Yields numbers."""

    __doc__ = PROBE_PAGE

    def run(self, *args: Any, **more: Any) -> Any:
        """Yield what is no finding."""
        yield from super().run(*args, **more)
        yield 3


class Silent(Shaking):
    """Has nothing to say."""

    __doc__ = PROBE_PAGE

    def run(self, *args: Any, **more: Any) -> Any:
        """Yield nothing."""
        yield from ()


class GlobalRandom(Shaking):
    """Draws from Python's global generator."""

    __doc__ = PROBE_PAGE

    def noise(self, seed: int, indices: Any) -> Any:
        """Draw."""
        return np.array([[random.uniform(-1, 1)] for _ in indices])


class GlobalNumpy(Shaking):
    """Draws from NumPy's global generator."""

    __doc__ = PROBE_PAGE

    def noise(self, seed: int, indices: Any) -> Any:
        """Draw."""
        return np.random.uniform(-1, 1, (len(indices), 1))  # noqa: NPY002  # the fault that must be caught


class Reseeding(Shaking):
    """Seeds torch's global generator, so that it draws the same and spoils it for everybody."""

    __doc__ = PROBE_PAGE

    def noise(self, seed: int, indices: Any) -> Any:
        """Draw."""
        torch.manual_seed(seed)
        return torch.rand(len(indices), 1).numpy() * 2 - 1


class Clocked(Shaking):
    """Counts runs, as a clock would."""

    __doc__ = PROBE_PAGE
    runs = 0

    def noise(self, seed: int, indices: Any) -> Any:
        """Draw by the number of the run."""
        type(self).runs += 1
        return super().noise(seed + self.runs, indices)


class Seeded(Shaking):
    """Puts the seed into the params."""

    __doc__ = PROBE_PAGE

    def run(self, *args: Any, seed: int, **more: Any) -> Any:
        """Tell the seed."""
        for found in super().run(*args, seed=seed, **more):
            yield replace(found, params={"eps": seed})


class Positional(Shaking):
    """Draws by position in the batch."""

    __doc__ = PROBE_PAGE

    def noise(self, seed: int, indices: Any) -> Any:
        """Draw."""
        return super().noise(seed, np.arange(len(indices)))


class BatchTold(Shaking):
    """Puts the batch size into the fingerprint."""

    __doc__ = PROBE_PAGE

    def finding(self, subject: Any, params: Any, kept: list[bool], *, partial: bool) -> Finding:
        """Say too much."""
        return replace(super().finding(subject, params, kept, partial=partial), params=params.as_dict())


def meddling(do: Callable[[Any, Inputs], None]) -> type:
    """The probe that also does something to subject or data."""

    class Meddling(Shaking):
        __doc__ = PROBE_PAGE

        def run(self, subject: Any, inputs: Inputs, *args: Any, **more: Any) -> Any:
            do(subject, inputs)
            yield from super().run(subject, inputs, *args, **more)

    return Meddling


def nudge(subject: Any, inputs: Inputs) -> None:
    """Change a weight."""
    subject.net.weight.data += 1e-6


def thaw(subject: Any, inputs: Inputs) -> None:
    """Leave another mode."""
    subject.net.train(mode=not subject.net.training)


def freeze(subject: Any, inputs: Inputs) -> None:
    """Leave gradients switched off."""
    subject.net.weight.requires_grad_(requires_grad=not subject.net.weight.requires_grad)


def accumulate(subject: Any, inputs: Inputs) -> None:
    """Leave gradients behind."""
    subject.net(torch.ones(1, 3)).sum().backward()


def clip(subject: Any, inputs: Inputs) -> None:
    """Change data in place."""
    inputs.role("test").x.clip(0.35, 0.65, out=inputs.role("test").x)


def no_grad(subject: Any, inputs: Inputs) -> None:
    """Change torch's mode for everybody."""
    torch.set_grad_enabled(not torch.is_grad_enabled())


class Unfinished(Shaking):
    """Gives the mode back only when it is run to its end."""

    __doc__ = PROBE_PAGE

    def run(self, subject: Any, *args: Any, **more: Any) -> Any:
        """Change a mode around a yield."""
        was = subject.net.training
        subject.net.train(mode=not was)
        yield from super().run(subject, *args, **more)
        subject.net.train(mode=was)


class Spendthrift(Shaking):
    """Asks the budget and does not listen."""

    __doc__ = PROBE_PAGE

    def run(self, *args: Any, budget: Any, **more: Any) -> Any:
        """Go on."""

        class Deaf:
            def stop(self) -> None:
                budget.stop()

            def charge(self, *, queries: int) -> None:
                budget.charge(queries=queries)

        yield from super().run(*args, budget=Deaf(), **more)


class Unasking(Shaking):
    """Never asks the budget."""

    __doc__ = PROBE_PAGE

    def run(self, *args: Any, budget: Any, **more: Any) -> Any:
        """Go on."""

        class Endless:
            def stop(self) -> None:
                return

            def charge(self, *, queries: int) -> None:
                budget.charge(queries=queries)

        yield from super().run(*args, budget=Endless(), **more)


class Crashing(Shaking):
    """Lets whatever goes wrong through."""

    __doc__ = PROBE_PAGE

    def run(self, subject: Any, inputs: Inputs, params: Any, **more: Any) -> Any:
        """Index before looking."""
        data = inputs.role("test")
        _ = data.x[1]
        yield from super().run(subject, inputs, params, **more)


class Unchecked(Shaking):
    """Indexes by label."""

    __doc__ = PROBE_PAGE

    def run(self, subject: Any, inputs: Inputs, params: Any, **more: Any) -> Any:
        """Index by what came in."""
        for label in inputs.role("test").y:
            _ = subject.classes[label]
        yield from super().run(subject, inputs, params, **more)


class Nothing(Shaking):
    """Makes a number of nothing."""

    __doc__ = PROBE_PAGE

    def run(self, subject: Any, inputs: Inputs, params: Any, **more: Any) -> Any:
        """Yield not-a-number for no rows."""
        yield from super().run(subject, inputs, params, **more)
        if len(inputs.role("test")) == 1:
            share = replace(self.share([True], partial=False), value=float("nan"))
            yield replace(self.finding(subject, params, [True], partial=False), quantities=(share,))


class Nameless(Shaking):
    """Does not say which data are missing."""

    __doc__ = PROBE_PAGE

    def run(self, subject: Any, inputs: Inputs, params: Any, **more: Any) -> Any:
        """Look without asking."""
        _ = inputs.test.x  # type: ignore[union-attr]  # the fault that must be caught
        yield from super().run(subject, inputs, params, **more)


class Greedy(Shaking):
    """Uses training data without declaring it."""

    __doc__ = PROBE_PAGE

    def run(self, subject: Any, inputs: Inputs, params: Any, **more: Any) -> Any:
        """Ask for more."""
        inputs.role("train")
        yield from super().run(subject, inputs, params, **more)


class Overreaching(Shaking):
    """Uses scores and declares labels."""

    __doc__ = PROBE_PAGE

    def run(self, subject: Any, inputs: Inputs, params: Any, **more: Any) -> Any:
        """Ask for scores."""
        subject.scores(inputs.role("test").x[:1])
        yield from super().run(subject, inputs, params, **more)


BAD_BLOB = replace(Evidence.of("kept", b"x", "text/plain"), payload=b"y")
BROKEN: list[tuple[str, type, str, str]] = [
    ("identifier", described(id="acme1"), "specification_is_complete", "identifier 'acme1'"),
    ("name", described(name="Shaking It"), "specification_is_complete", "name 'Shaking It'"),
    ("role", described(data=("validation",)), "specification_is_complete", "data ('validation',)"),
    ("need", described(needs=("magic",)), "specification_is_complete", "needs ('magic',)"),
    ("title", described(title="Two\nlines"), "specification_is_complete", "title"),
    ("source", described(source=""), "source_is_named", "the source is ''"),
    ("reference", described(references=("CWE-502",)), "references_are_known", "CWE-502"),
    ("no page", documented(""), "docstring_follows_the_template", "there is no docstring"),
    (
        "section",
        documented(PROBE_PAGE.replace("Units:", "Measures:")),
        "docstring_follows_the_template",
        "lacks Units",
    ),
    ("empty", documented(PROBE_PAGE.replace("    Many.\n", "")), "docstring_follows_the_template", "empty sections"),
    ("undecorated", with_params(Params=Undecorated), "parameters_are_frozen_scalars", "no dataclass of its own"),
    ("demanding", with_params(Params=Demanding), "parameters_are_frozen_scalars", "without a default: eps"),
    ("loose", with_params(Params=dict), "parameters_are_frozen_scalars", "Params is"),
    ("list", Listing, "yields_findings_one_by_one", "run returns a list"),
    ("number", Yielding, "yields_findings_one_by_one", "run yields int"),
    ("silence", Silent, "yields_findings_one_by_one", "run yields nothing"),
    ("rule", saying(rule="ACME-EVA-009"), "findings_are_whole", "a finding of rule 'ACME-EVA-009'"),
    ("threat", saying(threat="privacy"), "findings_are_whole", "a finding of threat 'privacy'"),
    ("subject", saying(subject="other"), "findings_are_whole", "a finding about 'other'"),
    ("params", saying(params={"epsilon": 1}), "findings_are_whole", "parameters that Params lacks: epsilon"),
    ("finding's reference", saying(references=("x",)), "findings_are_whole", "references without a known prefix: x"),
    ("series", saying(series=(Series(name="s", x=(1.0,), y=()),)), "findings_are_whole", "another number of y"),
    ("digest", saying(evidence=(BAD_BLOB,)), "findings_are_whole", "another digest or length than its bytes"),
    ("bytes", saying(evidence=(BAD_BLOB.stored(),)), "findings_are_whole", "has no bytes"),
    ("unit", measuring(unit=""), "findings_are_whole", "kept has no unit"),
    ("n", measuring(n=2.5), "findings_are_whole", "kept has n = 2.5"),
    ("interval", measuring(low=0.99, high=0.999), "findings_are_whole", "lies outside of its interval"),
    ("bare", measuring(value=0.5, low=0.5, high=0.5), "findings_are_whole", "without an interval"),
    ("NumPy", measuring(value=np.float64(0.5), low=0.0, high=1.0), "findings_are_whole", "holds float64"),
    ("nan", measuring(value=float("nan")), "findings_are_whole", "kept is not a number"),
    ("json", saying(params={"eps": np.float32(0.5)}), "findings_survive_json", "does not survive JSON"),
    ("tuple", saying(params={"eps": (1, 2)}), "findings_survive_json", "does not survive JSON"),
    ("random", GlobalRandom, "same_seed_same_findings", "the same seed gave different findings"),
    ("numpy", GlobalNumpy, "same_seed_same_findings", "the same seed gave different findings"),
    ("clock", Clocked, "same_seed_same_findings", "the same seed gave different findings"),
    ("seed", Seeded, "other_seeds_keep_fingerprints", "the seed stands in a finding's params"),
    ("position", Positional, "order_changes_no_verdict", "the order of the samples changes kept"),
    ("batch", Positional, "batch_size_changes_no_verdict", "batch_size = 1 changes kept"),
    ("told", BatchTold, "batch_size_changes_no_verdict", "changes which findings there are"),
    ("draws", GlobalRandom, "leaves_the_world_as_it_was", "global state was changed: random"),
    ("numpy draws", GlobalNumpy, "leaves_the_world_as_it_was", "global state was changed: numpy.random"),
    ("torch seeds", Reseeding, "leaves_the_world_as_it_was", "global state was changed: torch random state"),
    ("weights", meddling(nudge), "leaves_the_world_as_it_was", "the subject was changed: net.weight"),
    ("mode", meddling(thaw), "leaves_the_world_as_it_was", "training flag"),
    ("requires_grad", meddling(freeze), "leaves_the_world_as_it_was", "requires_grad"),
    ("grad", meddling(accumulate), "leaves_the_world_as_it_was", "weight grad"),
    ("data", meddling(clip), "leaves_the_world_as_it_was", "changed in place: test.x"),
    ("grad mode", meddling(no_grad), "leaves_the_world_as_it_was", "torch grad mode"),
    ("abandoned", Unfinished, "a_stopped_run_leaves_the_world_as_it_was", "training flag"),
    ("unasked", Unasking, "a_spent_budget_is_respected", "the budget is never asked"),
    ("deaf", Spendthrift, "a_spent_budget_is_respected", "a spent budget changes nothing: 30 of 30 queries"),
    ("unmarked", measuring(partial=False), "a_stop_in_the_middle_is_respected", "yields an unmarked result"),
    ("one row", Crashing, "empty_and_single_batches_work", "0 rows of test data raises IndexError"),
    ("nothing", Nothing, "empty_and_single_batches_work", "kept is not a number"),
    ("labels", Unchecked, "broken_data_are_errors_with_words", "labels beyond the last class in test data raises"),
    ("nameless", Nameless, "missing_data_are_named", "without test data it raises AttributeError"),
    ("unused", described(data=("test", "canary")), "missing_data_are_named", "canary data are declared and not used"),
    ("greedy", Greedy, "only_declared_data_are_used", "this needs train data"),
    ("scores", Overreaching, "only_declared_capabilities_are_used", "it uses scores (scores) without declaring it"),
    ("lacks", described(needs=("gradients",)), "only_declared_capabilities_are_used", "offers no gradients"),
]


@pytest.fixture(autouse=True)
def grad_mode() -> Iterator[None]:
    """Give torch's mode back, which one of the broken probes changes."""
    yield
    torch.set_grad_enabled(True)


@pytest.mark.parametrize(("thing", "promise", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_probe_that_breaks_a_promise_is_caught(thing: Any, promise: str, words: str) -> None:
    (check,) = [check for check in probe_checks() if check.name == promise]
    with pytest.raises(AssertionError) as caught:
        check(probe_case(thing))
    assert f"breaks its promise {promise!r}" in str(caught.value)
    assert words in str(caught.value)
    assert "to mend it: " in str(caught.value)


def test_every_promise_has_somebody_who_breaks_it() -> None:
    alone = {"other_seeds_keep_fingerprints"}
    assert {check.name for check in probe_checks()} - {row[2] for row in BROKEN} - alone == set()


def test_check_probe_raises_the_first() -> None:
    with pytest.raises(AssertionError, match="breaks its promise 'source_is_named'"):
        check_probe(described(source="", references=("x",)), Net, inputs)


def test_the_kit_itself_leaves_global_state_alone() -> None:
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    check_probe(Shaking, Net, inputs)
    after = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002
    assert before == after


MITIGATION_PAGE = """Moves the bias.

What it does:
    It moves it.
Why it helps:
    It does not.
Shapes:
    Any.
Units:
    None.
Cost:
    None.
Sources:
    Nobody 2020.
Limits:
    All.
"""


class Moving:
    """Keeps every promise."""

    __doc__ = MITIGATION_PAGE
    spec: ClassVar[Spec] = replace(SPEC, id="ACME-EVA-101", name="moving", needs=("trainable",), data=("train",))
    Params: ClassVar[type[Params]] = ShakingParams

    def apply(self, subject: Any, inputs: Inputs, params: Any, *, budget: Any, seed: int, observe: Any) -> Any:
        """Move the bias of a copy."""
        data = inputs.role("train")
        if not len(data):
            raise ShapeMismatch("no rows")
        if why := budget.stop():
            raise BudgetSpent(f"nothing was moved: {why}")
        return self.made(subject, self.drawn(seed))

    def drawn(self, seed: int) -> float:
        """Draw how far."""
        return derive(seed, self.spec.id) / 2**64 + 0.1

    def made(self, subject: Any, far: float) -> Any:
        """Copy and move."""
        net = copy.deepcopy(subject.module.inner)
        net.bias.data += far
        return subject.rebuilt(net, note="moved")


def trainable() -> TorchSubject:
    """A network as a subject that can be rebuilt."""
    return TorchSubject(Net().net, options=Options(name="net", bounds=(0.0, 1.0), score_kind="logits"))


class Same(Moving):
    """Returns what it got."""

    __doc__ = MITIGATION_PAGE

    def made(self, subject: Any, far: float) -> Any:
        """Do nothing."""
        return subject


class InPlace(Moving):
    """Changes the subject it got as well."""

    __doc__ = MITIGATION_PAGE

    def made(self, subject: Any, far: float) -> Any:
        """Move both."""
        better = super().made(subject, far)
        subject.module.inner.bias.data += far
        return better


class Orphan(Moving):
    """Forgets where the result comes from."""

    __doc__ = MITIGATION_PAGE

    def made(self, subject: Any, far: float) -> Any:
        """Make a subject without lineage."""
        options = Options(name="net", bounds=(0.0, 1.0), score_kind="logits")
        return TorchSubject(super().made(subject, far).module.inner, options=options)


class Wild(Moving):
    """Draws from global state."""

    __doc__ = MITIGATION_PAGE

    def drawn(self, seed: int) -> float:
        """Draw."""
        return 0.1 + random.random()


class Tireless(Moving):
    """Does not listen to the budget."""

    __doc__ = MITIGATION_PAGE

    def apply(self, subject: Any, inputs: Inputs, params: Any, *, budget: Any, seed: int, observe: Any) -> Any:
        """Ask and go on."""
        inputs.role("train")
        budget.stop()
        return self.made(subject, self.drawn(seed))


class Fragile(Moving):
    """Expects a second row."""

    __doc__ = MITIGATION_PAGE

    def apply(self, subject: Any, inputs: Inputs, params: Any, **more: Any) -> Any:
        """Index before looking."""
        _ = inputs.role("train").x[1]
        return super().apply(subject, inputs, params, **more)


class Careless(Moving):
    """Needs no training data after all."""

    __doc__ = MITIGATION_PAGE

    def apply(self, subject: Any, inputs: Inputs, params: Any, **more: Any) -> Any:
        """Use the test data."""
        return super().apply(subject, replace(inputs, train=inputs.test), params, **more)


def mitigation_case(thing: Any) -> MitigationCase:
    """The mitigation on the network."""
    return MitigationCase(thing=thing, make_subject=trainable, make_inputs=inputs)


def test_a_mitigation_that_keeps_every_promise_passes() -> None:
    assert broken_by(mitigation_case(Moving), mitigation_checks()) == {}
    check_mitigation(Moving, trainable, inputs)


@pytest.mark.parametrize(
    ("thing", "promise", "words"),
    [
        (Same, "a_new_subject_with_its_lineage", "the subject given came back"),
        (Orphan, "a_new_subject_with_its_lineage", "not in the lineage"),
        (InPlace, "leaves_the_world_as_it_was", "the subject was changed"),
        (Wild, "same_seed_same_subject", "two different subjects"),
        (Tireless, "a_spent_budget_is_respected", "with a spent budget it returns a subject"),
        (Fragile, "broken_data_are_errors_with_words", "0 rows in train data raises IndexError"),
        (Careless, "missing_data_are_named", "train data are declared and not used"),
    ],
)
def test_a_mitigation_that_breaks_a_promise_is_caught(thing: Any, promise: str, words: str) -> None:
    assert words in broken_by(mitigation_case(thing), mitigation_checks())[promise]


class Tidying:
    """Reads a folder and writes into it."""

    __doc__ = PROBE_PAGE
    spec: ClassVar[Spec] = replace(SPEC, id="ACME-SUP-001", threat="supply_chain", needs=("bytes",), data=())
    Params: ClassVar[type[Params]] = Params

    def run(self, subject: Any, inputs: Inputs, params: Any, **more: Any) -> Iterator[Finding]:
        """Leave a file behind."""
        (subject.root / "seen").write_text("yes")
        yield from ()


def test_a_probe_that_changes_what_it_scans_is_caught(tmp_path: Path) -> None:
    class Folder:
        root = tmp_path
        ref = SubjectRef(name="folder", kind="files", components=(Component(role="artifact", uri="x", sha256=""),))
        capabilities = frozenset({"bytes"})

    case = ProbeCase(thing=Tidying, make_subject=Folder, make_inputs=Inputs)
    found = broken_by(case, tuple(c for c in probe_checks() if c.name == "leaves_the_world_as_it_was"))
    assert "the subject was changed" in found["leaves_the_world_as_it_was"]


def test_nothing_here_joined_the_catalogue() -> None:
    assert not [e for e in catalogue.entries() if e.id.startswith("ACME")]
