"""Threads that take work nobody waits for."""

from __future__ import annotations

import threading

from tests.edge.world import until

from vigil.edge.http.hands import Hands


def test_one_thread_takes_work_in_the_order_in_which_it_came() -> None:
    hands, done, whole = Hands(1), list[int](), threading.Event()
    for number in range(20):
        hands.take(lambda number=number: done.append(number))  # type: ignore[misc]
    hands.take(whole.set)
    assert whole.wait(20) and done == list(range(20))
    hands.close()


def test_closing_waits_for_what_is_being_done_and_leaves_what_waits() -> None:
    hands, begun, go_on, done = Hands(1), threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        begun.set()
        go_on.wait(20)
        done.append("first")

    hands.take(first)
    for name in ("second", "third"):
        hands.take(lambda name=name: done.append(name))  # type: ignore[misc]
    assert begun.wait(20)
    closing = threading.Thread(target=hands.close)
    closing.start()
    until(lambda: hands._waiting.qsize() == 1)  # the word to end, and nothing before it
    assert closing.is_alive() and not done
    go_on.set()
    closing.join(20)
    assert not closing.is_alive() and done == ["first"]


def test_as_many_works_are_done_at_once_as_there_are_threads() -> None:
    hands, together = Hands(3), threading.Barrier(4)
    for _ in range(3):
        hands.take(lambda: together.wait(20) and None)  # type: ignore[func-returns-value]
    together.wait(20)
    hands.close()
