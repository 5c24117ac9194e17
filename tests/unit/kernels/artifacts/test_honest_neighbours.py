"""Files that lie beside models in real projects and are no models: they must not cry wolf."""

from __future__ import annotations

import pytest

from redan.kernels.artifacts import inspect_bytes
from redan.kernels.artifacts.reading import is_artifact

ELF = b"\x7fELF\x02\x01\x01" + bytes(200)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("page.html", b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/x.dtd"><html/>'),
        (
            "bus.conf",
            b'<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD" "http://www.freedesktop.org/b.dtd"><busconfig/>',
        ),
        ("fonts.conf", b'<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig/>'),
        ("base.html.jinja", b"{% extends 'layout.html' %}{% import 'x' as y %}{{ title }}"),
        ("redan.yml", b"redan:\n  image: python:3.12\n  script:\n    - pip install redan\n"),
        ("passwd", b"root:x:0:0:root:/root:/bin/bash\n"),
    ],
)
def test_prose_and_pages_are_no_artifacts(name: str, data: bytes) -> None:
    reading = inspect_bytes(data, name)
    assert reading.reasons == ()
    assert not is_artifact(reading)


def test_a_shared_library_under_its_own_name_is_not_judged() -> None:
    assert inspect_bytes(ELF, "ops.so").verdict == "unknown"
    assert inspect_bytes(ELF, "libgomp.so.1").verdict == "unknown"


def test_an_executable_under_a_models_name_is_unsafe() -> None:
    assert inspect_bytes(ELF, "model.bin").verdict == "unsafe"


@pytest.mark.parametrize(
    "data",
    [
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><r>&x;</r>',
        b'<?xml version="1.0"?><!DOCTYPE r SYSTEM "http://127.0.0.1/x.dtd"><r/>',
        b'<?xml version="1.0"?><!DOCTYPE r SYSTEM "/etc/x.dtd"><r/>',
        b'<?xml version="1.0"?><!DOCTYPE PMML PUBLIC "a" "b"><PMML version="4.4"/>',
    ],
)
def test_a_document_that_reaches_elsewhere_is_unsafe(data: bytes) -> None:
    assert inspect_bytes(data, "model.xml").verdict == "unsafe"
