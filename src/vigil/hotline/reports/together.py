"""Orders that come in at the same moment are done together: what a transaction costs is paid once for all of them.

While one thread commits, others come in and wait; the first of those then takes all that wait, in their order, and commits
them with its own. Nobody waits for company, and nobody is answered before the commit that holds their order.

Should a common transaction be refused, each thread does its own order again by itself, so that none fails for the sake of
another. Where the database went away, nobody knows whether it had committed: nothing is done again, and all are told.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from django.db import InterfaceError, OperationalError

log = logging.getLogger(__name__)

Order = TypeVar("Order")
Done = TypeVar("Done")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Order, Done]):
    """One order. ``turn`` is set once it was done, or was lost with the database, or is to be done alone, or leads the others."""

    group: Hashable
    order: Order
    turn: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    done: list[Done] = field(default_factory=list)
    lost: bool = False


class Together(Generic[Order, Done]):
    """``work`` does orders of one group in one transaction, all or none, and gives an answer for each; at most ``most``."""

    def __init__(self, work: Callable[[Sequence[Order]], Sequence[Done]], most: int) -> None:
        self._work, self._most = work, most
        self._lock = threading.Lock()
        self._queue: list[_Waiting[Order, Done]] = []

    def do(self, group: Hashable, order: Order) -> Done:
        """Do ``order``, with others of its ``group`` that wait. Raises what doing it by itself would raise."""
        mine: _Waiting[Order, Done] = _Waiting(group, order)
        with self._lock:
            mine.leads = not self._queue
            self._queue.append(mine)
        if not mine.leads:
            mine.turn.wait()
        if mine.leads:
            self._lead(mine)
        if mine.lost:
            raise OperationalError("the database went away during a common transaction")
        return mine.done[0] if mine.done else self._work([order])[0]

    def _lead(self, mine: _Waiting[Order, Done]) -> None:
        """Do all that wait. They stay at the front of the queue until they are done, so that nobody else begins."""
        with self._lock:
            taken = [each for each in self._queue if each.group == mine.group][: self._most]
        try:
            if len(taken) > 1:
                self._attempt(taken)
            else:
                mine.done.extend(self._work([mine.order]))
        finally:
            self._hand_over(taken)

    def _attempt(self, taken: Sequence[_Waiting[Order, Done]]) -> None:
        try:
            answers = self._work([each.order for each in taken])
        except (OperationalError, InterfaceError):
            log.exception("a common transaction was lost")
            for each in taken:
                each.lost = True
        except Exception:  # noqa: BLE001 - nothing is swallowed: each of them is done alone now, and raises what is its own
            return
        else:
            for each, answer in zip(taken, answers, strict=True):
                each.done.append(answer)

    def _hand_over(self, taken: Sequence[_Waiting[Order, Done]]) -> None:
        """Let those go that were taken, and the next one lead."""
        with self._lock:
            self._queue = [each for each in self._queue if each not in taken]
            following = self._queue[0] if self._queue else None
            if following is not None:
                following.leads = True
        for each in taken:
            each.turn.set()
        if following is not None:
            following.turn.set()
