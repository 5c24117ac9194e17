"""Files that torch writes: zip and legacy checkpoints, whole modules and TorchScript."""

from __future__ import annotations

import io
import os
import zipfile

import pytest

from redan.kernels.artifacts import Reading, inspect_bytes

torch = pytest.importorskip("torch")


class RunsCommand:
    """Pickles as a call of `os.system`; nothing here ever loads it."""

    def __reduce__(self):
        return os.system, ("true",)


def saved(value, **options) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, **options)
    return file.getvalue()


def read(data: bytes) -> Reading:
    return inspect_bytes(data, "model.pt")


def small() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.ReLU())


TENSORS = {"f": torch.zeros(3), "h": torch.zeros(2, dtype=torch.bfloat16), "i": torch.arange(4), "b": torch.ones(1) > 0}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("value", [TENSORS, small().state_dict(), small()], ids=["tensors", "state", "module"])
def test_checkpoints_are_safe(value, zipped):
    reading = read(saved(value, _use_new_zipfile_serialization=zipped))
    assert (reading.verdict, reading.reasons) == ("safe", ())
    assert reading.format == ("torch-zip" if zipped else "torch-legacy")


def test_optimizer_state_is_safe():
    model = small()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(4, 3)).sum().backward()
    optimizer.step()
    assert read(saved({"o": optimizer.state_dict(), "epoch": 3})).reasons == ()


def test_call_graph_of_a_state_names_the_rebuild_function():
    calls = read(saved(TENSORS)).calls
    assert {"torch._utils._rebuild_tensor_v2"} <= {call.callable for call in calls}
    assert {call.stream for call in calls} == {"archive/data.pkl"}


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_hostile_checkpoints_are_unsafe(zipped):
    reading = read(saved([torch.zeros(2), RunsCommand()], _use_new_zipfile_serialization=zipped))
    assert reading.verdict == "unsafe"
    (where,) = [r.where for r in reading.reasons if r.kind == "denied-import"]
    assert where.startswith("archive/data.pkl @ byte " if zipped else "byte ")


def test_storages_are_not_read():
    reading = read(saved(torch.zeros(500_000)))
    assert reading.n_bytes_read < 5_000
    assert "archive/data/0" in reading.members


def test_pickle_behind_legacy_storages_is_found():
    data = saved(TENSORS, _use_new_zipfile_serialization=False)
    assert read(data + b"\x80\x02cos\nsystem\n(S'true'\ntR.").verdict == "unsafe"


def test_legacy_storages_that_look_like_pickles_are_harmless():
    content = b"\x80\x02cos\nsystem\n(S'true'\ntR.".ljust(32, b"\0")
    tensor = torch.tensor(list(content), dtype=torch.uint8)
    assert read(saved(tensor, _use_new_zipfile_serialization=False)).verdict == "safe"


def rewritten(data: bytes, change) -> bytes:
    """The archive with its members passed through `change(name, content)`, which returns (name, content) pairs."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for info in old.infolist():
            for name, content in change(info.filename, old.read(info)):
                new.writestr(name, content)
    return file.getvalue()


def test_second_pickle_in_the_archive_is_read():
    def add(name, content):
        yield name, content
        if name.endswith("data.pkl"):
            yield "archive/extra/data.pkl", b"\x80\x02cos\nsystem\n(S'true'\ntR."

    assert read(rewritten(saved(TENSORS), add)).verdict == "unsafe"


def test_python_file_in_a_checkpoint_is_not_safe():
    def add(name, content):
        yield name, content
        if name.endswith("data.pkl"):
            yield "archive/code/run.py", b"print(1)\n"

    reading = read(rewritten(saved(TENSORS), add))
    assert (reading.verdict, {r.kind for r in reading.reasons}) == ("unknown", {"carries-code"})


def test_archive_without_its_pickle_is_no_checkpoint():
    kept = rewritten(saved(TENSORS), lambda name, content: [] if name.endswith("data.pkl") else [(name, content)])
    assert read(kept).format == "zip"


@pytest.mark.parametrize("cut", [1, 30, 200, 700])
def test_truncated_checkpoint_is_never_safe(cut):
    assert read(saved(TENSORS)[:-cut]).verdict != "safe"
    assert read(saved(TENSORS, _use_new_zipfile_serialization=False)[:-cut]).verdict != "safe"


def test_checkpoint_within_an_archive_is_safe():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("weights.pt", saved(TENSORS))
    assert read(file.getvalue()).reasons == ()
