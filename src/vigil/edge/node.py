"""One enforcement node: its parts put together, its threads started and stopped. Any door (HTTP now) answers through it."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vigil.base.clock import Clock
from vigil.base.errors import VigilError
from vigil.edge.bookkeeper import Bookkeeper
from vigil.edge.config import KEPT, NodeConfig
from vigil.edge.counts import Adder, CountClass, Rules, Tally, entry_class
from vigil.edge.decide import EDITION_EXPIRED, decide, strongest
from vigil.edge.delivery import Courier, FloodCourier
from vigil.edge.delivery import Outcome as Delivered
from vigil.edge.doors import DoorName
from vigil.edge.enforced import Enforced, enforce
from vigil.edge.floods import Floods
from vigil.edge.identity import NodeKey
from vigil.edge.journal import fault_of
from vigil.edge.ledger import Ledger
from vigil.edge.pages import Kind, Page, Pages
from vigil.edge.policy import KEYWORD, MEDIA, Choice, Decision, Policy, differs, resolve
from vigil.edge.puller import Client, Puller
from vigil.edge.questions import URL, Question
from vigil.edge.repeats import Window
from vigil.edge.rounds import Rounds
from vigil.edge.screen import load_terms, screened
from vigil.edge.state import Readiness, State, readiness
from vigil.edge.traffic import Traffic
from vigil.edge.webhooks.notices import Webhooks
from vigil.editions.refusal import EditionUnreachable
from vigil.match.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from vigil.editions.cipher import Identity
    from vigil.editions.listen import Listener

OUTSIDE: Final = frozenset({CountClass.CANARY, CountClass.TEST})
STOP_SECONDS: Final = 3.0
BACK_OFF_LONGEST: Final = 900.0
EVENTS_AGAIN: Final = 2.0  # seconds until the stream is asked for again; doubled with each failure
EVENTS_LONGEST: Final = 120.0
EVENTS_SPREAD: Final = 1.0
# Where a browser asks, and asks again: a platform's questions are each an event of their own.
MERGED: Final = frozenset({DoorName.ICAP, DoorName.FORWARD_AUTH, DoorName.SQUID, DoorName.SPOE, DoorName.GATE})


class Node:
    """Answers questions, counts events, keeps its edition fresh."""

    def __init__(self, config: NodeConfig, clock: Clock, log: Any, client: Client | None = None) -> None:
        self.config, self.clock, self.log = config, clock, log
        self.state = State()
        self.traffic = Traffic()
        self.tally = Tally()
        self.pages = Pages(config.file.pages)
        config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._ledger = Ledger(config.state / "counts")
        counts = config.file.counts
        self.first, self.reuse_port = True, False
        self.certified: bool | None = None
        self.policy: Policy = config.file.policy
        self._own_terms = (load_terms(config.terms),) if config.terms is not None else ()
        self.key = NodeKey.of(config.state)
        self._window = Window(counts.repeat_seconds)
        epsilon = counts.epsilon if counts.privacy == "laplace" else None
        rules = Rules(counts.k, epsilon, secrets.randbelow if epsilon else None)
        self._books = Bookkeeper(config.file.node, self.tally, self._ledger, rules, open_hours=counts.send_open_hour)
        self._courier = Courier(counts.url, config.counts_token, self._ledger, self.key) if counts.url else None
        self.floods = Floods(config.file.node, counts.k)
        told = counts.url if counts.floods else None
        self.tells_floods = told is not None
        self._flood_courier = FloodCourier(told, config.counts_token, self.floods) if told else None
        self._send_failures = 0
        self._next_show: datetime | None = None
        self._indexes = config.state / "indexes"
        self._puller = Puller(
            client or _client(config), self._build, config.state / KEPT, self._indexes, self.state, self._swapped, log
        )
        self.webhooks = Webhooks(config.state, config.webhooks, config.file.limits.media_seconds, clock, log)
        self._threads: list[Rounds] = []
        self._listener: Listener | None = None
        self._deaf = 0
        self.swaps: list[Callable[[], None]] = []  # called after each swap, in the thread of the puller

    def start(self) -> None:
        """Take up the last good edition and the kept counts, then start pulling, writing and sending."""
        now = self.clock.now()
        if not self._books.start():
            self.log.error("counts_unreadable", code="open_counts_put_aside")
        self._puller.restore(now)
        self._threads = [Rounds("puller", self.pull_round, self.log), Rounds("books", self.books_round, self.log)]
        if self.config.file.certify.every_hours > 0:
            self._threads.append(Rounds("certify", self.certify_round, self.log))
        if self._courier is not None:
            self._threads.append(Rounds("courier", self.courier_round, self.log))
        self._threads += self.webhooks.threads()
        self._listener = self._listening()
        if self._listener is not None:
            self._threads.append(Rounds("listener", self.listen_round, self.log))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop the threads and write the counts down."""
        if self._listener is not None:
            self._listener.close()
        for thread in self._threads:
            thread.stop(STOP_SECONDS)
        self._books.tick(self.clock.now())

    def pull_round(self) -> float:
        """One attempt to renew the edition; seconds to the next."""
        self._puller.round(self.clock.now())
        return self._puller.pause(self.config.file.editions.poll_seconds)

    def listen_round(self) -> float:
        """Hear of new editions for as long as the hotline tells; seconds until it is asked again. Polling goes on besides."""
        if self._listener is None:
            return BACK_OFF_LONGEST
        try:
            self._listener.listen()
            self._deaf = 0
        except EditionUnreachable as error:
            self._deaf += 1
            if self.state.events_code != error.code:
                self.log.warning("events_unheard", code=error.code)
            self.state.events_code = error.code
        pause = min(EVENTS_AGAIN * float(2 ** min(self._deaf, 6)), EVENTS_LONGEST)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311  spreads load, guards nothing

    def _listening(self) -> Listener | None:
        editions = self.config.file.editions
        token = self.config.edition_token.open() if self.config.edition_token else None
        if editions.events is None:
            return None
        from vigil.editions import listen
        from vigil.editions.fetch import TlsFiles  # not at the top: see _client

        return listen.Listener(editions.events, token, self._pull_now, self._heard_again, TlsFiles(*self.config.tls))

    def _pull_now(self) -> None:
        """Something new is out. Nodes hear of it at the same instant: each waits for a moment of its own."""
        time.sleep(random.uniform(0.0, EVENTS_SPREAD))  # noqa: S311  spreads load, guards nothing
        self._threads[0].wake()

    def _heard_again(self) -> None:
        self.state.events_code, self._deaf = None, 0

    def books_round(self) -> float:
        """Write the counts down; seconds to the next time."""
        counts, now = self.config.file.counts, self.clock.now()
        show = self._next_show is None or now >= self._next_show
        if show:
            self._next_show = now + timedelta(seconds=counts.interval_seconds)
            self._ledger.prune(now)
        if brought := self._books.tick(now, show_open=show):
            self.log.warning("counts_from_the_future", columns=brought)  # docs/guides/edge-node.md, "A clock that was wrong"
        self.webhooks.sweep()
        return min(counts.flush_seconds, counts.interval_seconds)

    def courier_round(self) -> float:
        """Send what waits; seconds to the next time, more after failures."""
        interval = self.config.file.counts.interval_seconds
        if self._courier is None:
            return interval
        done = self._courier.round()
        if self._flood_courier is not None:
            self._flood_courier.round(self.clock.now())
        good = done.outcome is Delivered.DONE
        code = None if good else done.outcome.value
        if code != self.state.counts_code:
            self.log.info("counts_delivery", code=code or "done", sent=done.sent, refused=done.refused, status=done.status)
        self.state.counts_code = code
        self._send_failures = 0 if good else self._send_failures + 1
        pause = min(interval * float(2 ** min(self._send_failures, 4)), max(BACK_OFF_LONGEST, interval))
        return pause * random.uniform(0.9, 1.1)  # noqa: S311  spreads load, guards nothing

    def certify_round(self) -> float:
        """The self-test, once there is an edition; seconds to the next."""
        settings = self.config.file.certify
        if self.state.enforced is None:
            return 1.0
        from vigil.edge.certify.run import KEPT as KEPT_CERTIFICATE  # not at the top: see _client
        from vigil.edge.certify.run import hand_in, run_and_keep

        found = run_and_keep(self.config, self.clock)
        self.certified = found.good
        if not found.good:
            self.log.error("certify_failed", code=",".join(found.failing())[:200])
        if settings.report_url is not None:
            try:
                hand_in(self.config, (self.config.state / KEPT_CERTIFICATE).read_bytes())
            except (VigilError, OSError, HTTPException) as error:
                self.log.warning("certificate_not_taken", **fault_of(error))
        return settings.every_hours * 3600

    def waiting(self) -> int:
        """Vectors that the hotline has not taken yet."""
        return len(self._ledger.waiting())

    def readiness(self) -> Readiness:
        """The answer of ``/readyz``."""
        now = self.clock.now()
        return readiness(self.state, now, self.pages.without_help(now.date()))

    def lets_pass(self, address: str) -> bool:
        """True where :meth:`answer` would say "not listed", told by one look: almost all traffic, at a third of the cost."""
        edition = self.state.enforced
        return edition is not None and edition.is_unlisted(address)

    def lets_host_pass(self, host: str) -> bool:
        """The same for every address of ``host``, which an address names that is plain (``match/urls/plain``)."""
        edition = self.state.enforced
        return edition is not None and edition.is_unlisted_host(host)

    def answer(
        self, question: Question, edition: Enforced | None, kind: CountClass, door: DoorName = DoorName.HTTP
    ) -> Verdict:
        """Decide by ``edition`` and count; ``kind`` is the class of a listed address, ``door`` who asks."""
        now = self.clock.now()
        verdict = decide(question, edition, now)
        self.count(verdict, kind, now, door)
        return verdict

    def answer_any(
        self,
        questions: Sequence[Question],
        edition: Enforced | None,
        kind: CountClass,
        door: DoorName = DoorName.HTTP,
    ) -> Verdict:
        """One answer, counted once, for a request that can be read in several ways: if any reading is listed, it is."""
        if len(questions) == 1:
            return self.answer(questions[0], edition, kind, door)
        now = self.clock.now()
        verdict = strongest(decide(question, edition, now) for question in questions)
        self.count(verdict, kind, now, door)
        return verdict

    def screen(self, query: str, edition: Enforced | None) -> Verdict:
        """Decide on a query to a search or a chat by the words of ``edition`` and of the operator's own file, and count."""
        now, own = self.clock.now(), self._own_terms
        number = edition.number if edition else None
        if edition is not None and edition.screens and edition.stopped(now):
            verdict = Verdict(Outcome.UNKNOWN, number, KEYWORD, reason=EDITION_EXPIRED)
        else:
            verdict = screened(query, (*edition.screens, *own) if edition else own, number)
        self.count(verdict, CountClass.KEYWORD_WARNING, now, DoorName.SCREEN)
        return verdict

    def act(self, verdict: Verdict, door: DoorName, on_unknown: Choice = "refuse") -> Decision:
        """What ``door`` does about ``verdict``, by the operator's policy."""
        return resolve(verdict, door, self.policy, on_unknown)

    def message(self, language: str, edition: int | None) -> str:
        """One of the messages of ``language``, chosen at random and counted as shown; nobody is remembered for it."""
        name = secrets.choice(self.pages.messages(language))
        self.tally.message(edition, f"{name}.displayed", self.clock.now())
        return name

    def show(self, language: str, edition: int | None, kind: Kind = Kind.BLOCK) -> Page:
        """A page in ``language`` with one of its messages."""
        return self.pages.page(language, edition, self.clock.now(), kind, self.message(language, edition))

    def unread(self, edition: Enforced | None, door: DoorName = DoorName.HTTP) -> None:
        """Count a request that no question could be made of."""
        number = edition.number if edition else None
        self.tally.add(number, None, CountClass.UNKNOWN, self.clock.now(), door=door)

    def count(self, verdict: Verdict, kind: CountClass, now: datetime, door: DoorName) -> None:
        """Count a verdict: a hit under its class, or as let through where the policy lets it pass."""
        if verdict.verdict is Outcome.LISTED:
            self._count_hit(verdict, kind, now, door)
        elif verdict.verdict is Outcome.UNKNOWN:
            self.tally.add(verdict.edition, None, CountClass.UNKNOWN, now, door=door)

    def adder(self, verdict: Verdict, kind: CountClass, door: DoorName) -> Adder | None:
        """What counts further hits like ``verdict``, an address, at ``door``; None where each must be looked at by itself."""
        if door in MERGED or self.config.shadow is not None or self.act(verdict, door).passes:
            return None
        return self.tally.adder(verdict.edition, verdict.list, entry_class(verdict.labels, kind), door)

    def add_hit(self, adder: Adder, edition: int, entry: int, second: int) -> None:
        """Count a hit of ``entry`` by what :meth:`adder` gave, in the second ``second`` (unix)."""
        adder.add(second)
        if self.tells_floods and adder.kind not in OUTSIDE:
            self.floods.add_at(edition, entry, second)

    def _count_hit(self, verdict: Verdict, kind: CountClass, now: datetime, door: DoorName) -> None:
        if verdict.signal != URL:
            kind = CountClass.KEYWORD_WARNING if verdict.signal == KEYWORD else CountClass.MEDIA_MATCH
        elif door in MERGED and not self._window.is_new((verdict.list, verdict.entry, kind), now.timestamp()):
            return
        decision = self.act(verdict, door)
        if decision.passes:
            kind = CountClass.BYPASSED
        shadow = self.config.shadow
        if shadow is not None and (other := differs(decision, door, shadow, "refuse")) is not None:
            self.tally.note(f"shadow:{door}:{other}")
        found = entry_class(verdict.labels, kind)
        self.tally.add(verdict.edition, verdict.list, found, now, door=door)
        if self.tells_floods and found not in OUTSIDE and verdict.edition and verdict.entry is not None:
            self.floods.add(verdict.edition, verdict.entry, now)

    def take_hits(
        self, edition: int | None, name: str | None, kind: CountClass, now: datetime, number: int, door: DoorName
    ) -> None:
        """Count hits that another process found at ``door``: as let through where the policy lets them pass."""
        if kind is CountClass.MEDIA_MATCH and self.act(Verdict(Outcome.LISTED, edition, MEDIA, name), door).passes:
            kind = CountClass.BYPASSED
        self.tally.add(edition, name, kind, now, number, door)

    def bypassed(self, verdict: Verdict, door: DoorName = DoorName.HTTP) -> None:
        """Count traffic that was let through although the answer was unknown."""
        self.tally.add(verdict.edition, None, CountClass.BYPASSED, self.clock.now(), door=door)

    def _build(self, folder: Path) -> Enforced:
        from vigil.editions.load import load_edition  # not at the top: see _client
        from vigil.editions.terms import terms_in

        file, identity = self.config.file, _identity(self.config)
        edition = load_edition(folder, identity)
        words = terms_in(folder, identity) if file.screen.enabled and identity is not None else None
        # A name of its own for each build: workers may still map the one before, of the same number.
        indexes = self._indexes / f"{edition.number}.{secrets.token_hex(4)}"
        return enforce(edition, indexes, file.editions.lists, file.enforcement.on_hard_expiry, words)

    def swapped_in(self) -> None:
        """Tell those who asked that an edition came into force in this process."""
        for heard in self.swaps:
            heard()

    def _swapped(self, enforced: Enforced, now: datetime) -> None:
        self._books.in_force(enforced.number, enforced.lists, now, enforced.issued_at)
        self.webhooks.in_force(enforced)
        self.swapped_in()


def _client(config: NodeConfig) -> Client:
    from vigil.editions.client import EditionClient  # pyarrow and tuf cost 20 MB: a worker, which never pulls, is spared them
    from vigil.editions.fetch import TlsFiles

    token = config.edition_token.open() if config.edition_token else None
    return EditionClient(
        config.source,
        config.state / KEPT,
        config.root,
        token,
        part=config.file.editions.part,
        identity=_identity(config),
        tls=TlsFiles(*config.tls),
        extra=_keyword_files(config),
        prove=lambda _, data: load_terms(data),
    )


def _keyword_files(config: NodeConfig) -> tuple[str, ...]:
    """Which files of words to pull: none unless queries are screened; then those of the lists that are enforced.

    The first file is not named after its list, so it comes along and is left aside where its list is not enforced.
    """
    from vigil.editions import terms  # as above

    if not config.file.screen.enabled:
        return ()
    lists = config.file.editions.lists
    return (terms.TERMS_NAME, *([f"keywords-{name}.json" for name in lists] if lists else [terms.OTHER_TERMS]))


def _identity(config: NodeConfig) -> Identity | None:
    """What opens a partner's copy."""
    if config.identity is None:
        return None
    from vigil.editions import cipher  # as above

    return cipher.Identity(config.identity.open())
