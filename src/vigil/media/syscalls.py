"""Numbers of the system calls that matter to the child, per architecture, and what becomes of each.

Source of the numbers: the kernel's own tables (``arch/x86/entry/syscalls/syscall_64.tbl`` and
``include/uapi/asm-generic/unistd.h``). A call that stands nowhere here fails with EPERM.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# name: (x86-64, aarch64); -1 where the architecture does not have the call.
ALLOWED: Final[dict[str, tuple[int, int]]] = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "nanosleep": (35, 101),
    "getpid": (39, 172),
    "recvmsg": (47, 212),
    "exit": (60, 93),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "times": (100, 153),
    "sigaltstack": (131, 132),
    "gettid": (186, 178),
    "futex": (202, 98),
    "sched_getaffinity": (204, 123),
    "set_tid_address": (218, 96),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "exit_group": (231, 94),
    "set_robust_list": (273, 99),
    "getrandom": (318, 278),
    "membarrier": (324, 283),
    "rseq": (334, 293),
}

# Allowed with a condition on one argument; the conditions stand in ``seccomp.program``.
MMAP: Final = (9, 222)
MPROTECT: Final = (10, 226)
SENDTO: Final = (44, 206)
CLONE: Final = (56, 220)
FCNTL: Final = (72, 25)
TGKILL: Final = (234, 131)
NEWFSTATAT: Final = (262, 79)
PRLIMIT64: Final = (302, 261)
CLONE3: Final = (435, 435)

# Nobody calls these while decoding a picture: the process is killed on the spot.
FATAL: Final[dict[str, tuple[int, int]]] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "accept": (43, 202),
    "bind": (49, 200),
    "listen": (50, 201),
    "socketpair": (53, 199),
    "fork": (57, -1),
    "vfork": (58, -1),
    "execve": (59, 221),
    "kill": (62, 129),
    "ptrace": (101, 117),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "mount": (165, 40),
    "umount2": (166, 39),
    "reboot": (169, 142),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "tkill": (200, 130),
    "kexec_load": (246, 104),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "accept4": (288, 242),
    "perf_event_open": (298, 241),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "finit_module": (313, 273),
    "bpf": (321, 280),
    "execveat": (322, 281),
    "userfaultfd": (323, 282),
    "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """``audit`` is the kernel's AUDIT_ARCH value; ``column`` the place in the tables above."""

    name: str
    audit: int
    column: int
    seccomp: int
    highest: int


ARCHITECTURES: Final[dict[str, Architecture]] = {
    "x86_64": Architecture("x86_64", 0xC000003E, 0, 317, 0x3FFFFFFF),  # above: the x32 calls, a way round the filter
    "aarch64": Architecture("aarch64", 0xC00000B7, 1, 277, 0xFFFFFFFF),
}
