"""The system-call filter of the child as a classic BPF program (kernel: Documentation/userspace-api/seccomp_filter.rst).

An allow-list: what decoding needs passes, what only an intruder would call kills the process, all else fails
with EPERM. Nothing can be opened, so what the decoders load from disk has to be loaded before.
"""

from __future__ import annotations

import struct
from typing import Final

from vigil.media.syscalls import (
    ALLOWED,
    CLONE,
    CLONE3,
    FATAL,
    FCNTL,
    MMAP,
    MPROTECT,
    NEWFSTATAT,
    PRLIMIT64,
    SENDTO,
    TGKILL,
    Architecture,
)

LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
GREATER: Final = 0x25  # BPF_JMP | BPF_JGT | BPF_K
ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
RETURN: Final = 0x06  # BPF_RET | BPF_K

KILL: Final = 0x80000000  # SECCOMP_RET_KILL_PROCESS
ALLOW: Final = 0x7FFF0000
ERRNO: Final = 0x00050000
EPERM: Final = 1
ENOSYS: Final = 38

NUMBER: Final = 0  # offsets in struct seccomp_data
MACHINE: Final = 4
PROT_EXEC: Final = 4
CLONE_THREAD: Final = 0x00010000
AT_EMPTY_PATH: Final = 0x1000
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_GET_SEALS: none of them can send a signal or write.
FCNTL_COMMANDS: Final = (0, 1, 2, 3, 1030, 1034)

Instruction = tuple[int, int, int, int]


def program(architecture: Architecture, pid: int) -> list[Instruction]:
    """The filter for a process ``pid``: instructions (code, jump if true, jump if false, constant)."""
    column = architecture.column
    steps: list[Instruction] = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, architecture.audit), (RETURN, 0, 0, KILL)]
    steps += [(LOAD, 0, 0, NUMBER), (GREATER, 0, 1, architecture.highest), (RETURN, 0, 0, KILL)]
    for numbers in ALLOWED.values():
        steps += _when(numbers[column], ALLOW)
    for numbers in FATAL.values():
        steps += _when(numbers[column], KILL)
    steps += _when(CLONE3[column], ERRNO | ENOSYS)  # the C library then falls back to clone, whose flags can be seen
    steps += _conditions(column, pid)
    return [*steps, (RETURN, 0, 0, ERRNO | EPERM)]


def _conditions(column: int, pid: int) -> list[Instruction]:
    """Calls that pass only with certain arguments; refused ones fail with EPERM, a foreign fork kills."""
    steps = _case(MMAP[column], _low(2), [(ANY_BIT, 0, 1, PROT_EXEC), *_refuse(), *_allow()])
    steps += _case(MPROTECT[column], _low(2), [(ANY_BIT, 0, 1, PROT_EXEC), *_refuse(), *_allow()])
    steps += _case(CLONE[column], _low(0), [(ANY_BIT, 0, 1, CLONE_THREAD), *_allow(), (RETURN, 0, 0, KILL)])
    steps += _case(NEWFSTATAT[column], _low(3), [(ANY_BIT, 0, 1, AT_EMPTY_PATH), *_allow(), *_refuse()])
    steps += _case(SENDTO[column], _low(4), _only_zero(4))  # no address: only to the parent
    steps += _case(PRLIMIT64[column], _low(0), _only_zero(0))  # its own limits; raising hard ones needs a capability
    steps += _case(TGKILL[column], _low(0), [(EQUAL, 0, 1, pid), *_allow(), (RETURN, 0, 0, KILL)])
    commands = [step for command in FCNTL_COMMANDS for step in _when(command, ALLOW)]
    return steps + _case(FCNTL[column], _low(1), [*commands, *_refuse()])


def _when(number: int, verdict: int) -> list[Instruction]:
    if number < 0:
        return []
    return [(EQUAL, 0, 1, number), (RETURN, 0, 0, verdict)]


def _case(number: int, load: Instruction, body: list[Instruction]) -> list[Instruction]:
    """``body`` runs, with an argument loaded, for call ``number`` alone; it always returns."""
    return [(EQUAL, 0, len(body) + 1, number), load, *body]


def _low(argument: int) -> Instruction:
    """Load the low half of an argument (both architectures are little-endian)."""
    return (LOAD, 0, 0, 16 + 8 * argument)


def _only_zero(argument: int) -> list[Instruction]:
    """Allowed where all 64 bits of the argument are zero; the low half is loaded already."""
    high = (LOAD, 0, 0, 16 + 8 * argument + 4)
    return [(EQUAL, 0, 3, 0), high, (EQUAL, 0, 1, 0), *_allow(), *_refuse()]


def _allow() -> list[Instruction]:
    return [(RETURN, 0, 0, ALLOW)]


def _refuse() -> list[Instruction]:
    return [(RETURN, 0, 0, ERRNO | EPERM)]


def encode(steps: list[Instruction]) -> bytes:
    """The program as an array of ``struct sock_filter``."""
    return b"".join(struct.pack("<HBBI", *step) for step in steps)
