"""Whatever a bill holds, its documents fit their schemas, and the same bill gives the same bytes."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from redan.core.bom import Bom
from redan.reports import cyclonedx, spdx

boms = runpy.run_path(str(Path(__file__).with_name("any_bom.py")))["boms"]
QUICK = (Phase.explicit, Phase.generate)
validation = pytest.importorskip("cyclonedx.validation.json")


@pytest.fixture(scope="module")
def validator():
    from cyclonedx.schema import SchemaVersion

    return validation.JsonStrictValidator(SchemaVersion.V1_7)


@given(bom=boms())
@settings(max_examples=60, deadline=None, phases=QUICK)
def test_every_bill_fits_the_schema(bom: Bom, validator) -> None:
    assert validator.validate_str(cyclonedx.write(bom).decode()) is None


@given(bom=boms())
@settings(max_examples=20, deadline=None, phases=QUICK)
def test_the_order_of_the_parts_does_not_matter(bom: Bom) -> None:
    turned = replace(bom, components=bom.components[::-1], vulnerabilities=bom.vulnerabilities[::-1])
    assert cyclonedx.write(turned) == cyclonedx.write(bom)
    assert spdx.write(turned) == spdx.write(bom)


@given(bom=boms())
@settings(max_examples=20, deadline=None, phases=QUICK)
def test_the_serial_number_names_the_content_and_not_the_time(bom: Bom) -> None:
    first, later = (json.loads(cyclonedx.write(b)) for b in (bom, replace(bom, timestamp="2030-01-01T00:00:00Z")))
    assert first["serialNumber"] == later["serialNumber"]
    other = json.loads(cyclonedx.write(replace(bom, tool_version="2")))
    assert other["serialNumber"] != first["serialNumber"]


@given(bom=boms())
@settings(max_examples=20, deadline=None, phases=QUICK)
def test_every_spdx_reference_leads_to_a_package(bom: Bom) -> None:
    document = json.loads(spdx.write(bom))
    known = {"SPDXRef-DOCUMENT", *(p["SPDXID"] for p in document["packages"])}
    ends = {r[key] for r in document["relationships"] for key in ("spdxElementId", "relatedSpdxElement")}
    assert ends <= known
    assert all(p["licenseDeclared"] for p in document["packages"])
