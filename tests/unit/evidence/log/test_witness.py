"""Witnesses, in a folder and over real HTTP: they sign what continues, and refuse everything else."""

from __future__ import annotations

import http.client
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redan.core.errors import EvidenceError, SignatureRefused, UsageError
from redan.evidence.keys import Signer, generate
from redan.evidence.log import LogReader, create_log, notes, open_log, proving
from redan.evidence.log.notes import NoteKey
from redan.evidence.log.verifying import verify
from redan.evidence.log.witness import Ask, Witness, WitnessRefused, cosigned, over_http
from redan.evidence.log.witness_server import WitnessServer

Make = Callable[..., Path]


def some(n: int) -> list[bytes]:
    return [b"entry %d" % i for i in range(n)]


class Clock:
    now_s = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def witness(tmp_path: Path, key: NoteKey, clock: Clock) -> Witness:
    return Witness(
        name="w.example", signer=generate("ed25519"), folder=tmp_path / "elsewhere", logs={key.name: key}, now=clock
    )


@pytest.fixture
def address(witness: Witness) -> Iterator[str]:
    server = WitnessServer(witness, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["folder", "http"])
def ask(request: pytest.FixtureRequest, witness: Witness) -> Ask:
    return witness.add if request.param == "folder" else over_http(request.getfixturevalue("address"))


def test_a_growing_log_is_cosigned_again_and_again(
    make: Make, signer: Signer, witness: Witness, ask: Ask, clock: Clock
) -> None:
    folder = make([])
    for n in (0, 1, 5, 0, 400):
        with open_log(folder, signer) as log:
            log.append_many(some(n))
        clock.now_s += 10
        found = cosigned(LogReader(folder), ask, witness.key)
        assert notes.cosigned_by(found, witness.key) == int(clock.now_s)
        assert witness.seen(found.origin) == found
    assert found.size == 406
    assert not verify(folder, notes.key_of(found.origin, signer.verifier), against=[found]).problems


def test_a_rolled_back_log_is_not_cosigned(make: Make, witness: Witness, ask: Ask) -> None:
    cosigned(LogReader(make(some(300))), ask, witness.key)
    with pytest.raises(WitnessRefused, match="rolled back: the witness has seen 300 entries, this log has 200"):
        cosigned(LogReader(make(some(200), "short")), ask, witness.key)


@pytest.mark.parametrize("n", [300, 500])
def test_a_rewritten_log_is_not_cosigned(make: Make, witness: Witness, ask: Ask, n: int) -> None:
    cosigned(LogReader(make(some(300))), ask, witness.key)
    forged = some(n)
    forged[7] = b"forged"
    with pytest.raises(WitnessRefused) as refused:
        cosigned(LogReader(make(forged, "fork")), ask, witness.key)
    assert refused.value.status == (409 if n == 300 else 422)
    seen = witness.seen("example.com/models")
    assert seen is not None
    assert seen.size == 300


def test_unknown_logs_and_forged_checkpoints_are_refused(
    make: Make, witness: Witness, ask: Ask, tmp_path: Path
) -> None:
    stranger = generate("ed25519")
    create_log(tmp_path / "strange", stranger, "example.com/strange")
    with pytest.raises(WitnessRefused) as refused:
        cosigned(LogReader(tmp_path / "strange"), ask, witness.key)
    assert refused.value.status == 404
    create_log(tmp_path / "forged", stranger, "example.com/models")
    with pytest.raises(WitnessRefused) as refused:
        cosigned(LogReader(tmp_path / "forged"), ask, witness.key)
    assert refused.value.status == 403


def test_malformed_requests_are_refused(make: Make, witness: Witness, ask: Ask) -> None:
    reader = LogReader(make(some(3)))
    hashes = b64encode(bytes(32)).decode() + "\n"
    note = "\n" + reader.checkpoint.text()
    for bad, status in (
        (b"", 400),
        (b"old 0\n", 400),
        (f"old 4\n{note}".encode(), 400),
        (f"old -1\n{note}".encode(), 400),
        (proving.inclusion_file(reader, 0).encode(), 400),
        (f"old 0\n{hashes * 70}{note}".encode(), 400),
        (f"old 0\n{hashes}{note}".encode(), 422),
        (f"old 2\n{note}".encode(), 409),
    ):
        with pytest.raises(WitnessRefused) as refused:
            ask(bad)
        assert refused.value.status == status, bad


def test_a_signature_of_somebody_else_is_no_answer(make: Make, witness: Witness) -> None:
    other = notes.key_of("w.example", generate("ed25519").verifier, notes.KIND_WITNESS)
    with pytest.raises(SignatureRefused, match="did not sign"):
        cosigned(LogReader(make(some(3))), witness.add, other)


def test_a_clock_that_runs_backwards_is_told(make: Make, witness: Witness, clock: Clock) -> None:
    reader = LogReader(make(some(3)))
    cosigned(reader, witness.add, witness.key)
    clock.now_s -= 100
    with pytest.raises(EvidenceError, match="clock stands 100 s before"):
        cosigned(reader, witness.add, witness.key)


def test_a_damaged_record_is_no_beginning(make: Make, witness: Witness) -> None:
    reader = LogReader(make(some(3)))
    cosigned(reader, witness.add, witness.key)
    path = witness.path("example.com/models")
    path.write_text(path.read_text().replace("\n3\n", "\n2\n"))
    with pytest.raises(EvidenceError, match="damaged"):
        cosigned(reader, witness.add, witness.key)


def test_only_one_of_two_racing_requests_wins(make: Make, signer: Signer, witness: Witness) -> None:
    folder = make(some(3))
    cosigned(LogReader(folder), witness.add, witness.key)
    requests = []
    for n in (5, 8):
        with open_log(folder, signer) as log:
            log.append_many(some(n))
            log.checkpoint()
            requests.append(proving.consistency_file(log.reader(), 3).encode())
    ended: list[object] = []

    def send(request: bytes) -> None:
        try:
            ended.append(witness.add(request))
        except WitnessRefused as err:
            ended.append(err.status)

    threads = [threading.Thread(target=send, args=(r,)) for r in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended.count(409) == 1


def test_the_server_answers_as_the_specification_says(make: Make, address: str) -> None:
    host = address.removeprefix("http://")
    text = proving.consistency_file(LogReader(make(some(3))), 0)
    connection = http.client.HTTPConnection(host, timeout=10)
    connection.request("POST", "/add-checkpoint", body=text.encode())
    answer = connection.getresponse()
    body = answer.read().decode()
    assert (answer.status, body[:12]) == (200, "— w.example ")
    connection.request("POST", "/some/prefix/add-checkpoint", body=text.encode())
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Content-Type"], answer.read()) == (409, "text/x.tlog.size", b"3\n")
    connection.request("POST", "/elsewhere", body=b"")
    answer = connection.getresponse()
    assert (answer.status, len(answer.read()) > 0) == (404, True)
    connection.request("POST", "/add-checkpoint", body=b"", headers={"Content-Length": "999999999"})
    answer = connection.getresponse()
    assert (answer.status, len(answer.read()) > 0) == (400, True)
    connection.close()


def test_what_is_no_witness_is_told(make: Make, tmp_path: Path) -> None:
    reader = LogReader(make(some(3)))
    key = notes.key_of("w", generate("ed25519").verifier, notes.KIND_WITNESS)
    with pytest.raises(UsageError, match="no address"):
        over_http("file:///etc/passwd")
    with pytest.raises(EvidenceError, match="cannot be reached"):
        cosigned(reader, over_http("http://127.0.0.1:9", timeout_s=2), key)
