"""The container's seccomp profile lets the gateway work and nothing else, in a real kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

import httpx
import pytest
from tests.served import rows
from tests.service.test_monitoring_gateway import configured

PROFILE = Path(__file__).resolve().parents[2] / "deploy" / "container" / "seccomp.json"
CONFINED = Path(__file__).with_name("confined.py")
NEVER = {
    "add_key", "bpf", "chroot", "clone3", "delete_module", "finit_module", "fsopen", "init_module", "io_uring_setup",
    "kexec_load", "keyctl", "mount", "move_mount", "name_to_handle_at", "open_by_handle_at", "perf_event_open",
    "personality", "pivot_root", "process_vm_readv", "process_vm_writev", "ptrace", "reboot", "request_key", "setns",
    "setuid", "swapon", "umount2", "unshare", "userfaultfd",
}  # fmt: skip

WORKS = """
import asyncio, json, os, socket, sqlite3, ssl, subprocess, sys, tempfile, threading
import numpy as np, onnxruntime, uvloop
from pathlib import Path
from redan.core.settings import Settings
from redan.service.audit.act import Act
from redan.service.audit.recorder import open_auditor

folder = Path(tempfile.mkdtemp(dir=sys.argv[1]))
with sqlite3.connect(folder / "s.db") as database:
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE t (x)")
os.close(os.memfd_create("weights"))
assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True).stdout == b"1\\n"
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()

async def main():
    server = await asyncio.start_server(lambda r, w: (w.write(b"hello"), w.close()), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.read() == b"hello"
    writer.close()
    server.close()
    auditor = open_auditor(Settings(), folder, "here")
    await auditor.start()
    await auditor.commit([Act(t_us=1, who="-", act="predict")])
    await auditor.stop()

with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
print("works")
"""
REFUSED = """
import ctypes, errno, socket
libc = ctypes.CDLL(None, use_errno=True)
numbers = {"ptrace": 101, "mount": 165, "unshare": 272, "bpf": 321, "keyctl": 250, "io_uring_setup": 425, "setuid": 105}
for name, number in numbers.items():
    done = libc.syscall(number, 0, 0, 0, 0, 0)
    assert done == -1 and ctypes.get_errno() == errno.EPERM, (name, done, ctypes.get_errno())
assert libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) == -1 and ctypes.get_errno() == errno.EPERM, "new namespace"
assert libc.syscall(435, 0, 0) == -1 and ctypes.get_errno() == errno.ENOSYS, "clone3"
for family in (socket.AF_PACKET, socket.AF_ALG, socket.AF_VSOCK):
    try:
        socket.socket(family, socket.SOCK_DGRAM)
    except PermissionError:
        continue
    raise AssertionError(family)
print("refused")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if sys.platform != "linux" or os.uname().machine != "x86_64" or find_library("seccomp") is None:
        pytest.skip("needs Linux on x86-64 with libseccomp: apt-get install libseccomp2")
    return tmp_path


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "script.py"
    file.write_text(script, encoding="utf-8")
    variables = os.environ | {"UV_USE_IO_URING": "0", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, CONFINED, PROFILE, file, folder]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=variables, timeout=120)


def test_what_the_gateway_does_works_under_the_profile(folder: Path) -> None:
    done = run(WORKS, folder)
    assert done.stdout == "works\n", done.stderr[-3000:]


def test_the_whole_gateway_serves_under_the_profile(folder: Path) -> None:
    script = folder / "serve.py"
    script.write_text("from redan.cli.__main__ import main\nmain()\n", encoding="utf-8")
    file = configured(folder, "")
    words = [sys.executable, CONFINED, PROFILE, script, "serve", "--config", file]
    variables = os.environ | {"UV_USE_IO_URING": "0", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True, env=variables) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, "the gateway did not start"
            x, _ = rows()
            tensor = {"name": "input", "shape": [2, 30], "datatype": "FP32", "data": x[:2].ravel().tolist()}
            assert httpx.post(f"{url}/v2/models/onnx/infer", json={"inputs": [tensor]}).status_code == 200
            assert "Seccomp:\t2" in Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        finally:
            process.terminate()
        assert process.wait(30) == 0


def test_what_an_intruder_would_do_is_refused_by_the_kernel(folder: Path) -> None:
    done = run(REFUSED, folder)
    assert done.stdout == "refused\n", done.stderr[-3000:]


def test_the_profile_denies_by_default_and_names_no_dangerous_call() -> None:
    profile = json.loads(PROFILE.read_text(encoding="utf-8"))
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = {name for group in profile["syscalls"] if group["action"] == "SCMP_ACT_ALLOW" for name in group["names"]}
    assert not allowed & NEVER
    assert len(allowed) < 200
