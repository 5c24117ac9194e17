"""What is kept of bodies cannot be read without its client's key, and not at all once that is gone."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from tests.unit.service.audit.conftest import REPLICA, recorded, some_act

from redan.core.errors import SignatureRefused, Unreadable
from redan.core.settings import Settings
from redan.evidence.encryption.wrapping import LocalKey
from redan.service.audit import places
from redan.service.audit.keeping import Keeper, Kept
from redan.service.audit.recorder import open_auditor

SECRET = LocalKey(bytes(range(32)))
BODY = b"a secret body"
DIGEST = sha256(BODY).hexdigest()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "kept", SECRET)


def test_a_body_is_read_back_by_its_client_and_digest_alone(kept: Kept, tmp_path: Path) -> None:
    for _ in range(2):
        kept.put("client:a", "input", DIGEST, BODY)
    assert kept.get("client:a", "input", DIGEST) == BODY
    for who, kind in (("client:b", "input"), ("client:a", "answer")):
        with pytest.raises(Unreadable):
            kept.get(who, kind, DIGEST)  # type: ignore[arg-type]  # one of the two kinds
    with pytest.raises(SignatureRefused):
        Kept(tmp_path / "kept", LocalKey(bytes(32)))._key(kept._name("client:a"), make=False)
    everything = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert len(everything) == 2
    assert not any(BODY in path.read_bytes() or "client" in path.name for path in everything)


def test_a_changed_or_exchanged_file_is_refused(kept: Kept, tmp_path: Path) -> None:
    kept.put("client:a", "input", DIGEST, BODY)
    kept.put("client:a", "answer", DIGEST, BODY)
    one, other = (next((tmp_path / "kept").rglob(f"{kind}-*")) for kind in ("input", "answer"))
    one.write_bytes(other.read_bytes())
    with pytest.raises(SignatureRefused, match="was changed"):
        kept.get("client:a", "input", DIGEST)
    one.write_bytes(b"")
    with pytest.raises(SignatureRefused, match="was changed"):
        kept.get("client:a", "input", DIGEST)


def test_a_copy_from_before_the_erasure_stays_closed(kept: Kept, tmp_path: Path) -> None:
    kept.put("client:a", "input", DIGEST, BODY)
    kept.put("client:b", "input", DIGEST, BODY)
    path = next(p for p in (tmp_path / "kept").rglob("input-*") if p.parent.name == kept._name("client:a"))
    copy = path.read_bytes()
    assert kept.erase("client:a") == 1
    assert kept.erase("client:a") == 0
    assert kept.get("client:b", "input", DIGEST) == BODY
    path.parent.mkdir()
    path.write_bytes(copy)
    with pytest.raises(Unreadable):
        kept.get("client:a", "input", DIGEST)
    kept.put("client:a", "answer", DIGEST, BODY)
    with pytest.raises(SignatureRefused, match="erased since"):
        kept.get("client:a", "input", DIGEST)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_what_is_no_digest_names_no_file(kept: Kept, digest: str) -> None:
    with pytest.raises(Unreadable, match="no SHA-256"):
        kept.put("client:a", "input", digest, BODY)


@pytest.mark.anyio
async def test_bodies_leave_the_act_and_too_many_are_dropped_and_counted(kept: Kept) -> None:
    keeper = Keeper(kept, most_bytes=100)
    text = b64encode(BODY).decode()
    act = some_act(x=DIGEST, y=DIGEST, more={"input": text, "answer": text, "column": "age"})
    assert keeper.put_aside(act).more == {"column": "age"}
    assert keeper.put_aside(some_act(x=DIGEST, more={"input": text})).more is None
    assert keeper.put_aside(some_act()) == some_act()
    for _ in range(5):
        keeper.keep("client:a", "input", DIGEST, text)
    assert keeper.dropped == 3
    await keeper.start()
    await keeper.stop()
    assert kept.get(act.who, "answer", DIGEST) == BODY
    keeper.keep("client:a", "input", DIGEST, text)
    assert keeper.dropped == 4


@pytest.mark.anyio
async def test_a_gateway_keeps_bodies_beside_its_log(settings: Callable[..., Settings], tmp_path: Path) -> None:
    given = settings(keep="answers", redact=("client",))
    auditor = open_auditor(given, tmp_path, REPLICA)
    await auditor.start()
    wait = auditor.commit([some_act(who="client:a", y=DIGEST, more={"answer": b64encode(BODY).decode()})])
    assert wait is not None
    await wait
    await auditor.stop()
    assert auditor.dropped == 0
    assert recorded(given, tmp_path)[0].more is None
    found = Kept(places.kept_folder(given, tmp_path), places.secret(given, tmp_path))
    assert found.get("client:a", "answer", DIGEST) == BODY
