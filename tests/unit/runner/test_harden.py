"""Hardening: which candidates, on which rows, within which budget, and which one is taken."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import redan
from redan.core import catalogue
from redan.core.budget import Budget, Limits
from redan.core.errors import BudgetSpent, UnknownName, UsageError
from redan.core.finding import Quantity
from redan.core.inputs import Dataset, Inputs
from redan.core.params import Params
from redan.core.probe import Spec
from redan.core.subject import Subject
from redan.runner.harden import Hardened, Wanted, search
from redan.runner.harden_candidates import candidates
from redan.runner.harden_measuring import measured
from redan.runner.harden_pareto import ORIGINAL, Alternative, choose, front
from redan.runner.harden_report import Compared, harden
from redan.runner.harden_saving import check_place, save
from redan.runner.run import Session
from redan.runner.target import Target
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject

QUICK: dict[str, Any] = {
    "norm": "linf",
    "eps": 0.12,
    "epochs": 10,
    "batch_size": 32,
    "learning_rate": 5e-3,
    "plan": "quick",
}
WANTED = Wanted(against="evasion", mitigations=("adversarial-training",), params=QUICK)


def data(start: int, stop: int) -> Dataset:
    x, y = load_digits(return_X_y=True)
    return Dataset(
        x=(x[start:stop] / 16).astype(np.float32),
        y=y[start:stop].astype(np.int64),
        name="digits",
        sha256="",
        indices=np.arange(start, stop),
        bounds=(0.0, 1.0),
    )


@cache
def weights() -> dict[str, torch.Tensor]:
    net = network()
    generator = torch.Generator().manual_seed(0)
    for weight in net.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.2
    train = data(0, 600)
    x, y = torch.from_numpy(train.x), torch.from_numpy(train.y)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    return net.state_dict()


def network() -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.utils.skip_init(torch.nn.Linear, 64, 48),
        torch.nn.ReLU(),
        torch.nn.utils.skip_init(torch.nn.Linear, 48, 10),
    )


def target() -> Target:
    net = network()
    net.load_state_dict(weights())
    subject = TorchSubject(net, options=Options(name="net", bounds=(0.0, 1.0)), sample=data(0, 2).x)
    return Target(subject=subject, inputs=Inputs(train=data(0, 600), test=data(1000, 1200)))


def session(**limits: Any) -> Session:
    return Session(budget=Budget(limits=Limits(**limits)), seed=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoParams(Params):
    """None."""


class Spy:
    """Keeps what it was given, and returns the network with its last layer doubled."""

    Params = NoParams
    seen: list[Inputs]

    def apply(self, subject: Any, inputs: Inputs, params: Any, *, budget: Any, seed: int, observe: Any) -> Subject:
        """Change the weights a little."""
        type(self).seen.append(inputs)
        net = network()
        net.load_state_dict({k: v * 2 if k.startswith("2") else v for k, v in weights().items()})
        made: Subject = subject.rebuilt(net, note="doubled")
        return made


class Poor(Spy):
    """Says that the budget is spent."""

    def apply(self, subject: Any, inputs: Inputs, params: Any, **rest: Any) -> Subject:
        """Raise."""
        raise BudgetSpent("not one step was done")


ROOM = ModuleType("redan_runner_test_mitigations")
Register = Callable[..., type]


@pytest.fixture
def register() -> Iterator[Register]:
    before = dict(catalogue._registered)
    sys.modules[ROOM.__name__] = ROOM

    def add(base: type, name: str, number: int, **more: Any) -> type:
        made = type(f"{base.__name__}{number}", (base,), {"__module__": ROOM.__name__, "__doc__": "d", "seen": []})
        setattr(ROOM, made.__name__, made)
        values = {"needs": ("trainable",), "data": ("train",), "threat": "evasion", **more}
        spec = Spec(id=f"TST-HRD-{number:03}", name=name, title="t", source="s", **values)
        return catalogue.mitigation(spec)(made)

    yield add
    del sys.modules[ROOM.__name__]
    catalogue._registered.clear()
    catalogue._registered.update(before)


@cache
def searched() -> Hardened:
    return search(target(), WANTED, session())


def test_a_better_subject_is_taken_and_the_given_one_stays() -> None:
    net = target()
    digest = net.subject.ref.digest
    found = searched()
    assert net.subject.ref.digest == digest
    assert [one.name for one in found.tried] == [ORIGINAL, "adversarial-training"]
    assert found.taken.worth.value > found.tried[0].worth.value + 0.2
    assert found.subject is found.taken.subject
    assert digest in found.subject.ref.lineage
    assert found.taken.training_cpu_s > 0
    assert found.taken.latency_s.value > 0


def test_the_same_seed_gives_the_same_subject() -> None:
    again = search(target(), WANTED, session())
    assert again.subject.ref.digest == searched().subject.ref.digest
    assert [(a.clean, a.worth) for a in again.tried] == [(a.clean, a.worth) for a in searched().tried]


def test_candidates_see_neither_test_rows_nor_the_rows_that_compare_them(register: Register) -> None:
    spy = register(Spy, "spy", 1)
    found = search(target(), replace(WANTED, mitigations=("spy",)), session())
    (given,) = spy.seen  # type: ignore[attr-defined]  # the class above has it
    fitted = set(given.train.indices.tolist())
    assert fitted < set(range(600))
    assert found.tried[0].clean.n + len(fitted) == 600
    other = replace(target(), inputs=replace(target().inputs, test=data(1200, 1300)))
    again = search(other, replace(WANTED, mitigations=("spy",)), session())
    assert [a.worth for a in again.tried] == [a.worth for a in found.tried], "test rows change no choice"


def test_what_cannot_be_finished_is_named_with_its_reason(register: Register) -> None:
    register(Spy, "spy", 1)
    register(Poor, "poor", 2)
    register(Spy, "scores-only", 3, needs=("chats",))
    found = search(target(), replace(WANTED, mitigations=("poor", "spy", "scores-only")), session())
    assert {u.name: u.why for u in found.untried} == {
        "poor": "not one step was done",
        "scores-only": "needs chats, which a torch subject does not offer",
    }


def test_a_budget_too_small_for_anything_says_so(register: Register) -> None:
    register(Poor, "poor", 2)
    with pytest.raises(BudgetSpent, match="not one step") as caught:
        search(target(), replace(WANTED, mitigations=("poor",)), session())
    assert caught.value.exit_code == 3
    with pytest.raises(BudgetSpent, match="could not be measured: not started"):
        search(target(), WANTED, session(cpu_s=0.0001))


def test_without_a_budget_only_what_runs_by_default_is_tried(register: Register) -> None:
    register(Spy, "spy", 1, default=False)
    net = target()
    tried, untried = candidates("evasion", net.subject, net.inputs, QUICK)
    assert {u.name: u.why for u in untried}["spy"] == "tried when a budget is given, or named"
    tried_too, _ = candidates("evasion", net.subject, net.inputs, QUICK, every=True)
    assert [c.entry.name for c in tried_too][: len(tried)] == [c.entry.name for c in tried], "defaults come first"
    assert "spy" in {c.entry.name for c in tried_too}


@pytest.mark.parametrize(
    ("wanted", "error", "words"),
    [
        (replace(WANTED, against="opacity"), UsageError, "nothing hardens against 'opacity'"),
        (replace(WANTED, mitigations=("adversarial-trainin",)), UnknownName, "no mitigation"),
        (replace(WANTED, params={"epoch": 3}), UnknownName, "no parameter named 'epoch'"),
        (replace(WANTED, clean_loss=3.0), UsageError, "a fraction from 0 to 1"),
        (replace(WANTED, params={"epochs": "many"}), UsageError, "nothing that hardens"),
    ],
)
def test_wrong_words_are_errors_that_name_them(wanted: Wanted, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        search(target(), wanted, session())


def test_too_few_training_rows_are_an_error() -> None:
    few = replace(target(), inputs=Inputs(train=data(0, 6), test=data(1000, 1010)))
    with pytest.raises(UsageError, match="6 training rows leave"):
        search(few, WANTED, session())


def alternative(name: str, clean: float, robust: float, cost: float = 1.0) -> Alternative:
    def rate(value: float) -> Quantity:
        return Quantity(name="r", value=value, unit="fraction", n=100, low=value, high=value, better="higher")

    subject = target().subject
    return Alternative(
        name=name, rule="", subject=subject, clean=rate(clean), worth=rate(robust), latency_s=rate(0.1),
        training_cpu_s=cost, note="",
    )  # fmt: skip


def test_the_most_robust_within_the_loss_is_taken() -> None:
    found = [
        alternative(ORIGINAL, 0.95, 0.01),
        alternative("mild", 0.90, 0.40),
        alternative("strong", 0.70, 0.60),
        alternative("worse", 0.89, 0.40),
    ]
    assert [a.name for a in front(found)] == [ORIGINAL, "mild", "strong"]
    assert choose(found, clean_loss=0.1).name == "mild"
    assert choose(found, clean_loss=0.3).name == "strong"
    assert choose(found, clean_loss=0.0).name == ORIGINAL, "where everything costs too much nothing is taken"


def test_between_equals_the_cheaper_one_is_taken() -> None:
    found = [alternative(ORIGINAL, 0.9, 0.0), alternative("dear", 0.9, 0.5, 9.0), alternative("cheap", 0.9, 0.5, 1.0)]
    assert choose(found, clean_loss=0.1).name == "cheap"


@cache
def reported() -> tuple[redan.Report, Hardened]:
    return harden(target(), WANTED, session(), asked={"against": "evasion"})


def test_before_and_after_are_measured_on_all_test_rows_and_the_gate_follows_the_paired_test() -> None:
    report, _ = reported()
    assert (report.gate.verdict, report.gate.exit_code) == ("pass", 0)
    finding = report.findings[0]
    gain = finding.quantity("robust_accuracy_gain")
    assert gain is not None
    assert gain.n == 200
    assert gain.low > 0
    assert {t.name: t.draw for t in finding.tables} == {"before_and_after": "plain", "alternatives": "scatter"}
    standing = {row[0]: row[-1] for row in finding.tables[1].rows}
    assert standing == {ORIGINAL: "front", "adversarial-training": "taken"}
    assert [s.name for s in finding.series] == ["accuracy_by_eps", "before_accuracy_by_eps"]
    assert finding.blob("before-adversarial") is not None
    assert [p.name for p in report.probes] == ["cascade, before", "cascade", "gradient-masking"]


def test_no_gain_fails_the_gate(register: Register) -> None:
    register(Spy, "spy", 1)
    report, found = harden(target(), replace(WANTED, mitigations=("spy",)), session(), asked={})
    assert (report.gate.verdict, report.gate.exit_code) == ("fail", 1)
    assert report.gate.reasons[0].startswith("not better at 95 %")
    assert found.taken.name in (ORIGINAL, "spy")


def test_a_gain_that_is_in_doubt_or_cut_short_is_no_gain() -> None:
    net = target()
    seen = measured("cascade", net.subject, net.inputs, QUICK, session())
    gain = Compared(before=replace(seen, worth=replace(seen.worth, value=0.0)), after=seen, p_value=0.001)
    assert gain.better
    assert not replace(gain, p_value=0.2).better
    assert not replace(gain, after=replace(seen, doubt="gradients are masked")).better
    assert not replace(gain, after=replace(seen, partial="the budget is spent")).better


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_saved_weights_load_without_code_and_answer_alike(tmp_path: Path, ending: str) -> None:
    found = searched()
    place = tmp_path / f"better{ending}"
    advice = save(found, target().subject, place, "model.py:net")
    assert advice == f"redan attack model.py:net --weights {place}"
    if ending == ".pt":
        state = torch.load(place, weights_only=True)
    else:
        from safetensors.torch import load_file

        state = load_file(place)
    net = network()
    net.load_state_dict(state)
    x = data(1000, 1100).x
    np.testing.assert_array_equal(net(torch.from_numpy(x)).argmax(1).numpy(), found.subject.labels(x))  # type: ignore[attr-defined]  # a torch subject
    lineage = json.loads((tmp_path / f"better{ending}.lineage.json").read_text())
    assert lineage["subject"]["sha256"] == found.subject.ref.digest
    assert lineage["subject"]["made_from"] == [target().subject.ref.digest]


def test_a_place_that_could_not_be_saved_to_is_refused_early(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected one of"):
        check_place(tmp_path / "better.onnx", target().subject)
    with pytest.raises(UsageError, match="no folder"):
        check_place(tmp_path / "nowhere" / "better.pt", target().subject)


def test_the_readme_calls_work() -> None:
    net = redan.subject(network_with_weights(), data=(data(1000, 1200).x, data(1000, 1200).y), bounds=(0, 1), name="n")
    before = redan.attack(net, probes=["cascade"], norm="linf", eps=0.15, plan="quick", seed=0)
    safer = redan.harden(net, against="evasion", mitigations=["adversarial-training"], epochs=2, eps=0.15)
    comparison = redan.compare(before, redan.attack(safer, like=before))
    assert comparison.changes
    assert safer.front
    assert any("no training data was given" in note for note in safer.notes)


def network_with_weights() -> torch.nn.Module:
    net = network()
    net.load_state_dict(weights())
    return net
