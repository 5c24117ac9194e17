"""A command in the sandbox: it trains, it touches nothing else, and what it did is stated."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from redan.core.errors import SubjectFailed, Unreadable, UnsafeArtifact, UsageError
from redan.core.finding import Severity
from redan.evidence import dsse
from redan.evidence.keys import generate
from redan.evidence.statements import PROVENANCE, beside, describe, parse, read
from redan.runner.enclosing import Allowed, command_of
from redan.runner.execute import Executed, Wanted, execute
from redan.runner.origin import code_of
from redan.subjects.sandbox import confinement
from redan.subjects.sandbox.command import Limits

needs_sandbox = pytest.mark.skipif(bool(confinement.why_not()), reason=confinement.why_not() or "-")
TRYING = """
import ctypes, os, shutil, socket, subprocess, sys
from pathlib import Path
def tried(name, act):
    try:
        act()
    except OSError:
        return
    print(name, file=open("out/done", "a"))
libc = ctypes.CDLL(None, use_errno=True)
def native(code):
    if code < 0:
        raise OSError(ctypes.get_errno(), "native")
"""
CRIMES = {
    "write beside": "open('touched', 'w')",
    "write to the input": "open('data.csv', 'a')",
    "remove the input": "os.unlink('data.csv')",
    "read a neighbour": "open('secret').read()",
    "read it natively": "native(libc.open(b'secret', 0))",
    "read the passwords": "open('/etc/passwd').read()",
    "read the environment of the parent": "open(f'/proc/{os.getppid()}/environ').read()",
    "list the home": "os.listdir(HOME)",
    "run a program": "subprocess.run(['/bin/true'])",
    "run what it wrote": "(shutil.copy('/lib/x86_64-linux-gnu/libc.so.6', 'out/p'), subprocess.run(['out/p']))",
    "connect": "socket.create_connection(('127.0.0.1', PORT), 1)",
    "a bare socket": "native(libc.socket(2, 1, 0))",
    "a Unix socket": "socket.socket(socket.AF_UNIX)",
    "a datagram to a path": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', '/dev/log')",
    "signal us": "os.kill(PARENT, 0)",
    "trace us": "native(libc.ptrace(16, PARENT, 0, 0))",
    "a namespace": "native(libc.unshare(0x10000000))",
    "a child in a namespace": "native(libc.syscall(56, 0x10000011, 0, 0, 0, 0))",
    "io_uring": "native(libc.syscall(425, 8, bytes(120)))",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("0,1,0\n1,0,1\n0,2,0\n2,0,1\n")
    (tmp_path / "secret").write_text("secret")
    return tmp_path


def python(code: str, **given: Any) -> Executed:
    key = given.pop("key", None)
    allowed = given.pop("allowed", {})
    may = Allowed(**{"write": (Path("out"),), "read": (Path("data.csv"),), **allowed})
    return execute(Wanted(argv=(sys.executable, "-c", code), allowed=may, **given), key=key)


def predicate(done: Executed) -> Any:
    return parse(done.statement).predicate


@needs_sandbox
def test_what_was_not_declared_is_refused_by_the_kernel(here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        facts = f"PORT, PARENT, HOME = {server.getsockname()[1]}, {os.getpid()}, {str(Path.home())!r}\n"
        acts = "".join(f"tried({name!r}, lambda: {code})\n" for name, code in CRIMES.items())
        done = python(TRYING + facts + acts + "print('end', file=open('out/done', 'a'))")
        with pytest.raises(TimeoutError):
            server.accept()
    assert done.code == 0
    assert (here / "out/done").read_text() == "end\n"
    assert not (here / "touched").exists()
    assert (here / "data.csv").read_text().startswith("0,1,0")
    told = {finding.title for finding in done.findings}
    for act in ("read", "write", "execute"):
        assert any(f"wanted to {act} " in title for title in told), (act, told)
    assert any("/etc/passwd" in title for title in told)
    assert any(f"read {here / 'secret'}," in title for title in told)
    assert any("AF_INET" in title for title in told)
    assert {finding.rule for finding in done.findings} == {"RDN-SUP-009"}
    assert {finding.severity for finding in done.findings} == {Severity.LOW, Severity.MEDIUM}


@needs_sandbox
def test_what_is_declared_works(here: Path) -> None:
    code = (
        "import os, shutil, subprocess, sys\n"
        "text = open('data.csv').read()\n"
        "shutil.copy2('data.csv', 'out/copy'); os.rename('out/copy', 'out/moved'); os.mkdir('out/sub')\n"
        "child = subprocess.run([sys.executable, '-c', 'print(1 + 1)'], capture_output=True, text=True)\n"
        "true = subprocess.run(['/bin/true']).returncode\n"
        "home = open(os.path.expanduser('~/scratch'), 'w').write('x')\n"
        "print(child.stdout.strip(), true, os.environ['REDAN_PARAM_DEPTH'], os.environ['REDAN_SEED'], "
        "os.environ['GIVEN'], os.environ.get('HIDDEN'), file=open('out/sub/a', 'w'))\n"
    )
    os.environ.update(GIVEN="given", HIDDEN="hidden")
    try:
        done = python(
            code,
            allowed={"execute": (Path("/bin/true").resolve(), Path("/bin/true"))},
            parameters={"depth": "3"},
            seed=5,
            environment=("GIVEN",),
        )
    finally:
        del os.environ["GIVEN"], os.environ["HIDDEN"]
    assert done.code == 0
    assert (here / "out/sub/a").read_text() == "2 0 3 5 given None\n"
    assert set(done.outputs) == {"out/moved", "out/sub/a"}
    assert not [finding for finding in done.findings if finding.severity > Severity.LOW]


@needs_sandbox
def test_a_signed_statement_lies_beside_the_outputs_and_names_all_that_went_in(here: Path) -> None:
    signer = generate()
    (here / "manifest.json").write_text("{}")
    (here / "train.py").write_text("open('out/m', 'w').write(open('data.csv').read())")
    wanted = Wanted(
        argv=(sys.executable, "train.py"),
        allowed=Allowed(write=(Path("out"),), read=(Path("data.csv"),)),
        data=(Path("manifest.json"),),
        seed=1,
    )
    done = execute(wanted, key=signer)
    (envelope,) = read(beside(here / "out")).envelopes
    dsse.opened(envelope, [signer.verifier])
    stated = parse(envelope.payload)
    assert stated.predicate_type == PROVENANCE
    assert any(subject.is_same(describe(here / "out")) for subject in stated.subjects)
    assert any(subject.is_same(describe(here / "out/m")) for subject in stated.subjects)
    build = stated.predicate["buildDefinition"]
    inputs = {each["uri"]: each for each in build["resolvedDependencies"]}
    assert inputs["file:train.py"]["digest"] == describe(here / "train.py").digest
    assert inputs["file:data.csv"]["digest"] == describe(here / "data.csv").digest
    assert inputs["file:manifest.json"]["annotations"]["role"] == "data manifest"
    assert any(uri.startswith("pkg:pypi/scikit-learn@") for uri in inputs)
    assert build["externalParameters"]["seed"] == 1
    assert build["internalParameters"]["platform"]["python"]
    assert done.statements == (beside(here / "out"),)
    assert stated.predicate["runDetails"]["byproducts"][0]["annotations"]["complete"] is True


@needs_sandbox
def test_the_same_inputs_give_the_same_statement_apart_from_times(here: Path) -> None:
    code = "import tempfile; tempfile.mkstemp(); open('out/m', 'w').write('x')"
    stated = []
    for _ in range(2):
        done = python(code)
        (here / "out/m").unlink()
        found = json.loads(done.statement)
        found["predicate"]["runDetails"].pop("metadata")
        stated.append(found)
    assert stated[0] == stated[1]
    assert (here / "out.provenance.json").is_file()
    (here / "data.csv").write_text("other")
    changed = json.loads(python(code).statement)
    changed["predicate"]["runDetails"].pop("metadata")
    assert changed != stated[0]


@needs_sandbox
def test_a_command_that_fails_ends_as_it_does_and_is_not_stated(here: Path) -> None:
    done = python("open('out/m', 'w'); raise SystemExit(7)")
    assert (done.code, done.statement, done.statements) == (7, b"", ())
    assert "ended with 7" in done.notes[0]
    assert python("import os, signal; os.kill(os.getpid(), signal.SIGTERM)").code == 143
    assert "nothing to state" in python("pass").notes[0]


@needs_sandbox
def test_limits_hold(here: Path) -> None:
    done = python("bytearray(1 << 33)", limits=Limits(memory_bytes=4 << 30))
    assert done.code == 1
    assert python("while True: pass", limits=Limits(cpu_s=1)).code in (137, 152)


@needs_sandbox
def test_nothing_is_left_running(here: Path) -> None:
    code = "import os, time\nif os.fork() == 0:\n    time.sleep(100)\nelse:\n    open('out/m', 'w').write('x')\n"
    done = python(code)
    assert done.code == 0
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "time.sleep(100)" not in left


@needs_sandbox
def test_a_program_that_is_no_program_is_told(here: Path) -> None:
    (here / "broken").write_text("#!/nonexistent/interpreter\n")
    (here / "broken").chmod(0o755)
    with pytest.raises(SubjectFailed, match="not run"):
        execute(Wanted(argv=("./broken",)))
    with pytest.raises(UsageError, match="no program"):
        execute(Wanted(argv=("./missing",)))
    with pytest.raises(Unreadable, match="does not exist"):
        execute(Wanted(argv=(sys.executable,), allowed=Allowed(read=(Path("missing"),))))
    with pytest.raises(UsageError, match="output folder"):
        execute(Wanted(argv=(sys.executable,), allowed=Allowed(write=(Path("data.csv"),))))


def test_without_a_sandbox_nothing_is_run(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confinement, "landlock_version", lambda: 0)
    with pytest.raises(UnsafeArtifact, match="nothing was run"):
        python("open('out/m', 'w')")
    assert not (here / "out/m").exists()


def test_an_interpreter_among_other_programs_grants_only_itself(here: Path) -> None:
    for folder in ("/usr/bin", "/bin"):
        program = Path(folder, "python3")
        if program.exists():
            command = command_of(Wanted(argv=(str(program),)), here)
            runnable = {path for path, rights in command.grants if rights & 1}
            assert not runnable & {"/", "/usr", "/usr/bin", "/bin"}


@needs_sandbox
def test_a_network_of_its_own_reaches_itself_and_nobody_else(here: Path) -> None:
    code = """
import socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname(), 5)
server.accept()[0].sendall(b"hello")
print(client.recv(5).decode(), file=open("out/m", "w"))
for address in (("127.0.0.1", PORT), ("192.0.2.1", 9)):
    try:
        socket.create_connection(address, 1)
    except OSError:
        continue
    print("reached", address, file=open("out/m", "a"))
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        done = python(code.replace("PORT", str(server.getsockname()[1])), allowed={"loopback": True})
        with pytest.raises(TimeoutError):
            server.accept()
    assert (done.code, (here / "out/m").read_text()) == (0, "hello\n")
    assert predicate(done)["buildDefinition"]["externalParameters"]["declared"]["network"] == ["loopback"]


class TestCode:
    def git(self, *words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], check=True, capture_output=True, timeout=60
        )

    def test_commit_changes_and_new_files_are_told_apart(self, here: Path) -> None:
        assert code_of(here) is None
        self.git("init", "-q")
        self.git("add", "data.csv", "secret")
        self.git("commit", "-q", "-m", "first")
        clean = code_of(here)
        assert clean is not None
        assert len(clean.digest["gitCommit"]) == 40
        assert clean.annotations == {"role": "code", "dirty": False}
        (here / "out").mkdir()
        (here / "out/m").write_text("x")
        assert code_of(here, without=(here / "out",)) == clean
        (here / "new.py").write_text("1")
        new = code_of(here, without=(here / "out",))
        (here / "new.py").write_text("2")
        newer = code_of(here, without=(here / "out",))
        (here / "new.py").unlink()
        (here / "secret").write_text("changed")
        changed = code_of(here, without=(here / "out",))
        found = [each.annotations["diffSha256"] for each in (new, newer, changed) if each is not None]
        assert len(set(found)) == 3


@needs_sandbox
def test_scikit_learn_and_torch_train(here: Path) -> None:
    forest = """
import joblib
from sklearn.ensemble import RandomForestClassifier
rows = [list(map(float, line.split(","))) for line in open("data.csv")]
joblib.dump(RandomForestClassifier(5, random_state=0).fit([r[:2] for r in rows], [r[2] for r in rows]), "out/rf.joblib")
"""
    net = """
import torch
torch.manual_seed(0)
x = torch.tensor([list(map(float, line.split(","))) for line in open("data.csv")])
net = torch.nn.Linear(2, 2)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x[:, :2], x[:, 2].long()), 2, num_workers=2)
step = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(3):
    for a, b in loader:
        step.zero_grad(); torch.nn.functional.cross_entropy(net(a), b).backward(); step.step()
torch.save(net.state_dict(), "out/net.pt")
"""
    done = python(forest)
    assert (done.code, set(done.outputs)) == (0, {"out/rf.joblib"})
    done = python(net, allowed={"workers": True})
    assert (done.code, set(done.outputs)) == (0, {"out/net.pt"})
