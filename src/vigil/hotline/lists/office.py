"""The list office: builds, signs and publishes the editions that were asked for. The only process with signing keys.

It may be killed at any instant. What it does to a publication, in order:

1. ``building`` with a number above every number ever given out, in one transaction with the entries it read;
2. the edition is built, and the digest of its manifest noted on the row;
3. it is put into force on disk (:func:`vigil.editions.publish.publish` commits in one step);
4. ``published``.

A restart looks at the row that was being built: its edition is in force (same number, same manifest digest), then
step 4 is done again; or it is not, then the request is built anew under the next number. So no number ever stands for
two contents, and what nodes see is always a whole edition.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.db import close_old_connections, transaction
from django.db.models import Max

from vigil.base.errors import VigilError
from vigil.editions import selftest
from vigil.editions.build import BuiltEdition, build_edition
from vigil.editions.keys import KeyRing
from vigil.editions.model import AuditAnchor, EditionContents
from vigil.editions.partners import partners_of
from vigil.editions.publish import current_number, publish, recover, refresh, withdraw_partner
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import OFFICE, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.audit.verify import anchor_now
from vigil.hotline.lists import codes, live
from vigil.hotline.lists.contents import contents_now, counts_of
from vigil.hotline.lists.enumerations import PublicationState
from vigil.hotline.lists.exchange import journal
from vigil.hotline.lists.marking import own_contents
from vigil.hotline.lists.models import Publication
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.lists.queries import changes_since_last, last_published
from vigil.hotline.lists.releases import Drafts, needs_person, shares_of
from vigil.hotline.lists.sharing import grants_at
from vigil.hotline.partners.models import Partner

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.25
REFRESH_SECONDS: Final = 60.0
RENEW_AFTER: Final = timedelta(hours=18)  # an edition is valid for 24 hours; nodes must never meet a stale one
MOST_ATTEMPTS: Final = 5
MANIFEST: Final = "edition.json"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is needed to build one edition, read in one transaction."""

    publication: Publication
    number: int
    previous: int | None
    contents: EditionContents
    issued_at: datetime


class Office:
    """The office of one installation: ``repository`` is the folder of published editions, ``workshop`` a private one for
    the last plain copies of partners, from which their deltas are made (beside the published ones unless named)."""

    def __init__(self, repository: Path, keys: KeyRing, workshop: Path | None = None) -> None:
        self._repository = repository
        self._keys = keys
        self._drafts = Drafts(repository.parent / "drafts", repository)
        self._workshop = workshop or repository.parent / "workshop"
        self._stopped = -1

    def run(self, stop: threading.Event, poll: float = POLL_SECONDS) -> None:
        """Work until ``stop`` is set."""
        self.start()
        next_refresh = 0.0
        while not stop.is_set():
            close_old_connections()
            if time.monotonic() >= next_refresh:
                self.keep_fresh()
                next_refresh = time.monotonic() + REFRESH_SECONDS
            if self.work() is None:
                stop.wait(poll)

    def start(self) -> None:
        """Bring disk and rows back together after a stop of whatever kind."""
        recover(self._repository)
        for publication in Publication.objects.filter(state=PublicationState.BUILDING.value):
            self._reconcile(publication)
        for publication in Publication.objects.filter(state=PublicationState.AWAITING.value):
            if self._is_in_force(publication):
                self._conclude(publication)

    def work(self) -> Publication | None:
        """Publish what was signed meanwhile or the oldest request; None where nothing waits."""
        self.drop_partners()
        signed = self._signed()
        if signed is not None:
            return signed
        waiting = Publication.objects.filter(state=PublicationState.REQUESTED.value).order_by("created_at", "pk").first()
        if waiting is None:
            return None
        try:
            draft = self._begin(waiting)
            built = self._build(draft)
            shares = shares_of(draft.contents, draft.issued_at)
            if needs_person(self._keys):
                self._drafts.write(built, self._keys, now(), partners=bool(shares))
                return self._await(draft.publication)
            publish(self._repository, built, self._keys, now(), shares=shares, workshop=self._workshop)
        except VigilError as error:
            return self._fail(waiting, error)
        return self._conclude(draft.publication, draft.contents)

    def _await(self, publication: Publication) -> Publication:
        """The draft is written: now it is the release person's turn. Drafts before it are of no use any more."""
        for older in Publication.objects.filter(state=PublicationState.AWAITING.value):
            self._fail(older, VigilError("superseded", "A newer draft took its place before it was signed."))
            self._drafts.remove(older.number or 0)
        with transaction.atomic():
            publication.state = PublicationState.AWAITING.value
            publication.save(update_fields=["state"])
            record(OFFICE, codes.PUBLICATION_DRAFTED, publication, number=publication.number)
        log.info("edition waits for its signature", extra={"fields": {"number": publication.number}})
        return publication

    def _signed(self) -> Publication | None:
        """Publish the draft that the release person has signed; None where none is."""
        waiting = Publication.objects.filter(state=PublicationState.AWAITING.value).order_by("-number").first()
        if waiting is None or waiting.number is None or waiting.building_at is None:
            return None
        if not self._drafts.is_signed(waiting.number, self._keys):
            return None
        try:
            contents = contents_now(waiting.building_at, AuditAnchor(waiting.audit_events, waiting.audit_head))
            shares = shares_of(contents, now())
            self._drafts.publish(waiting.number, self._keys, now(), shares, self._workshop)
        except VigilError as error:
            return self._fail(waiting, error)
        finally:
            self._drafts.remove(waiting.number)
        return self._conclude(waiting, contents)

    def keep_fresh(self) -> None:
        """Sign anew what would expire, and ask for a new edition before the one in force grows old."""
        try:
            refresh(self._repository, self._keys, now())
        except VigilError as error:
            log.error("refresh failed", extra={"fields": {"code": error.code}})
        self.drop_partners(always=True)
        live.take_answers()
        live.do_ask(OFFICE, now())
        last = last_published()
        awaiting = Publication.objects.filter(state=PublicationState.AWAITING.value).exists()
        if not awaiting and last is not None and last.building_at is not None and now() - last.building_at >= RENEW_AFTER:
            do_request_publication(OFFICE, renewal=True)

    def drop_partners(self, *, always: bool = False) -> None:
        """Take the branches of partners that were stopped out of the published editions; with ``always`` look at all."""
        stopped = Partner.objects.filter(stopped_at__isnull=False).count()
        if stopped == self._stopped and not always:
            return
        self._stopped = stopped
        agreed = {grant.partner for grant in grants_at(now())}
        known = partners_of(self._keys.folder) if self._keys.folder else ()
        for code in set(known) - agreed:
            try:
                withdraw_partner(self._repository, self._keys, code, now())
            except VigilError as error:
                log.error("partner not dropped", extra={"fields": {"code": error.code}})
                self._stopped = -1

    def _begin(self, waiting: Publication) -> Draft:
        """Take the request: a number nobody had, the entries in force, the end of the audit log."""
        must(OFFICE, Permission.PUBLICATION_BUILD)
        previous = current_number(self._repository)
        live.take_answers()
        with transaction.atomic():
            publication = Publication.objects.select_for_update().get(pk=waiting.pk)
            publication.state = PublicationState.BUILDING.value
            publication.number = next_number(previous)
            publication.attempts += 1
            publication.building_at = now()
            publication.digest = ""
            record(OFFICE, codes.PUBLICATION_BUILDING, publication, number=publication.number)
            anchor = anchor_now()
            publication.audit_events, publication.audit_head = anchor.events, anchor.head
            publication.added, publication.removed = changes_since_last(publication.building_at)
            contents = contents_now(publication.building_at, AuditAnchor(anchor.events, anchor.head))
            publication.save()
        return Draft(publication, publication.number, previous, contents, publication.building_at)

    def _build(self, draft: Draft) -> BuiltEdition:
        held = selftest.added_to(own_contents(OFFICE, draft.contents))
        built = build_edition(held, number=draft.number, previous=draft.previous, issued_at=draft.issued_at)
        publication = draft.publication
        publication.digest = hashlib.sha256(built.files[MANIFEST]).hexdigest()
        publication.urls, publication.hashes = len(draft.contents.urls), len(draft.contents.hashes)
        publication.counts = counts_of(draft.contents)
        publication.save(update_fields=["digest", "urls", "hashes", "counts"])
        return built

    def _conclude(self, publication: Publication, contents: EditionContents | None = None) -> Publication:
        """Let partners read what has come into force in other forms too, then note that it has.

        Without ``contents`` they are read again as they were then: after a stop between the two. Doing it twice changes nothing.
        """
        if publication.number is not None and publication.building_at is not None:
            anchor = AuditAnchor(publication.audit_events, publication.audit_head)
            held = contents if contents is not None else contents_now(publication.building_at, anchor)
            journal.do_take(OFFICE, held, publication.number, now())
        return self._finish(publication)

    def _finish(self, publication: Publication) -> Publication:
        """Note that the edition is in force."""
        with transaction.atomic():
            publication.state = PublicationState.PUBLISHED.value
            publication.finished_at = now()
            publication.error_code = publication.error_text = ""
            publication.save(update_fields=["state", "finished_at", "error_code", "error_text"])
            record(
                OFFICE, codes.PUBLICATION_DONE, publication, number=publication.number, urls=publication.urls,
                hashes=publication.hashes, added=publication.added, removed=publication.removed, digest=publication.digest,
            )  # fmt: skip
        log.info("edition published", extra={"fields": {"number": publication.number}})
        return publication

    def _fail(self, waiting: Publication, error: VigilError) -> Publication:
        """Note why there is no edition; the one in force stays."""
        with transaction.atomic():
            publication = Publication.objects.select_for_update().get(pk=waiting.pk)
            publication.state = PublicationState.FAILED.value
            publication.finished_at = now()
            publication.error_code, publication.error_text = error.code[:60], str(error)[:500]
            publication.save(update_fields=["state", "finished_at", "error_code", "error_text"])
            record(OFFICE, codes.PUBLICATION_FAILED, publication, number=publication.number, reason=error.code)
        log.error("edition not published", extra={"fields": {"code": error.code}})
        return publication

    def _reconcile(self, publication: Publication) -> None:
        if self._is_in_force(publication):
            self._conclude(publication)
        elif publication.attempts >= MOST_ATTEMPTS:
            self._fail(publication, VigilError("gave_up", f"The build was interrupted {publication.attempts} times."))
        else:
            self._ask_again(publication)

    def _is_in_force(self, publication: Publication) -> bool:
        manifest = self._repository / "targets" / f"{publication.digest}.{MANIFEST}"
        same_number = publication.number is not None and current_number(self._repository) == publication.number
        return same_number and bool(publication.digest) and manifest.exists()

    @staticmethod
    def _ask_again(publication: Publication) -> None:
        with transaction.atomic():
            publication.state = PublicationState.REQUESTED.value
            publication.save(update_fields=["state"])
            record(OFFICE, codes.PUBLICATION_REPEATED, publication, number=publication.number)


def next_number(current: int | None) -> int:
    """A number above that of the edition in force and above every number given out before."""
    given: int = Publication.objects.aggregate(highest=Max("number"))["highest"] or 0
    return max(given, current or 0) + 1
