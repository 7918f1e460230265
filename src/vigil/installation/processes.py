"""Starts the processes of an installation, watches them, and stops them all together.

A process that ends is started again after a pause that grows with each quick failure. The processes die with
their watcher, also when it is killed: each asks the kernel for that (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

PR_SET_PDEATHSIG: Final = 1
GRACE_SECONDS: Final = 8.0
LONGEST_PAUSE: Final = 5.0
STEADY_SECONDS: Final = 10.0

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Program:
    """One process of the installation: its name in logs, its command, and what its environment adds."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def vigil(*arguments: str) -> list[str]:
    """The command line of this very installation, as a command."""
    return [sys.executable, "-m", "vigil.cli", *arguments]


def run_once(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a step of the preparation to its end; its output, or an error that quotes it."""
    finished = subprocess.run(  # noqa: S603 - commands are built by this package
        list(command), env={**os.environ, **environment}, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if finished.returncode != 0:
        raise StepError(" ".join(command[2:5]), finished.stderr.strip() or finished.stdout.strip())
    return finished.stdout


class StepError(RuntimeError):
    """A step of the preparation did not succeed; ``said`` is what it printed."""

    def __init__(self, step: str, said: str) -> None:
        super().__init__(f"{step}: {said}")
        self.step = step
        self.said = said


class _Watched:
    """A running program and its history of quick failures."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self._log = log
        self._failures = 0
        self._started_at = 0.0
        self.restart_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._started_at = time.monotonic()
        with self._log.open("ab") as stream:
            self.process = _spawn(self.program, stream)

    def plan_restart(self) -> None:
        steady = time.monotonic() - self._started_at > STEADY_SECONDS
        self._failures = 0 if steady else self._failures + 1
        pause = min(LONGEST_PAUSE, 0.2 * 2 ** min(self._failures, 6)) if self._failures > 1 else 0.1
        self.restart_at = time.monotonic() + pause


def _spawn(program: Program, stream: IO[bytes]) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def die_with_parent() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the call above took effect
            os._exit(1)

    # A session of its own: Ctrl-C in the terminal reaches the watcher alone, which then stops the rest in order.
    return subprocess.Popen(  # noqa: S603 - commands are built by this package
        list(program.command),
        env={**os.environ, **program.environment},
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=stream,
        start_new_session=True,
        preexec_fn=die_with_parent,
    )


class Watcher:
    """Keeps a set of programs running until told to stop."""

    def __init__(self, programs: Sequence[Program], logs: Path, report: Callable[[str], None]) -> None:
        self._watched = [_Watched(program, logs / f"{program.name}.log") for program in programs]
        self._report = report
        self._stopping = threading.Event()

    @property
    def pids(self) -> dict[str, int]:
        """Process numbers by name, of those that run."""
        return {w.program.name: w.process.pid for w in self._watched if w.process is not None and w.process.poll() is None}

    def start(self) -> None:
        for watched in self._watched:
            watched.start()

    def watch(self) -> None:
        """Block, restarting what ends, until :meth:`stop` is called from another thread."""
        while not self._stopping.wait(0.1):
            self.look_after()

    def look_after(self) -> bool:
        """Restart what has ended; False once :meth:`stop` was called."""
        for watched in self._watched:
            self._look_after(watched)
        return not self._stopping.is_set()

    def _look_after(self, watched: _Watched) -> None:
        process = watched.process
        if process is not None and process.poll() is not None:
            self._report(f"{watched.program.name} ended with status {process.returncode}; it is started again")
            watched.process = None
            watched.plan_restart()
        elif process is None and time.monotonic() >= watched.restart_at:
            watched.start()

    def stop(self) -> None:
        """Ask :meth:`watch` to return; from any thread but the one that watches, and never in a signal handler."""
        self._stopping.set()

    def shut_down(self) -> None:
        """Stop all programs: politely first, after a grace period by force."""
        running = [w.process for w in self._watched if w.process is not None and w.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
