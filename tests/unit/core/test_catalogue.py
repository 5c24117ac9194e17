"""The catalogue: names, duplicates, the manifest, and that everything in it can be loaded and explains itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from redan.core import catalogue
from redan.core.catalogue import Entry, Rule
from redan.core.errors import UnknownName, UsageError
from redan.core.finding import Severity
from redan.core.params import Params
from redan.core.probe import Spec

ROOT = Path(__file__).resolve().parents[3]
SECTIONS = {
    "probe": (
        "What it measures",
        "Why it matters",
        "How",
        "Shapes",
        "Units",
        "Error of the estimate",
        "Cost",
        "Sources",
        "Limits",
    ),
    "rule": ("What it means", "Why it matters", "How it is found", "What to do", "Limits"),
}
SPEC = Spec(id="ACME-EVA-001", name="margin", threat="evasion", title="t", source="s")


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Forget afterwards what a test registers."""
    before = dict(catalogue._registered)
    yield
    catalogue._registered.clear()
    catalogue._registered.update(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Few(Params):
    """One parameter."""

    steps: int = 3


def probe(name: str, spec: Spec = SPEC, module: str = "acme_probes") -> type:
    """Register a class of that name as if it came from that module."""
    made: type = type(name, (), {"__doc__": "Measures.\n\n    More.", "__module__": module, "Params": Few})
    return catalogue.probe(spec)(made)


def test_a_decorated_probe_is_an_entry() -> None:
    made: Any = probe("Margin", replace(SPEC, needs=("scores",), data=("test",), references=("cwe:1",)))
    entry = catalogue.entry("probe", "margin")
    assert made.spec.name == "margin"
    assert entry.target == "acme_probes:Margin"
    assert entry.doc == "Measures.\n\nMore."
    assert (entry.needs, entry.data, entry.references) == (("scores",), ("test",), ("cwe:1",))
    assert entry.params == {"steps": 3}
    assert entry in catalogue.registered()
    assert entry in catalogue.entries("probe")
    assert entry not in catalogue.entries("rule")


@pytest.mark.parametrize("words", ["margin", "MARGIN", "ACME-EVA-001", "acme-eva-001"])
def test_an_entry_is_found_by_name_or_identifier_in_any_case(words: str) -> None:
    probe("Margin")
    assert catalogue.entry("probe", words).id == "ACME-EVA-001"


def test_unknown_names_give_the_nearest_of_their_kind() -> None:
    with pytest.raises(UnknownName, match="there is no probe named 'cascad'") as caught:
        catalogue.entry("probe", "cascad")
    assert caught.value.hint == "did you mean 'cascade'?"
    with pytest.raises(UnknownName, match="there is no rule named 'cascade'"):
        catalogue.entry("rule", "cascade")
    with pytest.raises(UnknownName, match=r"no report ending named '\.sarf'") as caught:
        catalogue.writer_for(Path("x.sarf"))
    assert caught.value.hint == "did you mean '.sarif'?"


def test_the_same_class_may_register_again() -> None:
    probe("Margin")
    probe("Margin", replace(SPEC, title="after a reload"))
    assert catalogue.entry("probe", "margin").title == "after a reload"


@pytest.mark.parametrize(
    ("spec", "other"),
    [
        (SPEC, SPEC),
        (SPEC, replace(SPEC, name="other")),
        (SPEC, replace(SPEC, id="ACME-EVA-002")),
        (SPEC, replace(SPEC, id="ACME-EVA-002", name="Margin")),
        (SPEC, replace(SPEC, id="MARGIN", name="third")),
    ],
    ids=["both", "identifier", "name", "name in another case", "name as identifier"],
)
def test_duplicates_are_refused(spec: Spec, other: Spec) -> None:
    probe("One", spec)
    with pytest.raises(UsageError, match="is registered twice: by acme_probes:One and by acme_probes:Other"):
        probe("Other", other)
    assert catalogue.entry("probe", "ACME-EVA-001").target == "acme_probes:One"


@pytest.mark.parametrize("taken", [e for e in catalogue.entries() if e.kind in ("probe", "rule")], ids=lambda e: e.id)
def test_a_plugin_cannot_take_what_is_ours_even_before_it_is_imported(taken: Entry) -> None:
    catalogue._registered.clear()
    with pytest.raises(UsageError, match="is registered twice"):
        probe("Thief", replace(SPEC, id=taken.id))
    if taken.kind == "probe":
        with pytest.raises(UsageError, match="is registered twice"):
            probe("Thief", replace(SPEC, name=taken.name))
    assert catalogue.entry(taken.kind, taken.id) == taken


def test_a_rule_and_a_probe_cannot_share_an_identifier() -> None:
    probe("Margin")
    rule = Rule(id=SPEC.id, name="r", threat="evasion", title="t", severity=Severity.LOW, remedy="m")
    with pytest.raises(UsageError, match="is registered twice"):
        catalogue.rule(rule, module="acme_rules", doc="d")


def test_a_writer_registers_with_its_ending() -> None:
    def write(report: object) -> bytes:
        """A format of our own.

        More about it.
        """
        return b""

    catalogue.writer(name="acme", suffix=".acme", media_type="text/x-acme")(write)
    entry = catalogue.entry("writer", "acme")
    assert (entry.title, entry.suffix, entry.media_type) == ("A format of our own.", ".acme", "text/x-acme")


def test_the_manifest_is_current() -> None:
    words = [sys.executable, str(ROOT / "scripts" / "manifest.py"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_identifiers_are_used_once() -> None:
    ids = [e.id for e in catalogue.entries() if e.kind not in ("threat", "writer")]
    assert sorted(ids) == sorted(set(ids))
    endings = [e.suffix for e in catalogue.entries("writer")]
    assert sorted(endings) == sorted(set(endings))


@pytest.mark.parametrize("entry", catalogue.entries(), ids=lambda e: f"{e.kind}-{e.id}")
def test_every_entry_loads_and_belongs_to_a_threat(entry: Entry) -> None:
    assert catalogue.load(entry) is not None
    threats = {t.id for t in catalogue.entries("threat")}
    assert entry.kind == "writer" or entry.threat in threats
    assert set(entry.unless.split()) <= {e.id for e in catalogue.entries("probe")}


@pytest.mark.parametrize(
    "entry", [e for e in catalogue.entries() if e.kind in SECTIONS], ids=lambda e: f"{e.kind}-{e.id}"
)
def test_every_page_has_the_sections_of_the_template_in_order(entry: Entry) -> None:
    lines = entry.doc.splitlines()
    assert lines[0].endswith((".", "?"))
    found = [line[:-1] for line in lines if line.removesuffix(":") in SECTIONS[entry.kind] and line.endswith(":")]
    assert tuple(found) == SECTIONS[entry.kind]
    for section in found:
        body = lines[lines.index(f"{section}:") + 1]
        assert body.startswith("    "), f"{section} is empty"
        assert body.strip(), f"{section} is empty"
