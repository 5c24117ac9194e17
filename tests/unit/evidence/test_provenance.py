"""The predicate of a run has the fields that SLSA provenance v1 asks for, and nothing that is empty."""

from __future__ import annotations

import json
from dataclasses import replace

from redan.evidence.provenance import BUILDER, Build, Dependency, provenance

BUILD = Build(
    argv=("python", "train.py"),
    parameters={"lr": "0.1"},
    seed=None,
    environment=("HOME", "PATH"),
    declared={"read": ("data",), "write": ("out",), "execute": ()},
    platform={"machine": "x86_64"},
    limits={"cpu_s": 60},
    dependencies=(Dependency(uri="file:data", digest={"sha256": "0" * 64}), Dependency(uri="pkg:pypi/a@1")),
    started="2030-01-01T00:00:00+00:00",
    finished="2030-01-01T00:00:01+00:00",
    trace={"undeclared": ["read /etc/passwd"]},
    complete=True,
    version="1.0",
)


def test_it_has_the_fields_of_the_standard() -> None:
    predicate = provenance(BUILD)
    assert set(predicate) == {"buildDefinition", "runDetails"}
    definition, details = predicate["buildDefinition"], predicate["runDetails"]
    assert definition["buildType"].startswith("https://")
    assert definition["externalParameters"]["command"] == ["python", "train.py"]
    assert definition["resolvedDependencies"] == [
        {"uri": "file:data", "digest": {"sha256": "0" * 64}},
        {"uri": "pkg:pypi/a@1"},
    ]
    assert details["builder"] == {"id": BUILDER, "version": {"redan": "1.0"}}
    assert details["metadata"]["startedOn"] < details["metadata"]["finishedOn"]
    assert details["byproducts"][0]["annotations"] == {"undeclared": ["read /etc/passwd"], "complete": True}
    assert json.loads(json.dumps(predicate)) == predicate


def test_a_seed_stands_there_only_when_it_was_given() -> None:
    assert "seed" not in provenance(BUILD)["buildDefinition"]["externalParameters"]
    assert provenance(replace(BUILD, seed=0))["buildDefinition"]["externalParameters"]["seed"] == 0
