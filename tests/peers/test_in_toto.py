"""Other tools read our statements: the in-toto library validates them, securesystemslib verifies their envelopes.

The peers run in an environment of their own: ``REDAN_PEERS`` names the folder that holds it, ``.peers`` by default.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.evidence.statements.conftest import claim, decision, result, stated

from redan.evidence.keys import KeyKind, generate, save
from redan.evidence.statements import append

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(os.environ.get("REDAN_PEERS", ROOT / ".peers")) / "model-signing" / "bin" / "python"
pytestmark = pytest.mark.skipif(not PEER.is_file(), reason=f"no Python of the peer at {PEER}")

READ = """
import json, sys
from google.protobuf.json_format import Parse
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

public = load_pem_public_key(open(sys.argv[2], "rb").read())
key = SSlibKey.from_crypto(public, keyid=sys.argv[3])
for line in open(sys.argv[1]):
    envelope = Envelope.from_dict(json.loads(line))
    accepted = envelope.verify([key], 1)
    message = Parse(envelope.payload, statement_pb2.Statement())
    read = Statement.copy_from_pb(message)
    read.validate()
    print(json.dumps([message.predicate_type, dict(message.subject[0].digest), len(accepted)]))
"""


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_the_in_toto_library_reads_and_verifies_our_statements(tmp_path: Path, kind: KeyKind) -> None:
    signer = generate(kind)
    public = save(signer, tmp_path / "key")
    path = tmp_path / "net.pt.intoto.jsonl"
    append(path, stated(result(claim(0.5)), by=signer))
    append(path, decision("approval", signer))
    ended = subprocess.run(
        [PEER, "-c", READ, path, public, signer.key_id], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    base = "https://github.com/redan-security/redan/predicates"
    digest = {"sha256": "ab" * 32}
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [
        [f"{base}/robustness/v1", digest, 1],
        [f"{base}/approval/v1", digest, 1],
    ]


def test_the_in_toto_library_refuses_what_was_changed(tmp_path: Path) -> None:
    signer = generate("ed25519")
    public = save(signer, tmp_path / "key")
    path = tmp_path / "b.jsonl"
    good = stated(result(claim(0.5)), by=signer)
    append(path, replace(good, payload=good.payload.replace(b"0.5", b"0.6")))
    ended = subprocess.run(
        [PEER, "-c", READ, path, public, signer.key_id], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode != 0
    assert "VerificationError" in ended.stderr
