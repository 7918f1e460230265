"""Signals are attended to whatever the main thread holds, and given back."""

import os
import signal
import threading

from vigil.base.signals import attend


def test_an_act_may_want_a_lock_that_the_main_thread_holds() -> None:
    held, done = threading.Lock(), threading.Event()

    def act() -> None:
        with held:
            done.set()

    give_back = attend({signal.SIGUSR1: act})
    try:
        with held:
            os.kill(os.getpid(), signal.SIGUSR1)  # a handler that acted by itself would never come back
        assert done.wait(60)
    finally:
        give_back()


def test_each_signal_has_its_own_act_and_all_that_arrive_are_heard() -> None:
    heard: list[str] = []
    enough = threading.Event()

    def act(name: str) -> None:
        heard.append(name)
        if len(heard) == 20:
            enough.set()

    give_back = attend({signal.SIGUSR1: lambda: act("one"), signal.SIGUSR2: lambda: act("two")})
    try:
        for number in [signal.SIGUSR1, signal.SIGUSR2] * 10:
            signal.raise_signal(number)
        assert enough.wait(60)
    finally:
        give_back()
    assert heard == ["one", "two"] * 10


def test_those_who_had_a_signal_before_have_it_again() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    attend({signal.SIGUSR1: lambda: None})()
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_flood_of_signals_does_not_stop_the_process() -> None:
    held, last = threading.Lock(), threading.Event()

    def act() -> None:
        with held:
            return

    give_back = attend({signal.SIGUSR1: act, signal.SIGUSR2: last.set})
    try:
        with held:
            for _ in range(70_000):  # more than a pipe holds
                signal.raise_signal(signal.SIGUSR1)
        for _ in range(600):
            signal.raise_signal(signal.SIGUSR2)
            if last.wait(0.1):
                break
        assert last.is_set()
    finally:
        give_back()


def test_off_the_main_thread_nothing_is_taken() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    thread = threading.Thread(target=lambda: attend({signal.SIGUSR1: lambda: None})())
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGUSR1) is before
