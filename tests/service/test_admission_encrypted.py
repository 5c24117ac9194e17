"""A model that lies encrypted is decrypted into memory alone: what a whole process writes and maps is looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests import served as made
from tests.served import KINDS

from redan.core.errors import EvidenceError, SignatureRefused
from redan.core.settings_service import ServedModel
from redan.evidence.encryption.wrapping import local_key, new_key_text
from redan.service.models.at_rest import encrypted
from redan.service.models.holding import hold

_SCRIPT = """
import json, os, sys, tempfile
tempfile.gettempdir()  # tries by itself whether it can write
written = []
def hook(event, args):
    if event == "open" and isinstance(args[0], str):
        mode, flags = args[1] or "", args[2]
        if set("wax+") & set(mode) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.append(args[0])
sys.addaudithook(hook)
from pathlib import Path
import numpy as np
from redan.core.settings_service import ServedModel
from redan.service.models.loading import extras_of, load
from redan.service.models.source import Source
def io():
    return int(open("/proc/self/io").read().split("wchar: ")[1].split()[0])
root = Path(sys.argv[1])
for target in sys.argv[2:]:
    model = ServedModel(name="m", target=target, sample="sample.npz")
    before = io()
    held = Source(settings=model, root=root, keys=("env:MODEL_KEY",)).hold()
    served = load(model, held, extras_of(model, root), None)
    x = np.load(root / "sample.npz")["x"].astype(served.dtype)
    found = served.answer(x)
    wrote_bytes = io() - before
    fds = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
    links = [os.readlink(each) for each in fds if os.path.lexists(each)]
    print(json.dumps({"labels": found.labels.tolist(), "wrote_bytes": wrote_bytes, "written": written, "links": links,
                      "encrypted": held.encrypted, "temporary": os.listdir(os.environ["TMPDIR"])}))
"""


def at_rest(folder: Path, kind: made.Kind, text: str) -> tuple[ServedModel, bytes]:
    """Replace a model's file by its encrypted form; return the model and its plain bytes."""
    model = made.served(folder, kind)
    plain = _longer((folder / model.target).read_bytes()) if kind == "onnx" else (folder / model.target).read_bytes()
    sealed = encrypted(plain, model.target, local_key(text, "the test"))
    (folder / model.target).unlink()
    (folder / f"{model.target}.enc").write_bytes(sealed)
    return model, plain


def _longer(data: bytes) -> bytes:
    """Make the model longer than what onnxruntime writes about itself, so that a copy of it would be seen."""
    import onnx

    model = onnx.load_from_string(data)
    model.doc_string = os.urandom(50_000).hex()
    longer: bytes = model.SerializeToString()
    return longer


def test_nothing_of_the_plain_text_is_written(tmp_path: Path) -> None:
    text = new_key_text()
    root, empty = tmp_path / "root", tmp_path / "tmp"
    root.mkdir()
    empty.mkdir()
    models = [at_rest(root, kind, text) for kind in KINDS]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(root), *(f"{model.target}.enc" for model, _ in models)],
        env={**os.environ, "MODEL_KEY": text, "TMPDIR": str(empty), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=empty,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for (_, plain), said in zip(models, lines, strict=True):
        assert said["encrypted"]
        assert len(set(said["labels"])) == 2
        # onnxruntime leaves the identifier of a session, two lines of text, whatever model it runs
        assert set(said["temporary"]) <= {".ses"}
        assert [each for each in said["written"] if not each.startswith("/dev/null")] == []
        assert said["wrote_bytes"] < len(plain) // 2
        assert not [each for each in said["links"] if each.startswith(str(tmp_path)) or "deleted" in each]
        assert not any(plain[:64] in each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())


def test_a_changed_byte_or_another_key_refuses(tmp_path: Path) -> None:
    text = new_key_text()
    model, _ = at_rest(tmp_path, "sklearn", text)
    path = tmp_path / f"{model.target}.enc"
    data = bytearray(path.read_bytes())
    key = local_key(text, "the test")
    assert hold(path, keys=[key]).encrypted
    with pytest.raises(EvidenceError, match="encrypted under key"):
        hold(path, keys=[local_key(new_key_text(), "the test")])
    for place in (12, 40, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises((SignatureRefused, EvidenceError)):
            hold(path, keys=[key])
    path.write_bytes(data[:-20])
    with pytest.raises(SignatureRefused):
        hold(path, keys=[key])


def test_an_encrypted_model_is_judged_by_the_statements_of_its_plain_bytes(tmp_path: Path) -> None:
    from dataclasses import replace

    from redan.service.models.source import sources
    from redan.service.models.versions import Judge, Version, bring_in

    text = new_key_text()
    model, _ = at_rest(tmp_path, "sklearn", text)
    (tmp_path / "model.key").write_text(text)
    (tmp_path / "model.key").chmod(0o600)
    settings = made.settings_for(tmp_path, replace(model, target=f"{model.target}.enc"))
    settings = replace(settings, registry=replace(settings.registry, keys=("file:model.key",)))
    version = Version(source=sources(settings, tmp_path)[0])
    bring_in(version, Judge.of(settings, tmp_path))
    assert version.why == ""
    assert version.served is not None
    assert version.served.decision is not None
    assert version.served.decision.admitted
