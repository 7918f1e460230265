"""What a process has answered since it started; the door counts, the metrics show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Traffic:
    """Numbers of the process that say nothing about any list."""

    requests: int = 0
    problems: int = 0
    faults: int = 0
    media_busy: int = 0
