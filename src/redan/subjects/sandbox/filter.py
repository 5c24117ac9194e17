"""The seccomp filter: a classic BPF program that refuses the system calls a model never needs.

Everything that reaches out (sockets, other processes, their signals, limits and schedules, kernel interfaces, io_uring,
which would go round this filter) and everything that changes files in ways that Landlock does not see (modes, owners,
times, attributes) is refused with EPERM. New threads are allowed, new processes are not.
"""

from __future__ import annotations

import struct

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machine → AUDIT_ARCH of its system calls."""

# name: (x86_64, aarch64); None where the machine has no such call
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "accept": (43, 202),
    "sendto": (44, 206),
    "bind": (49, 200),
    "listen": (50, 201),
    "socketpair": (53, 199),
    "accept4": (288, 242),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "setpriority": (141, 140),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "unshare": (272, 97),
    "setns": (308, 268),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_CLONE_THREAD = 0x00010000
_X32_BIT = 0x40000000

_EPERM, _ENOSYS = 1, 38
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# offsets in struct seccomp_data; the flags of clone are its first argument on both machines
_AT_NUMBER, _AT_ARCHITECTURE, _AT_FIRST_ARGUMENT = 0, 4, 16


_SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
_PROCESSES = ("fork", "vfork", "execve", "execveat", "sched_setaffinity", "sched_setscheduler", "setpriority")
_PAIRS = ("socketpair", "socket", "sendto")
_CONNECTED = ("connect", "bind", "listen", "accept", "accept4", "sendmsg", "sendmmsg", "sendto")
_PRETENDED = [
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "utime",
    "utimes",
    "futimesat",
    "utimensat",
]
TRACED: dict[str, dict[str, int]] = {
    "x86_64": {"open": 2, "creat": 85, "openat": 257, "openat2": 437, "execve": 59, "execveat": 322, "socket": 41},
    "aarch64": {"openat": 56, "openat2": 437, "execve": 221, "execveat": 281, "socket": 198},
}
"""System calls of a command that its supervisor is asked about, by machine."""
_ASK = 0x7FC00000
_CLONE_NEW = 0x7E020080
"""Every namespace that clone can make."""
_SENDTO = {"x86_64": 44, "aarch64": 206}
_AT_FIFTH_ARGUMENT = 16 + 4 * 8


def program(machine: str) -> bytes:
    """Return the filter of a process that loads a model, as an array of struct sock_filter.

    Raises:
        KeyError: a machine whose system calls are not known here.
    """
    code = _preamble(machine) + _each(machine, _REFUSED, _ERRNO | _EPERM) + _limits_of_others(machine)
    return b"".join(
        [
            *code,
            _step(_EQUAL, value=_CLONE[machine], no=3),
            _step(_LOAD, value=_AT_FIRST_ARGUMENT),
            _step(_ANY_BIT, value=_CLONE_THREAD, yes=1),
            _step(_RETURN, value=_ERRNO | _EPERM),
            _step(_RETURN, value=_ALLOW),
        ]
    )


def command_program(machine: str, *, may_signal: bool, sockets: bool) -> bytes:
    """Return the filter of a command: it may start processes, and its supervisor is asked about each file it opens.

    Changes of modes, owners and times are answered with success and not made, since copying a file ends with them.

    Args:
        machine: as ``platform.machine()`` says it.
        may_signal: signals to processes outside are refused by other means.
        sockets: those that the supervisor lets pass may be connected; else only pairs can be made.

    Raises:
        KeyError: a machine whose system calls are not known here.
    """
    allowed = {*_PROCESSES, *_PAIRS, *(_SIGNALS if may_signal else ()), *(_CONNECTED if sockets else ())}
    refused = {name: both for name, both in _REFUSED.items() if name not in allowed and name not in _PRETENDED}
    pretended = {name: _REFUSED[name] for name in _PRETENDED}
    code = _preamble(machine) + _each(machine, refused, _ERRNO | _EPERM) + _each(machine, pretended, _ERRNO)
    for number in sorted(TRACED[machine].values()):
        code += [_step(_EQUAL, value=number, no=1), _step(_RETURN, value=_ASK)]
    if not sockets:
        code += _no_address(machine)
    code += _limits_of_others(machine)
    return b"".join(
        [
            *code,
            _step(_EQUAL, value=_CLONE[machine], no=3),
            _step(_LOAD, value=_AT_FIRST_ARGUMENT),
            _step(_ANY_BIT, value=_CLONE_NEW, no=1),
            _step(_RETURN, value=_ERRNO | _EPERM),
            _step(_RETURN, value=_ALLOW),
        ]
    )


def _preamble(machine: str) -> list[bytes]:
    code = [
        _step(_LOAD, value=_AT_ARCHITECTURE),
        _step(_EQUAL, value=ARCHITECTURES[machine], yes=1),
        _step(_RETURN, value=_KILL),
        _step(_LOAD, value=_AT_NUMBER),
    ]
    if machine == "x86_64":
        # a second table of system calls lies behind this bit
        code += [_step(_AT_LEAST, value=_X32_BIT, no=1), _step(_RETURN, value=_KILL)]
    return code


def _each(machine: str, calls: dict[str, tuple[int | None, int | None]], answer: int) -> list[bytes]:
    column = 0 if machine == "x86_64" else 1
    numbers = sorted(both[column] or 0 for both in calls.values() if both[column] is not None)
    return [step for n in numbers for step in (_step(_EQUAL, value=n, no=1), _step(_RETURN, value=answer))]


def _limits_of_others(machine: str) -> list[bytes]:
    return [
        # clone3 hides its flags behind a pointer; without it the C library falls back to clone
        _step(_EQUAL, value=_CLONE3, no=1),
        _step(_RETURN, value=_ERRNO | _ENOSYS),
        # limits of this process (0) may be read, those of another may not be touched
        _step(_EQUAL, value=_PRLIMIT[machine], no=4),
        _step(_LOAD, value=_AT_FIRST_ARGUMENT),
        _step(_EQUAL, value=0, yes=1),
        _step(_RETURN, value=_ERRNO | _EPERM),
        _step(_RETURN, value=_ALLOW),
    ]


def _no_address(machine: str) -> list[bytes]:
    """Let sendto go to the other end of a pair and to no address."""
    return [
        _step(_EQUAL, value=_SENDTO[machine], no=6),
        _step(_LOAD, value=_AT_FIFTH_ARGUMENT),
        _step(_EQUAL, value=0, no=3),
        _step(_LOAD, value=_AT_FIFTH_ARGUMENT + 4),
        _step(_EQUAL, value=0, no=1),
        _step(_RETURN, value=_ALLOW),
        _step(_RETURN, value=_ERRNO | _EPERM),
    ]


def _step(code: int, *, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("@HBBI", code, yes, no, value)
