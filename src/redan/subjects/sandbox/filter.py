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


def program(machine: str) -> bytes:
    """Return the filter as an array of struct sock_filter.

    Raises:
        KeyError: a machine whose system calls are not known here.
    """
    column = 0 if machine == "x86_64" else 1
    refused = sorted(numbers[column] or 0 for numbers in _REFUSED.values() if numbers[column] is not None)
    code = [
        _step(_LOAD, value=_AT_ARCHITECTURE),
        _step(_EQUAL, value=ARCHITECTURES[machine], yes=1),
        _step(_RETURN, value=_KILL),
        _step(_LOAD, value=_AT_NUMBER),
    ]
    if machine == "x86_64":
        # a second table of system calls lies behind this bit
        code += [_step(_AT_LEAST, value=_X32_BIT, no=1), _step(_RETURN, value=_KILL)]
    for number in refused:
        code += [_step(_EQUAL, value=number, no=1), _step(_RETURN, value=_ERRNO | _EPERM)]
    return b"".join(
        [
            *code,
            # clone3 hides its flags behind a pointer; without it the C library falls back to clone
            _step(_EQUAL, value=_CLONE3, no=1),
            _step(_RETURN, value=_ERRNO | _ENOSYS),
            # limits of this process (0) may be read, those of another may not be touched
            _step(_EQUAL, value=_PRLIMIT[machine], no=4),
            _step(_LOAD, value=_AT_FIRST_ARGUMENT),
            _step(_EQUAL, value=0, yes=1),
            _step(_RETURN, value=_ERRNO | _EPERM),
            _step(_RETURN, value=_ALLOW),
            _step(_EQUAL, value=_CLONE[machine], no=3),
            _step(_LOAD, value=_AT_FIRST_ARGUMENT),
            _step(_ANY_BIT, value=_CLONE_THREAD, yes=1),
            _step(_RETURN, value=_ERRNO | _EPERM),
            _step(_RETURN, value=_ALLOW),
        ]
    )


def _step(code: int, *, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("@HBBI", code, yes, no, value)
