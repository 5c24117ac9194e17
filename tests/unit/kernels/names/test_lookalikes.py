"""Which names and versions are suspected, and how many honest ones are."""

from __future__ import annotations

from importlib.metadata import distributions

import pytest

from redan.kernels.names.lookalike import lookalike, popular, popular_of
from redan.kernels.names.suspects import absurd, suspects
from redan.kernels.packages.model import Manifest, Package, Source


@pytest.mark.parametrize(
    ("name", "target", "trick"),
    [
        ("torchvison", "torchvision", "slip"),
        ("tensorfow", "tensorflow", "slip"),
        ("reqeusts", "requests", "slip"),
        ("requestss", "requests", "slip"),
        ("nunpy", "numpy", "slip"),
        ("tourch", "torch", "slip"),
        ("kears", "keras", "slip"),
        ("scikitlearn", "scikit-learn", "separator"),
        ("scikit-1earn", "scikit-learn", "look"),
        ("rnlflow", "mlflow", "look"),
        ("Trans_formers", "transformers", "separator"),
        ("python-requests", "requests", "affix"),
        ("numpy-official", "numpy", "affix"),
        ("sklearn", "scikit-learn", "misnomer"),
        ("pytorch", "torch", "misnomer"),
    ],
)
def test_tricks_with_well_known_names_are_seen(name: str, target: str, trick: str) -> None:
    found = lookalike(name, popular())
    assert found is not None
    assert (found.target, found.trick) == (target, trick)


@pytest.mark.parametrize(
    "name",
    ["torch", "torchvision", "boto3", "boto", "attr", "attrs", "fastai", "fastapi", "my-own-thing", "x", "", "zzz"],
)
def test_well_known_and_other_names_are_not_suspected(name: str) -> None:
    assert lookalike(name, popular()) is None


def test_nothing_that_is_installed_here_is_suspected() -> None:
    names = {d.metadata["Name"] for d in distributions()}
    assert len(names) > 100
    assert [name for name in names if lookalike(name, popular()) is not None] == []


def test_of_names_that_a_shorter_list_does_not_know_few_are_suspected() -> None:
    names = [line for line in _lines() if not line.startswith("#")]
    shorter, held_out = popular_of(names[:5000]), names[5000:]
    n_suspected = sum(lookalike(name, shorter) is not None for name in held_out[::5])
    assert n_suspected / len(held_out[::5]) < 0.02


def _lines() -> list[str]:
    from importlib.resources import files

    return files("redan.kernels.names").joinpath("popular.txt").read_text(encoding="ascii").splitlines()


@pytest.mark.parametrize("version", ["999.9.9", "99.0", "9999.0.0", "99.99.99", "999", "99.0.1", "1!999.0"])
def test_versions_of_nines_are_absurd(version: str) -> None:
    assert absurd(version)


@pytest.mark.parametrize(
    "version", ["2.6.0", "2026.1", "312", "84.2.1", "19.9.9", "9.9", "0.99", "99.0.202610251748", "199.0", "", "998.1"]
)
def test_dates_and_many_releases_are_not(version: str) -> None:
    assert not absurd(version)


def package(name: str, version: str = "", **rest: object) -> Package:
    return Package(name=name, version=version, role="declared", path="r.txt", line=1, **rest)  # type: ignore[arg-type]  # test data


def test_a_project_is_judged_by_what_it_takes_from_an_index() -> None:
    manifest = Manifest(
        path="r.txt",
        kind="requirements",
        project="reqeusts",
        packages=(
            package("torchvison"),
            package("torchvison", "1.0"),
            package("inner", "999.9.9"),
            package("reqeusts"),
            package("nunpy", source=Source(kind="vcs", url="git+https://host/nunpy")),
            package("lodahs", ecosystem="npm"),
        ),
    )
    found = [(each.name, each.kind, each.detail, len(each.mentions)) for each in suspects([manifest])]
    assert found == [("torchvison", "slip", "torchvision", 2), ("inner", "version", "999.9.9", 1)]
