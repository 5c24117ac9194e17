"""Many mentions, one answer a package."""

from __future__ import annotations

from redan.kernels.packages.model import Manifest, Package
from redan.kernels.packages.resolving import Resolved, resolve


def manifest(*packages: Package, kind: str = "requirements", project: str = "") -> Manifest:
    return Manifest(path=kind, kind=kind, packages=packages, project=project)


def said(name: str, role: str = "declared", **more) -> Package:
    return Package(name=name, role=role, path="p", **more)


def by_name(*manifests: Manifest) -> dict[str, Resolved]:
    return {r.name: r for r in resolve(manifests)}


def test_what_is_installed_decides_over_the_lock_and_that_over_the_pin() -> None:
    pin, lock, have = said("a", version="1"), said("a", "locked", version="2"), said("a", "installed", version="3")
    assert by_name(manifest(pin))["a"].version == "1"
    assert by_name(manifest(pin), manifest(lock))["a"].version == "2"
    assert by_name(manifest(pin), manifest(lock), manifest(have))["a"].version == "3"


def test_an_environment_counts_as_far_as_the_project_leads() -> None:
    env = manifest(
        said("a", "installed", version="1", requires=("b",), licence="MIT"),
        said("b", "installed", version="2"),
        said("unrelated", "installed", version="3"),
    )
    found = by_name(manifest(said("a")), env)
    assert set(found) == {"a", "b"}
    assert (found["a"].direct, found["b"].direct) == (True, False)
    assert found["a"].needs == (("pypi", "b"),)
    assert found["a"].licence == "MIT"
    assert set(by_name(env)) == {"a", "b", "unrelated"}


def test_hashes_belong_to_a_version_and_two_locked_versions_stay_apart() -> None:
    one = said("a", "locked", version="1", hashes=("sha256:1",))
    two = said("a", "locked", version="2", hashes=("sha256:2",))
    assert [(r.version, r.hashes) for r in resolve([manifest(one, two)])] == [
        ("1", ("sha256:1",)),
        ("2", ("sha256:2",)),
    ]


def test_what_only_tests_need_is_not_required_and_the_project_is_no_package() -> None:
    found = by_name(manifest(said("a"), said("t", group="group:dev"), said("me"), said("b", "build"), project="me"))
    assert {name: r.required for name, r in found.items()} == {"a": True, "t": False, "b": False}
