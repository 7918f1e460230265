"""Signals of the operating system, taken without waiting for a lock.

Python runs a handler in the main thread between any two of its instructions. A handler must therefore take no lock that the
main thread may hold: ``threading.Event.set`` takes one, and a main thread that was just about to wait for the same event would
stand still for ever. Here the handler writes one byte into a pipe; a thread reads it and acts.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from types import FrameType


def attend(acts: Mapping[signal.Signals, Callable[[], None]]) -> Callable[[], None]:
    """Call ``acts[number]`` in a thread of its own, in the order of arrival, each time the process is sent signal ``number``.

    Answers what gives the signals back to those who had them before. Off the main thread, where Python takes no signals,
    nothing is taken.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def note(number: int, frame: FrameType | None) -> None:
        try:
            os.write(writing, bytes([number]))
        except BlockingIOError:
            return  # thousands wait already: this one asks for nothing that they do not

    def act() -> None:
        with os.fdopen(reading, "rb", buffering=0) as arrived:
            while number := arrived.read(1):
                acts[signal.Signals(number[0])]()

    before = {number: signal.signal(number, note) for number in acts}
    threading.Thread(target=act, name="vigil-signals", daemon=True).start()

    def give_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writing)

    return give_back
