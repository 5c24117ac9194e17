"""Attributes and links of HDF5 in fractal heaps, written by the real library."""

from __future__ import annotations

import json
import random

import pytest

from redan.kernels.artifacts import inspect, inspect_bytes

h5py = pytest.importorskip("h5py")

LAMBDA = {"class_name": "Lambda", "config": {"function": ["4wEAAAAAAAAAAAAAAAEAAAACAAAAUwAAAHMIAAAA", None, None]}}


def configuration(*layers: dict) -> str:
    return json.dumps({"class_name": "Sequential", "config": {"layers": list(layers)}})


@pytest.mark.parametrize("track_order", [False, True])
@pytest.mark.parametrize(("n", "n_chars"), [(9, 10), (30, 3000), (300, 900), (3000, 10)])
def test_a_configuration_among_many_attributes_is_judged(tmp_path, n, n_chars, track_order):
    for layers, verdict in (((), "safe"), ((LAMBDA,), "unsafe")):
        path = tmp_path / f"{verdict}.h5"
        with h5py.File(path, "w", libver="latest", track_order=track_order) as file:
            for i in range(n):
                file.attrs[f"attribute {i}"] = "x" * n_chars
                if i == n // 2:
                    file.attrs["model_config"] = configuration(*layers)
        assert inspect(path).verdict == verdict


def test_links_in_a_heap_are_followed(tmp_path):
    path = tmp_path / "links.h5"
    with h5py.File(path, "w", libver="latest") as file:
        for i in range(500):
            file.create_group(f"group {i}")
        file["group 250"].attrs["model_config"] = configuration(LAMBDA)
    assert inspect(path).verdict == "unsafe"


def test_an_external_link_in_a_heap_is_unsafe(tmp_path):
    path = tmp_path / "external.h5"
    with h5py.File(path, "w", libver="latest") as file:
        for i in range(100):
            file.create_group(f"group {i}")
        file["x"] = h5py.ExternalLink("/etc/passwd", "x")
    assert [reason.kind for reason in inspect(path).reasons] == ["external-data"]


def test_an_attribute_too_large_for_the_heap_is_unknown(tmp_path):
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file.attrs.create("model_config", b"{" + b" " * 70_000, dtype="S70001")
    assert inspect(path).verdict == "unknown"


def test_damaged_heaps_end_and_are_never_safe_with_what_they_hid(tmp_path):
    path = tmp_path / "damaged.h5"
    with h5py.File(path, "w", libver="latest") as file:
        for i in range(300):
            file.attrs[f"attribute {i}"] = "x" * 40
        file.attrs["model_config"] = configuration(LAMBDA)
    whole = path.read_bytes()
    places = [at for at in range(len(whole)) if whole[at : at + 4] in (b"FRHP", b"BTHD", b"BTIN", b"FHIB")]
    rng = random.Random(1)
    assert places
    for _ in range(80):
        damaged = bytearray(whole)
        damaged[rng.choice(places) + rng.randrange(0, 60)] = rng.randrange(256)
        assert inspect_bytes(bytes(damaged), "m.h5").verdict != "safe"
