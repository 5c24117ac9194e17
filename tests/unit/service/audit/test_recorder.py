"""Nothing is served that is not recorded: durable and asynchronous, killed, without room, with a log that failed."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.service.audit.conftest import REPLICA, recorded, some_act

from redan.core.errors import EvidenceError, UnknownName, UsageError
from redan.core.finding import Finding, Severity
from redan.core.settings import Settings
from redan.evidence.log import LogReader
from redan.evidence.log.disk import Disk
from redan.evidence.log.reading import own_key
from redan.evidence.log.verifying import verify
from redan.service.audit import places, recorder, spool
from redan.service.audit.act import Act, decode
from redan.service.audit.recorder import LogAuditor, open_auditor, record_once
from redan.service.audit.telling import AGAIN_S, PATIENCE_S, Telling
from redan.service.findings import Findings

Make = Callable[..., Settings]
pytestmark = pytest.mark.anyio


def healthy_log(settings: Settings, root: Path) -> LogReader:
    folder = places.log_folder(settings, root, REPLICA)
    assert not verify(folder, own_key(folder)).problems
    return LogReader(folder)


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for what another thread does on its own; it tells nobody."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def test_in_durable_mode_what_was_awaited_is_on_disk(settings: Make, tmp_path: Path) -> None:
    given = settings()
    auditor = open_auditor(given, tmp_path, REPLICA)
    assert not auditor.healthy()
    with pytest.raises(EvidenceError, match="not open"):
        auditor.commit([some_act()])
    await auditor.start()
    assert auditor.healthy()
    waits = [auditor.commit([some_act(i * 3 + j) for j in range(3)]) for i in range(50)]
    for wait in waits:
        assert wait is not None
        await wait
    assert auditor.commit([]) is None
    await auditor.stop()
    assert recorded(given, tmp_path) == [some_act(i) for i in range(150)]
    assert healthy_log(given, tmp_path).checkpoint.origin == f"redan/{REPLICA}"
    with pytest.raises(EvidenceError, match="closed"):
        auditor.commit([some_act()])


async def test_in_asynchronous_mode_nobody_waits_and_a_stop_loses_nothing(settings: Make, tmp_path: Path) -> None:
    given = settings(mode="async")
    auditor = open_auditor(given, tmp_path, REPLICA)
    await auditor.start()
    assert [auditor.commit([some_act(i)]) for i in range(300)] == [None] * 300
    await auditor.stop()
    assert [act.t_us for act in recorded(given, tmp_path)] == [some_act(i).t_us for i in range(300)]
    assert auditor.lost == 0


async def test_large_batches_are_recorded_whole(settings: Make, tmp_path: Path) -> None:
    given = settings(keep="labels")
    auditor = open_auditor(given, tmp_path, REPLICA)
    await auditor.start()
    acts = [some_act(i, labels=list(range(400))) for i in range(2500)]
    wait = auditor.commit(acts)
    assert wait is not None
    await wait
    await auditor.stop()
    assert recorded(given, tmp_path) == acts


async def test_an_act_that_is_too_large_is_recorded_without_its_facts(settings: Make, tmp_path: Path) -> None:
    given = settings()
    auditor = open_auditor(given, tmp_path, REPLICA)
    await auditor.start()
    for act in (some_act(1, more={"text": "x" * 70_000}), some_act(2, model="m" * 70_000)):
        wait = auditor.commit([act])
        assert wait is not None
        await wait
    await auditor.stop()
    first, second = recorded(given, tmp_path)
    assert (first.who, [*(first.more or {})]) == ("client:c1", ["cut_bytes"])
    assert (second.model, second.more) == ("m" * 256, {"cut": True})


async def test_keys_and_logs_are_the_owners_alone(settings: Make, tmp_path: Path) -> None:
    given = settings()
    tmp_path.chmod(0o755)
    auditor = open_auditor(given, tmp_path, REPLICA)
    await auditor.start()
    await auditor.stop()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755, "what was there before stays as it was"
    for path in (tmp_path / given.audit.key, (tmp_path / given.audit.key).with_suffix(".secret")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(places.log_folder(given, tmp_path, REPLICA).stat().st_mode) == 0o700
    await auditor.start()  # the same log and key again
    await auditor.stop()


@pytest.mark.parametrize("name", ["", ".hidden", "spool", "kept"])
def test_a_replica_needs_a_folder_of_its_own(settings: Make, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a replica"):
        places.log_folder(settings(), tmp_path, name)


async def test_two_servers_do_not_share_a_log(settings: Make, tmp_path: Path) -> None:
    one, other = (open_auditor(settings(), tmp_path, REPLICA) for _ in range(2))
    await one.start()
    with pytest.raises(UsageError, match="another process writes"):
        await other.start()
    await one.stop()


async def test_clients_and_addresses_are_stored_under_pseudonyms(settings: Make, tmp_path: Path) -> None:
    given = settings(redact=("client", "address"))
    auditor = open_auditor(given, tmp_path, REPLICA)
    await auditor.start()
    acts = [some_act(0), some_act(7), some_act(1), some_act(2, who="-")]
    wait = auditor.commit(acts)
    assert wait is not None
    await wait
    await auditor.stop()
    first, same, other, nobody = recorded(given, tmp_path)
    assert first.who == same.who != other.who
    assert nobody.who == "-"
    assert first.who.startswith("~")
    folder = places.log_folder(given, tmp_path, REPLICA)
    raw = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    assert not any(text in raw for text in (b"client:", b"10.0.0.1", b'"k1"'))
    assert auditor.redaction is not None
    assert first.who in auditor.redaction.names("client", "client:c0")


async def test_names_and_addresses_in_facts_are_stored_under_the_same_pseudonyms(
    settings: Make, tmp_path: Path
) -> None:
    given = settings(redact=("client", "address"))
    auditor = open_auditor(given, tmp_path, REPLICA)
    await auditor.start()
    facts: list[dict[str, object]] = [
        {"path": "POST /v1/identity/subjects/user:bob/disable", "did": "disabled", "subject": "user:bob"},
        {"path": "POST /v1/identity/keys/k1k1k1k1k1k1/revoke", "key": "k1k1k1k1k1k1"},
        {"position": 3, "text": "client:eve, used from 10.9.8.0/24 and 2001:db8::7, asks too much of client:eve."},
        {"path": "GET /v1/models/fraud", "confirmed": "models.promote", "user": "user:bob", "version": "1.2.3.4"},
    ]
    wait = auditor.commit([some_act(i, cred="key:k1k1k1k1k1k1", more=more) for i, more in enumerate(facts)])
    assert wait is not None
    await wait
    await asyncio.to_thread(auditor.record, some_act(9, why="user:bob asked for it"))
    await auditor.stop()
    acts = recorded(given, tmp_path)
    folder = places.log_folder(given, tmp_path, REPLICA)
    raw = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    assert not any(text in raw for text in (b"bob", b"eve", b"10.9.8", b"2001:db8", b"k1k1"))
    assert auditor.redaction is not None
    bob = auditor.redaction.pseudonym("client", "user:bob")
    assert acts[0].more == {"path": f"POST /v1/identity/subjects/{bob}/disable", "did": "disabled", "subject": bob}
    assert acts[1].more == {"path": f"POST /v1/identity/keys/{acts[1].cred}/revoke", "key": acts[1].cred}
    assert acts[3].more == facts[3] | {"user": bob}
    assert acts[4].why == f"{bob} asked for it"


async def test_labels_are_kept_only_where_the_policy_says_so(settings: Make, tmp_path: Path) -> None:
    for keep, labels in (("digests", None), ("labels", [1, 2])):
        auditor = open_auditor(settings(keep=keep), tmp_path / keep, REPLICA)
        await auditor.start()
        wait = auditor.commit([some_act(labels=[1, 2])])
        assert wait is not None
        await wait
        await auditor.stop()
        assert recorded(settings(), tmp_path / keep)[0].labels == labels


async def test_an_unknown_field_to_redact_is_told(settings: Make, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="redact"):
        await open_auditor(settings(redact=("clint",)), tmp_path, REPLICA).start()


class Failing(Disk):
    """A disk that is full, or fails, when told so."""

    code = 0

    def append(self, handle: int, data: bytes) -> None:
        if type(self).code:
            raise OSError(type(self).code, os.strerror(type(self).code))
        super().append(handle, data)

    def sync(self, handle: int) -> None:
        if type(self).code == errno.EIO:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(handle)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Failing]]:
    real = recorder.open_log
    monkeypatch.setattr(recorder, "open_log", lambda *a, **k: real(*a, disk=Failing(), **k))
    yield Failing
    Failing.code = 0


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
async def test_durable_mode_refuses_while_the_disk_does_and_recovers_alone(
    settings: Make, tmp_path: Path, failing: type[Failing], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    given = settings()
    auditor = open_auditor(given, tmp_path, REPLICA)
    await auditor.start()
    good = auditor.commit([some_act(0)])
    assert good is not None
    await good
    failing.code = code
    wait = auditor.commit([some_act(1)])
    assert wait is not None
    with pytest.raises(EvidenceError, match="not recorded"):
        await wait
    assert not auditor.healthy()
    with pytest.raises(EvidenceError):
        auditor.commit([some_act(2)])
    failing.code = 0
    await until(auditor.healthy)
    again = auditor.commit([some_act(3)])
    assert again is not None
    await again
    await auditor.stop()
    acts = recorded(given, tmp_path)
    assert [a.t_us for a in acts if a.act == "predict"] == [some_act(0).t_us, some_act(3).t_us]
    assert [(a.who, a.rows) for a in acts if a.act == "audit.gap"] == [("system:audit", 0)]
    healthy_log(given, tmp_path)
    assert "recording again; 0 records" in capsys.readouterr().err


async def test_a_thread_waits_until_its_act_is_durable(settings: Make, tmp_path: Path, failing: type[Failing]) -> None:
    given = settings(mode="async")
    auditor = open_auditor(given, tmp_path, REPLICA)
    with pytest.raises(EvidenceError, match="not open"):
        auditor.record(some_act(0))
    await auditor.start()
    await asyncio.to_thread(auditor.record, some_act(1))
    assert auditor.pending == 0
    failing.code = errno.ENOSPC
    with pytest.raises(EvidenceError, match="No space"):
        await asyncio.to_thread(auditor.record, some_act(2))
    assert not auditor.healthy()
    failing.code = 0
    await until(auditor.healthy)
    await auditor.stop()
    assert [a.t_us for a in recorded(given, tmp_path) if a.act == "predict"] == [some_act(1).t_us]


async def test_asynchronous_mode_tells_how_much_a_full_disk_lost(
    settings: Make, tmp_path: Path, failing: type[Failing]
) -> None:
    given = settings(mode="async", most_lost=64)
    auditor = open_auditor(given, tmp_path, REPLICA)
    await auditor.start()
    failing.code = errno.ENOSPC
    taken = 0
    for i in range(10_000):
        try:
            auditor.commit([some_act(i)])
            taken += 1
        except EvidenceError:
            break
    assert 0 < taken <= 64
    await until(lambda: auditor.lost == taken)
    failing.code = 0
    await until(auditor.healthy)
    await auditor.stop()
    gaps = [a for a in recorded(given, tmp_path) if a.act == "audit.gap"]
    assert sum(a.rows for a in gaps) == taken == auditor.lost


async def test_too_much_at_once_is_refused_and_not_waited_for(settings: Make, tmp_path: Path) -> None:
    auditor = open_auditor(settings(mode="async", most_lost=10), tmp_path, REPLICA)
    await auditor.start()
    auditor.commit([some_act(i) for i in range(10)])
    with pytest.raises(EvidenceError, match="entries wait to be recorded"):
        auditor.commit([some_act(10)])
    await until(auditor.healthy)
    auditor.commit([some_act(10)])
    await auditor.stop()


CHILD = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from redan.core.settings import Settings
from redan.core.settings_service import Serve
from redan.service.audit.recorder import open_auditor
from redan.service.audit.act import Act

async def main(root, mode):
    given = Settings()
    given = replace(given, serve=Serve(name="gateway-1"), audit=replace(given.audit, mode=mode, most_lost=500))
    auditor = open_auditor(given, Path(root), "gateway-1")
    await auditor.start()
    i = 0
    while True:
        try:
            wait = auditor.commit([Act(t_us=i + j, who="client:a", act="predict") for j in range(8)])
        except Exception:
            await asyncio.sleep(0.001)
            continue
        if wait is not None:
            await wait
        i += 8
        print(i, flush=True)
        await asyncio.sleep(0)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(("mode", "after"), [("durable", 30), ("durable", 90), ("async", 200), ("async", 900)])
def test_kill_9_loses_nothing_acknowledged_or_no_more_than_told(
    settings: Make, tmp_path: Path, mode: str, after: int
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), mode], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    )
    assert child.stdout is not None
    told = 0
    for line in child.stdout:
        told = int(line)
        if told >= after * 8:
            break
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().splitlines()
    child.wait(10)
    child.stdout.close()
    told = max([told, *(int(line) for line in rest if line.isdigit())])
    record_once(settings(), tmp_path, some_act(who="user:after"))
    found = [a.t_us for a in recorded(settings(), tmp_path) if a.who == "client:a"]
    assert found == list(range(len(found))), "in order, without a gap"
    lost = max(0, told - len(found))
    assert lost <= (0 if mode == "durable" else 500)
    healthy_log(settings(), tmp_path)


TMPFS = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from redan.core.errors import EvidenceError
from redan.core.settings import Settings
from redan.core.settings_service import Serve
from redan.service.audit.recorder import open_auditor
from redan.service.audit.act import Act

async def main(root, mode):
    given = Settings()
    audit = replace(given.audit, mode=mode, log=root + "/full/audit")
    given = replace(given, serve=Serve(name="gateway-1"), audit=audit)
    auditor = open_auditor(given, Path(root), "gateway-1")
    await auditor.start()
    i, refused = 0, 0
    while not refused:
        try:
            wait = auditor.commit([Act(t_us=i + j, who="client:a", act="predict", x="0" * 900) for j in range(32)])
            if wait is not None:
                await wait
            i += 32
            await asyncio.sleep(0.002)
        except EvidenceError:
            refused += 1
    Path(root, "full", "ballast").unlink()
    async with asyncio.timeout(20):
        while not auditor.healthy():
            await asyncio.sleep(0.02)
    wait = auditor.commit([Act(t_us=-1, who="client:again", act="predict")])
    if wait is not None:
        await wait
    await auditor.stop()
    print(i, auditor.lost)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may mount a small file system")
@pytest.mark.parametrize("mode", ["durable", "async"])
def test_a_really_full_file_system_loses_nothing_acknowledged(settings: Make, tmp_path: Path, mode: str) -> None:
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", str(full)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount: {mounted.stderr.decode().strip()}")
    try:
        (full / "ballast").write_bytes(bytes(6 << 20))
        ended = subprocess.run(
            [sys.executable, "-c", TMPFS, str(tmp_path), mode], capture_output=True, text=True, check=False, timeout=60
        )
        assert ended.returncode == 0, ended.stderr
        told, lost = map(int, ended.stdout.split())
        given = settings(log=f"{full}/audit")
        acts = recorded(given, tmp_path)
        served = [a.t_us for a in acts if a.who == "client:a"]
        assert len(served) == len(set(served))
        if mode == "durable":
            assert set(range(told)) <= set(served)
            assert lost == 0
        else:
            assert len(served) == told - lost
            assert lost <= given.audit.most_lost
        assert acts[-1].who == "client:again"
        healthy_log(given, tmp_path)
    finally:
        subprocess.run(["umount", str(full)], check=True)


async def test_verbs_record_alone_and_hand_over_while_a_server_writes(settings: Make, tmp_path: Path) -> None:
    given = settings()
    record_once(given, tmp_path, some_act(1, who="user:first"))
    auditor = open_auditor(given, tmp_path, REPLICA)
    await auditor.start()
    await asyncio.to_thread(record_once, given, tmp_path, some_act(2, who="user:second", id=""))
    folder = places.spool_folder(given, tmp_path)
    await until(lambda: not spool.waiting(folder))
    (folder / "0-bad.act").write_bytes(b"{no act")
    (folder / "0-coded.act").write_bytes(b'{"t_us":1,"who":"\xff","act":"a"}')
    os.mkfifo(folder / "1-pipe.act")
    await until(lambda: not spool.waiting(folder))
    await auditor.stop()
    acts = recorded(given, tmp_path)
    assert [a.who for a in acts] == ["user:first", "user:second", "-", "-", "-"]
    assert acts[1].id, "so that it is known again if it is ever recorded twice"
    assert [a.why for a in acts[2:]] == ["unreadable"] * 3


def test_what_waits_is_taken_by_the_next_verb(settings: Make, tmp_path: Path) -> None:
    given = settings()
    record_once(given, tmp_path, some_act(1))
    auditor = LogAuditor(given, tmp_path, REPLICA)
    assert auditor.redaction is None
    from redan.service.audit.redaction import Redaction

    spool.hand_over(places.spool_folder(given, tmp_path), some_act(2), Redaction(given.audit, bytes(32)))
    record_once(given, tmp_path, some_act(3))
    assert [a.t_us for a in recorded(given, tmp_path)] == [some_act(i).t_us for i in (1, 2, 3)]


async def test_old_records_are_let_go_and_the_log_still_verifies(
    settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "PRUNE_FIRST_S", 0.0)
    given = settings(retention="1w")
    folder = places.log_folder(given, tmp_path, REPLICA)
    for i in range(2):
        auditor = open_auditor(given, tmp_path, REPLICA)
        await auditor.start()
        if i == 0:
            old = auditor.commit([some_act(j) for j in range(600)])
            assert old is not None
            await old
        else:
            await until(lambda: LogReader(folder).pruned == 512)
        await auditor.stop()
    found = verify(folder, own_key(folder))
    assert (found.problems, found.pruned) == ((), 512)
    assert [(a.act, a.rows) for a in after(folder, 512) if a.act == "audit.prune"] == [("audit.prune", 512)]


def after(folder: Path, start: int) -> list[Act]:
    return [decode(entry) for entry in LogReader(folder).entries(start)]


def test_nothing_is_pruned_by_a_clock_that_jumped(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = recorder.Clock()
    assert not clock.jumped()
    real = recorder.time.time
    monkeypatch.setattr(recorder.time, "time", lambda: real() + 86_400)
    assert clock.jumped()


@pytest.mark.parametrize("mode", ["durable", "async"])
async def test_a_disk_that_fails_is_a_finding_until_it_works_again_and_what_it_lost_is_another(
    settings: Make, tmp_path: Path, failing: type[Failing], mode: str
) -> None:
    given = settings(mode=mode)
    findings, seen = Findings(), list[Finding]()
    findings.listen(seen.append)
    auditor = open_auditor(given, tmp_path, REPLICA, findings=findings)
    await auditor.start()
    for i in range(3):
        waited = auditor.commit([some_act(i), some_act(10 + i)])
        if waited is not None:
            await waited
    await until(lambda: {n: v for n, _, v in auditor.readings()}["redan_audit_committed"] == 6)
    assert not seen
    failing.code = errno.ENOSPC
    waited = auditor.commit([some_act(9), some_act(8)])
    if waited is not None:
        with pytest.raises(EvidenceError):
            await waited
    await until(lambda: bool(seen))
    failing.code = 0
    await until(lambda: any(each.status == "mitigated" for each in seen))
    await auditor.stop()
    assert {(each.rule, each.threat, each.severity) for each in seen} == {("RDN-OPE-207", "audit", Severity.HIGH)}
    broken = [each for each in seen if "cannot record" in each.title]
    assert [each.status for each in broken] == ["open", "mitigated"]
    assert len({each.fingerprint for each in broken}) == 1
    lost = [each for each in seen if "lost" in each.title]
    assert [each.quantities[0].value for each in lost] == ([2.0] if mode == "async" else [])


def test_records_that_wait_too_long_for_the_disk_are_a_finding_and_a_short_crowd_is_none() -> None:
    findings, seen, now = Findings(), list[Finding](), [100.0]
    findings.listen(seen.append)
    telling = Telling(findings, REPLICA, lambda: now[0])
    telling.look("", full=True, lost=0)
    now[0] += PATIENCE_S / 2
    telling.look("", full=False, lost=0)
    telling.look("", full=True, lost=0)
    assert not seen
    now[0] += PATIENCE_S
    telling.look("", full=True, lost=0)
    telling.look("", full=True, lost=0)
    assert [each.detail for each in seen] == ["as many records wait for the disk as may wait"]
    now[0] += AGAIN_S
    telling.look("", full=True, lost=0)
    assert len(seen) == 2
