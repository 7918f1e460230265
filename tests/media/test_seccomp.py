"""The filter, step by step, on both architectures: a small interpreter of the instructions it uses decides each call."""

from __future__ import annotations

import platform

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.media import seccomp, syscalls
from vigil.media.seccomp import ALLOW, EPERM, ERRNO, KILL
from vigil.media.syscalls import ALLOWED, ARCHITECTURES, FATAL, Architecture

PID = 4711
CONDITIONAL = (
    syscalls.MMAP, syscalls.MPROTECT, syscalls.SENDTO, syscalls.CLONE, syscalls.FCNTL, syscalls.TGKILL,
    syscalls.NEWFSTATAT, syscalls.PRLIMIT64, syscalls.CLONE3,
)  # fmt: skip
REFUSE = ERRNO | EPERM
BOTH = pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=lambda one: one.name)


def verdict(architecture: Architecture, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the kernel would do: ``struct seccomp_data`` is number, architecture, instruction pointer, six arguments."""
    data = {seccomp.NUMBER: number, seccomp.MACHINE: architecture.audit if audit is None else audit}
    for place in range(6):
        value = arguments[place] if place < len(arguments) else 0
        data[16 + 8 * place], data[20 + 8 * place] = value & 0xFFFFFFFF, value >> 32
    steps = seccomp.program(architecture, PID)
    position, held = 0, 0
    while True:
        code, yes, no, constant = steps[position]
        position += 1
        if code == seccomp.RETURN:
            return constant
        if code == seccomp.LOAD:
            held = data[constant]
            continue
        true = {
            seccomp.EQUAL: held == constant, seccomp.GREATER: held > constant, seccomp.ANY_BIT: bool(held & constant)
        }[code]  # fmt: skip
        position += yes if true else no


def number(architecture: Architecture, numbers: tuple[int, int]) -> int:
    return numbers[architecture.column]


@BOTH
def test_what_decoding_needs_passes(architecture: Architecture) -> None:
    for numbers in ALLOWED.values():
        assert verdict(architecture, number(architecture, numbers)) == ALLOW


@BOTH
def test_what_only_an_intruder_calls_kills(architecture: Architecture) -> None:
    for name, numbers in FATAL.items():
        if number(architecture, numbers) >= 0:
            assert verdict(architecture, number(architecture, numbers)) == KILL, name


@BOTH
def test_a_foreign_calling_convention_kills(architecture: Architecture) -> None:
    read = number(architecture, ALLOWED["read"])
    assert verdict(architecture, read, audit=0x40000003) == KILL


def test_the_x32_calls_kill() -> None:
    assert verdict(ARCHITECTURES["x86_64"], 0x40000000) == KILL


@BOTH
@given(call=st.integers(0, 600))
def test_all_else_is_refused(architecture: Architecture, call: int) -> None:
    tables = [*ALLOWED.values(), *FATAL.values()]
    if call not in {number(architecture, one) for one in [*tables, *CONDITIONAL]}:
        assert verdict(architecture, call) == REFUSE


@BOTH
@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("MMAP", (0, 4096, 3), ALLOW),
        ("MMAP", (0, 4096, 7), REFUSE),
        ("MPROTECT", (0, 4096, 1), ALLOW),
        ("MPROTECT", (0, 4096, 5), REFUSE),
        ("CLONE", (0x00010000 | 0x100,), ALLOW),
        ("CLONE", (17,), KILL),
        ("SENDTO", (3, 0, 0, 0, 0, 0), ALLOW),
        ("SENDTO", (3, 0, 0, 0, 0x7FFF0000, 16), REFUSE),
        ("SENDTO", (3, 0, 0, 0, 1 << 32, 16), REFUSE),
        ("PRLIMIT64", (0, 9), ALLOW),
        ("PRLIMIT64", (PID + 1, 9), REFUSE),
        ("PRLIMIT64", (1 << 32, 9), REFUSE),
        ("TGKILL", (PID, PID, 6), ALLOW),
        ("TGKILL", (PID + 1, PID + 1, 9), KILL),
        ("FCNTL", (3, 1), ALLOW),
        ("FCNTL", (3, 8), REFUSE),  # F_SETOWN: whom to signal
        ("FCNTL", (3, 10), REFUSE),  # F_SETSIG
        ("NEWFSTATAT", (3, 0, 0, 0x1000), ALLOW),
        ("NEWFSTATAT", (3, 0, 0, 0), REFUSE),
        ("CLONE3", (0,), ERRNO | seccomp.ENOSYS),
    ],
)
def test_calls_that_pass_with_some_arguments_only(
    architecture: Architecture, call: str, arguments: tuple[int, ...], expected: int
) -> None:
    assert verdict(architecture, number(architecture, getattr(syscalls, call)), *arguments) == expected


@BOTH
def test_the_program_is_one_that_the_kernel_takes(architecture: Architecture) -> None:
    steps = seccomp.program(architecture, PID)
    assert len(steps) <= 4096
    assert len(seccomp.encode(steps)) == 8 * len(steps)
    for position, (_, yes, no, _) in enumerate(steps):
        assert position + 1 + max(yes, no) < len(steps) + (steps[position][0] == seccomp.RETURN)


def test_no_number_stands_twice() -> None:
    for column in (0, 1):
        numbers = [one[column] for table in (ALLOWED, FATAL) for one in table.values() if one[column] >= 0]
        assert len(numbers) == len(set(numbers))


def test_this_machine_has_a_table() -> None:
    assert platform.machine() in ARCHITECTURES
