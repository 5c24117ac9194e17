"""Which probes run on what, and why the others do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from redan.core.errors import UnknownName, UsageError
from redan.core.inputs import Inputs
from redan.runner.plan import Choice, chosen, plan


def only(*names: str, **params: Any) -> Choice:
    """Choose by name."""
    return Choice(probes=names, params=params)


def names(found: Any) -> list[str]:
    """Names of the steps."""
    return [step.entry.name for step in found.steps]


def test_a_probe_gets_subject_and_parameters(register: Any, noise: type, subject: Any, inputs: Inputs) -> None:
    register(noise, "noise", 1)
    (step,) = plan([subject], inputs, only("noise", eps=0.3)).steps
    assert step.subject is subject
    assert step.params.as_dict() == {"eps": 0.3, "batch_size": 10}


def test_a_subject_that_lacks_a_capability_is_skipped_with_its_name(
    register: Any, noise: type, subject: Any, inputs: Inputs
) -> None:
    register(noise, "noise", 1, needs=("labels", "gradients", "weights"))
    found = plan([subject], inputs, only("noise"))
    assert found.steps == ()
    (skip,) = found.skipped
    assert (skip.outcome, skip.probe) == ("skipped", "TST-RUN-001")
    assert skip.why == "needs gradients, weights, which threshold (callable) does not offer"


def test_the_first_subject_that_fits_is_taken(register: Any, noise: type, subject: Any, inputs: Inputs) -> None:
    register(noise, "noise", 1)
    less = replace(subject, capabilities=frozenset({"bytes"}))
    again = replace(subject, classes=())
    (step,) = plan([less, subject, again], inputs, only("noise")).steps
    assert step.subject is subject


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (("train",), "needs train data, which was not given"),
        (("test", "train", "canary"), "needs train and canary data, which was not given"),
    ],
)
def test_missing_data_is_named(
    register: Any, noise: type, subject: Any, inputs: Inputs, data: tuple[str, ...], why: str
) -> None:
    register(noise, "noise", 1, data=data)
    (skip,) = plan([subject], inputs, only("noise")).skipped
    assert skip.why == why


def test_without_subjects_there_is_nothing_to_measure(register: Any, noise: type, inputs: Inputs) -> None:
    register(noise, "noise", 1)
    (skip,) = plan([], inputs, only("noise")).skipped
    assert skip.why == "there is nothing to measure"


@pytest.mark.parametrize("numbers", [(1, 2), (2, 1)], ids=["better first", "better last"])
def test_a_probe_gives_way_to_a_better_informed_one_that_runs(
    register: Any, noise: type, subject: Any, inputs: Inputs, numbers: tuple[int, int]
) -> None:
    better, worse = numbers
    register(noise, "better", better)
    register(noise, "worse", worse, unless=f"TST-RUN-{better:03}")
    found = plan([subject], inputs, Choice(threats=("evasion",)))
    assert "better" in names(found)
    assert "worse" not in names(found)
    assert "worse" not in [skip.name for skip in found.skipped]


def test_it_runs_where_the_better_informed_one_cannot(register: Any, noise: type, subject: Any, inputs: Inputs) -> None:
    register(noise, "better", 1, needs=("gradients",))
    register(noise, "worse", 2, unless="TST-RUN-001")
    found = plan([subject], inputs, Choice(threats=("evasion",)))
    assert "worse" in names(found)
    assert "better" in [skip.name for skip in found.skipped]


def test_it_runs_beside_the_better_informed_one_when_both_are_named(
    register: Any, noise: type, subject: Any, inputs: Inputs
) -> None:
    register(noise, "better", 1)
    register(noise, "worse", 2, unless="TST-RUN-001")
    assert names(plan([subject], inputs, only("worse", "better"))) == ["worse", "better"]


def test_a_probe_on_request_runs_only_when_named(register: Any, noise: type, subject: Any, inputs: Inputs) -> None:
    register(noise, "request", 1, default=False)
    assert "request" not in names(plan([subject], inputs, Choice(threats=("evasion",))))
    assert names(plan([subject], inputs, only("request"))) == ["request"]


def test_parameters_of_other_probes_are_fine_and_of_no_probe_are_not(
    register: Any, noise: type, subject: Any, inputs: Inputs
) -> None:
    register(noise, "noise", 1)
    found = plan([subject], inputs, only("noise", "cascade", eps=0.3, norm="l2"))
    assert found.steps[0].params.as_dict() == {"eps": 0.3, "batch_size": 10}
    with pytest.raises(UnknownName, match="there is no parameter named 'epss'") as caught:
        plan([subject], inputs, only("noise", epss=0.3))
    assert caught.value.hint == "did you mean 'eps'?"
    with pytest.raises(UsageError, match="parameter 'eps' is 'big'; expected float"):
        plan([subject], inputs, only("noise", eps="big"))


def test_unknown_threats_and_probes_name_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no threat named 'evasoin'") as caught:
        chosen(Choice(threats=("evasoin",)))
    assert caught.value.hint == "did you mean 'evasion'?"
    with pytest.raises(UnknownName, match="no probe named 'cascad'"):
        chosen(only("cascad"))


def test_a_probe_outside_of_the_threats_asked_for_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="'artifacts' belongs to supply_chain, which is not among the threats"):
        chosen(Choice(threats=("evasion",), probes=("artifacts",)))


def test_a_threat_that_none_of_the_named_probes_serves_is_told() -> None:
    found = plan([], Inputs(), Choice(threats=("evasion", "supply_chain"), probes=("cascade",)))
    assert [(skip.threat, skip.why) for skip in found.skipped if not skip.probe] == [
        ("supply_chain", "no probe was chosen for it")
    ]
