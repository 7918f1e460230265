"""Lock this process in, without root: limits, no new privileges, no files, no network, few system calls.

Each layer stands alone, so that a kernel that lacks one still has the others. The child reports which are
active; nobody has to guess. Called once, late: after the decoders are loaded nothing needs to be opened again.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from vigil.media import seccomp
from vigil.media.limits import CHILD_CPU_SECONDS, CHILD_DESCRIPTORS, CHILD_MEMORY
from vigil.media.protocol import Layer
from vigil.media.syscalls import ARCHITECTURES

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
CAPABILITY_VERSION_3: Final = 0x20080522
LAST_CAPABILITY: Final = 63
SYSCALL_CAPSET: Final = {"x86_64": 126, "aarch64": 91}
LANDLOCK_CREATE_RULESET: Final = 444
LANDLOCK_RESTRICT_SELF: Final = 446
LANDLOCK_VERSION: Final = 1
# Rights that each version of Landlock knows: (file access, TCP, scopes); kernel: include/uapi/linux/landlock.h.
LANDLOCK_RIGHTS: Final = {
    1: (0x1FFF, 0, 0),
    2: (0x3FFF, 0, 0),
    3: (0x7FFF, 0, 0),
    4: (0x7FFF, 3, 0),
    5: (0xFFFF, 3, 0),
    6: (0xFFFF, 3, 3),
}
SECCOMP_SET_MODE_FILTER: Final = 1

_library = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the thread that started it ends; leave if that has happened already."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)


def confine(memory: int = CHILD_MEMORY.value) -> tuple[Layer, ...]:
    """Apply every layer, in the order in which none hinders the next, and say which are active.

    ``memory`` in bytes, on top of what the process has mapped by now.
    """
    steps: tuple[tuple[str, Callable[[], str]], ...] = (
        ("limits", lambda: _limit(memory)),
        ("not_dumpable", _hide_memory),
        ("no_capabilities", _drop_capabilities),
        ("no_new_privileges", _keep_privileges),
        ("landlock", _restrict_files),
        ("seccomp", _filter_calls),
    )
    return tuple(_attempt(name, step) for name, step in steps)


def allow_cpu(seconds: int) -> None:
    """Give the next file ``seconds`` of processor time; beyond them the kernel ends the process (SIGXCPU)."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (min(used + seconds, hard), hard))


def _attempt(name: str, step: Callable[[], str]) -> Layer:
    try:
        return Layer(name, True, step())
    except OSError as error:
        return Layer(name, False, os.strerror(error.errno or 0))


def _limit(memory: int) -> str:
    address_space = _mapped() + memory
    for kind, value in (
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_CPU, CHILD_CPU_SECONDS.value),
        (resource.RLIMIT_NOFILE, CHILD_DESCRIPTORS.value),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _lower(kind, value)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)  # noqa: TID251  no handler of ours
    return f"memory {memory // 1024**2} MiB above start, no core, no file writing"


def _lower(kind: int, value: int) -> None:
    """Set both limits, never above a hard limit that is already there."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _mapped() -> int:
    """Bytes of address space in use, from /proc/self/statm."""
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()


def _hide_memory() -> str:
    _prctl(PR_SET_DUMPABLE, 0)
    return "no tracing by processes of the same user"


def _drop_capabilities() -> str:
    """Give up every capability, also those of root. Without any there is nothing to do."""
    for capability in range(LAST_CAPABILITY + 1):
        _library.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails for a plain user, who has none to lose
    header = struct.pack("<Ii", CAPABILITY_VERSION_3, 0)
    _syscall(SYSCALL_CAPSET.get(platform.machine(), -1), header, bytes(24))
    return "all given up"


def _keep_privileges() -> str:
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    return "set"


def _restrict_files() -> str:
    """Landlock with no rule at all: no path may be opened, no TCP port used, nobody outside signalled."""
    version = _syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION)
    rights = LANDLOCK_RIGHTS[min(version, max(LANDLOCK_RIGHTS))]
    attributes = struct.pack("<QQQ", *rights)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _syscall(LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        _syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return f"version {version}, nothing allowed"


def _filter_calls() -> str:
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        raise OSError(seccomp.ENOSYS, "no table of system calls for this machine")
    steps = seccomp.program(architecture, os.getpid())
    buffer = ctypes.create_string_buffer(seccomp.encode(steps))
    head = struct.pack("@HxxxxxxP", len(steps), ctypes.addressof(buffer))
    _syscall(architecture.seccomp, SECCOMP_SET_MODE_FILTER, 0, head)
    return f"allow-list of {len(steps)} steps"


def _prctl(option: int, value: int) -> None:
    if _library.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _syscall(number: int, *arguments: object) -> int:
    result: int = _library.syscall(ctypes.c_long(number), *[_machine_word(argument) for argument in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), "system call")
    return result


def _machine_word(argument: object) -> object:
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
