"""What a process has answered since it started; the doors count, the metrics show. The numbers may lie in shared memory."""

from __future__ import annotations

from typing import Any, Final

NAMES: Final = ("requests", "problems", "faults", "media_busy", "lost_counts")
REQUESTS: Final = 0  # the place of the first, for those who count in a hot loop


class _Number:
    """One of the numbers, as an attribute."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __get__(self, traffic: Traffic, kind: Any = None) -> int:
        return traffic.numbers[self._place]

    def __set__(self, traffic: Traffic, value: int) -> None:
        traffic.numbers[self._place] = value


class Traffic:
    """Numbers of the process that say nothing about any list. ``numbers``: unsigned 64-bit, one writer."""

    requests = _Number(REQUESTS)
    problems = _Number(1)
    faults = _Number(2)
    media_busy = _Number(3)
    lost_counts = _Number(4)

    def __init__(self, numbers: memoryview | None = None) -> None:
        self.numbers: memoryview = numbers if numbers is not None else memoryview(bytearray(8 * len(NAMES))).cast("Q")
