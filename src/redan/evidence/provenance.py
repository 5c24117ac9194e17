"""The predicate of a run: SLSA provenance v1, filled with what a command was, what went in and what it asked for.

Source: SLSA specification v1.0, Provenance (buildDefinition, runDetails); in-toto ResourceDescriptor v1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BUILDER = "https://github.com/redan-security/redan/run"
BUILD_TYPE = f"{BUILDER}/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One thing that went in, as in-toto describes resources.

    Attributes:
        uri: such as ``file:data``, ``git+https://…`` or ``pkg:pypi/torch@2.1.0``.
        digest: algorithm → hexadecimal value; may be empty for a package.
        annotations: what else is known of it.
    """

    uri: str
    digest: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return it as JSON values, without what is empty."""
        known = {"uri": self.uri, "digest": dict(self.digest), "annotations": dict(self.annotations)}
        return {key: value for key, value in known.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A run that ended.

    Attributes:
        argv: the command's words.
        parameters: what its owner declares of it.
        seed: declared seed; None where there is none.
        environment: names of the variables that it was given.
        declared: kind of access → paths: what it was allowed.
        platform: Python, operating system, processors.
        limits: most of each process.
        dependencies: what went in.
        started: UTC time, ISO 8601.
        finished: UTC time, ISO 8601.
        trace: what it asked for, in the form that the runner gives it.
        complete: it ended with 0, and all that it asked for is in the trace.
        version: of Redan.
    """

    argv: tuple[str, ...]
    parameters: Mapping[str, str]
    seed: int | None
    environment: tuple[str, ...]
    declared: Mapping[str, tuple[str, ...]]
    platform: Mapping[str, Any]
    limits: Mapping[str, int]
    dependencies: tuple[Dependency, ...]
    started: str
    finished: str
    trace: Mapping[str, Any]
    complete: bool
    version: str


def provenance(build: Build) -> dict[str, Any]:
    """Return the predicate; runs with the same inputs give the same one, apart from the two times."""
    external: dict[str, Any] = {
        "command": list(build.argv),
        "parameters": dict(build.parameters),
        "environment": list(build.environment),
        "declared": {kind: list(paths) for kind, paths in build.declared.items()},
    }
    if build.seed is not None:
        external["seed"] = build.seed
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": external,
            "internalParameters": {"platform": dict(build.platform), "limits": dict(build.limits)},
            "resolvedDependencies": [each.document() for each in build.dependencies],
        },
        "runDetails": {
            "builder": {"id": BUILDER, "version": {"redan": build.version}},
            "metadata": {"startedOn": build.started, "finishedOn": build.finished},
            "byproducts": [{"name": "trace", "annotations": {**build.trace, "complete": build.complete}}],
        },
    }
