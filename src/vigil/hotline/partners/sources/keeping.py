"""Keeping a page: what is new, what changed, what was taken back, what is set aside. One transaction, nothing half there.

Rules, each with its test:

* a record is compared with what is kept by a keyed digest of all of it; equal ones need no work;
* an older state that comes after a newer one changes nothing, unless a full fetch shows it to be the source's present one;
* of two states with one name and one time the withdrawal counts, otherwise the later in the page; the other is set aside;
* a record dated in the future is set aside, a withdrawal dated in the future counts at once: it is somebody's wish;
* a fingerprint that is none is set aside by name, and the rest of its record is used;
* what a withdrawn entry held is erased, not only left out.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import F

from vigil.base.errors import InputError
from vigil.hotline.access.entity import new_ids
from vigil.hotline.access.sealing import matching_bytes, matching_digest
from vigil.hotline.partners.sources import rows
from vigil.hotline.partners.sources.fingerprints import (
    DIGEST_BYTES,
    Fingerprint,
    digests_of_all,
    fingerprint,
    flaw_of,
    name_of,
)
from vigil.hotline.partners.sources.limits import (
    FINGERPRINTS,
    FUTURE,
    KEY_LENGTH,
    LABELS_LENGTH,
    RECORD_BYTES,
    SET_ASIDE,
    SET_ASIDE_BYTES,
)
from vigil.hotline.partners.sources.models import (
    ImportedEntry,
    ImportedFingerprint,
    ImportedPage,
    QuarantinedRecord,
    Source,
)
from vigil.hotline.partners.sources.pages import Kept, erased, packed
from vigil.hotline.partners.sources.record import DAMAGES, Flaw, Page, Record, SetAside

ENTRY_FIELDS: Final = (
    "id", "source", "key", "media", "member", "labels", "gone", "changed_at", "first_seen_at", "kept_at", "generation", "page",
    "position", "digest",
)  # fmt: skip
CHANGED_FIELDS: Final = (
    "media", "member", "labels", "gone", "changed_at", "kept_at", "generation", "page", "position", "digest",
)  # fmt: skip
MORE: Final = "(more records)"
_AT_ONCE: Final = 5000


@dataclass(slots=True)
class Tally:
    """What became of the records of some pages. ``damaged``: pages of which something could not be read."""

    pages: int = 0
    known_pages: int = 0
    records: int = 0
    added: int = 0
    changed: int = 0
    withdrawn: int = 0
    set_aside: int = 0
    damaged: int = 0

    def add(self, other: Tally) -> None:
        for name in ("pages", "known_pages", "records", "added", "changed", "withdrawn", "set_aside", "damaged"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def altered(self) -> bool:
        """Whether anything in force is otherwise than before."""
        return bool(self.added or self.changed or self.withdrawn)


@dataclass(slots=True)
class Prepared:
    """One record, ready to be compared."""

    record: Record
    key: str
    digest: bytes
    fingerprints: tuple[Fingerprint, ...]


@dataclass(slots=True)
class Reading:
    """A page as it was read: its usable records by key, what is set aside, and, once sealed, all of it as it is written."""

    prepared: dict[str, Prepared]
    aside: list[SetAside]
    content: str = ""
    ids: list[UUID] = field(default_factory=list)
    prints: rows.Written | None = None

    def seal(self) -> None:
        """Do before it is asked for what has to be done where nothing of the page was there before."""
        ready = list(self.prepared.values())
        self.content = packed(_kept(each) for each in ready)
        self.ids = new_ids(len(ready))
        self.prints = _prints(ready, self.ids)


@dataclass(slots=True)
class Known:
    """What is kept of an entry."""

    pk: UUID
    digest: bytes
    gone: bool
    changed_at: datetime | None
    page: int
    position: int


@dataclass(slots=True)
class Work:
    """The records of one page, sorted by what is to be done."""

    fresh: list[Prepared] = field(default_factory=list)
    altered: list[tuple[Known, Prepared]] = field(default_factory=list)
    same: list[UUID] = field(default_factory=list)


def read(page: Page, moment: datetime) -> Reading:
    """Read ``page``, without the database."""
    aside: list[SetAside] = []
    return Reading(_prepared(page, aside, moment), aside)


def keep(
    source: Source, page: Page, generation: int, moment: datetime, reading: Callable[[], Reading], *, whole: bool
) -> Tally:
    """Keep ``page`` as part of full fetch ``generation``. Must be called inside a transaction. ``whole``: a full fetch.

    ``reading`` reads the page, and is called only where it has to be read.
    """
    if page.digest and not page.flawed and _is_known(source, page.digest, generation):
        return Tally(pages=1, known_pages=1)
    found = reading()
    work = _sorted(source, found.prepared, whole=whole)
    if whole and work.same:
        _seen(work.same, generation)
    tally = Tally(1, 0, len(found.prepared), len(work.fresh), len(work.altered))
    if work.fresh or work.altered:
        memo = not found.aside and not work.same
        sealed = found if len(work.fresh) == len(found.prepared) else None
        tally.withdrawn = _write(source, page, work, generation, moment, memo=memo, sealed=sealed)
    tally.set_aside = set_aside(source, found.aside, page.name, moment)
    tally.damaged = int(page.flawed or any(each.flaw in DAMAGES for each in found.aside))
    _settle(source, work, moment)
    return tally


def set_aside(source: Source, items: Iterable[SetAside], page: str, moment: datetime) -> int:
    """Put records aside, each once however often it comes; gives how many there were."""
    by_digest = {_name_digest(source, each): each for each in items}
    if not by_digest:
        return 0
    known = QuarantinedRecord.objects.filter(source=source, digest__in=list(by_digest))
    there = set(known.values_list("digest", flat=True))
    known.update(times=F("times") + 1, last_seen_at=moment)
    room = SET_ASIDE.value - QuarantinedRecord.objects.filter(source=source, settled_at=None).count()
    fresh = [(digest, each) for digest, each in by_digest.items() if digest not in there]
    QuarantinedRecord.objects.bulk_create(
        QuarantinedRecord(
            source=source, name=each.name[:200], page=page[:200], flaw=each.flaw.value, digest=digest,
            raw=each.raw[: SET_ASIDE_BYTES.value] or None, first_seen_at=moment, last_seen_at=moment,
        )
        for digest, each in fresh[: max(room, 0)]
    )  # fmt: skip
    if len(fresh) > max(room, 0):
        _count_more(source, len(fresh) - max(room, 0), moment)
    return len(by_digest)


def erase(places: Iterable[tuple[int, int]]) -> None:
    """Erase records by (page, position) from the pages that hold them; such a page is never taken as known again."""
    by_page: dict[int, list[int]] = defaultdict(list)
    for page, position in places:
        by_page[page].append(position)
    for row in ImportedPage.objects.filter(pk__in=list(by_page)).iterator(chunk_size=50):
        ImportedPage.objects.filter(pk=row.pk).update(content=erased(row.content, by_page[row.pk]), digest="")


def _is_known(source: Source, digest: str, generation: int) -> bool:
    """True where the very same records came before and each of them still stands as it did."""
    known = ImportedPage.objects.filter(source=source, digest=digest).defer("content").order_by("-pk").first()
    if known is None or ImportedEntry.objects.filter(page=known).count() != known.records:
        return False
    if known.generation != generation:
        ImportedPage.objects.filter(pk=known.pk).update(generation=generation)
    return True


def _prepared(page: Page, aside: list[SetAside], moment: datetime) -> dict[str, Prepared]:
    """The usable records by key; the others go to ``aside``."""
    found: dict[str, Prepared] = {}
    for item in page.items():
        if isinstance(item, SetAside):
            aside.append(item)
            continue
        ready = _ready(item, aside, moment)
        if ready is None:
            continue
        other = found.get(ready.key)
        if other is not None and other.digest != ready.digest:
            ready, loser = _contest(other, ready)
            if loser is not None:
                aside.append(SetAside(loser.key, Flaw.CONTRADICTORY, loser.record.raw))
        found[ready.key] = ready
    return found


def _ready(record: Record, aside: list[SetAside], moment: datetime) -> Prepared | None:
    key = matching_digest("imported-key", record.key)[:40] if record.key_is_content else record.key.strip()
    if not key or len(key) > KEY_LENGTH.value or not key.isprintable():
        aside.append(SetAside(f"record without a usable name on {key[:40]!a}", Flaw.NO_KEY, record.raw))
        return None
    if len(record.raw) > RECORD_BYTES.value:
        aside.append(SetAside(key, Flaw.ENORMOUS, record.raw[:1000]))
        return None
    if not record.withdrawn and record.changed_at is not None and record.changed_at > moment + FUTURE:
        aside.append(SetAside(key, Flaw.FUTURE, record.raw))
        return None
    prints = () if record.withdrawn else _fingerprints(record, key, aside)
    digest = matching_bytes("imported-record", f"{int(record.withdrawn)}\0{record.raw}")[:DIGEST_BYTES]
    return Prepared(record, key, digest, prints)


def _fingerprints(record: Record, key: str, aside: list[SetAside]) -> tuple[Fingerprint, ...]:
    found: dict[Fingerprint, None] = {}
    if len(record.fingerprints) > FINGERPRINTS.value:
        aside.append(SetAside(f"{key} (fingerprints beyond {FINGERPRINTS.value})"[:200], Flaw.ENORMOUS, record.raw))
    for algorithm, value in record.fingerprints[: FINGERPRINTS.value]:
        try:
            found[fingerprint(algorithm, value)] = None
        except InputError as error:
            aside.append(SetAside(f"{key} ({name_of(algorithm)})"[:200], flaw_of(error), value))
    return tuple(found)


def _contest(first: Prepared, second: Prepared) -> tuple[Prepared, Prepared | None]:
    """Which of two states with one name counts, and the one that is set aside, where nothing says which is newer."""
    one, two = first.record.changed_at, second.record.changed_at
    if one is not None and two is not None and one != two:
        return (first, None) if one > two else (second, None)
    if first.record.withdrawn and not second.record.withdrawn:
        return first, second
    return second, first


def _sorted(source: Source, prepared: dict[str, Prepared], *, whole: bool) -> Work:
    known = _known(source, list(prepared))
    work = Work()
    for key, ready in prepared.items():
        there = known.get(key)
        if there is None:
            work.fresh.append(ready)
        elif _is_same(there, ready) or (not whole and _is_older(ready.record.changed_at, there.changed_at)):
            work.same.append(there.pk)
        else:
            work.altered.append((there, ready))
    return work


def _is_same(there: Known, ready: Prepared) -> bool:
    return there.digest == ready.digest and there.gone == ready.record.withdrawn


def _is_older(coming: datetime | None, there: datetime | None) -> bool:
    return coming is not None and there is not None and coming < there


def _known(source: Source, keys: list[str]) -> dict[str, Known]:
    found: dict[str, Known] = {}
    fields = ("key", "pk", "digest", "gone", "changed_at", "page_id", "position")
    for start in range(0, len(keys), _AT_ONCE):
        some = ImportedEntry.objects.filter(source=source, key__in=rows.among(keys[start : start + _AT_ONCE]))
        for key, pk, digest, gone, changed_at, page, position in some.values_list(*fields):
            found[key] = Known(pk, bytes(digest), gone, changed_at, page, position)
    return found


def _seen(same: list[UUID], generation: int) -> None:
    for start in range(0, len(same), _AT_ONCE):
        some = ImportedEntry.objects.filter(pk__in=same[start : start + _AT_ONCE])
        some.exclude(generation=generation).update(generation=generation)


def _write(
    source: Source, page: Page, work: Work, generation: int, moment: datetime, *, memo: bool, sealed: Reading | None = None
) -> int:
    """Write what is new or changed; gives how many were taken back. ``sealed``: all of it, and all of it new."""
    content, ids, prints = (sealed.content, sealed.ids, sealed.prints) if sealed is not None else ("", [], None)
    ready = [*work.fresh, *(each for _, each in work.altered)]
    row = ImportedPage.objects.create(
        source=source, name=page.name[:200], digest=page.digest if memo and not page.flawed else "", generation=generation,
        records=len(ready), received_at=moment, content=content or packed(_kept(each) for each in ready),
    )  # fmt: skip
    ids = ids or new_ids(len(work.fresh)) + [known.pk for known, _ in work.altered]
    _insert(source, row, work.fresh, ids, generation, moment)
    _alter(row, work, generation, moment)
    rows.add(prints or _prints(ready, ids))
    gone = [known for known, each in work.altered if each.record.withdrawn and not known.gone]
    erase((known.page, known.position) for known in gone)
    return len(gone)


def _prints(ready: Sequence[Prepared], ids: Sequence[UUID]) -> rows.Written:
    """The fingerprints of entries, ready to be added."""
    digests = digests_of_all([one for each in ready for one in each.fingerprints])
    owners = [(pk, one.algorithm) for pk, each in zip(ids, ready, strict=True) for one in each.fingerprints]
    found = ((pk, name, digest) for (pk, name), digest in zip(owners, digests, strict=True))
    return rows.written(ImportedFingerprint, ("entry", "algorithm", "digest"), found)


def _insert(
    source: Source, row: ImportedPage, fresh: list[Prepared], ids: list[UUID], generation: int, moment: datetime
) -> None:
    rows.insert(
        ImportedEntry, ENTRY_FIELDS,
        (
            (ids[place], source.pk, each.key, *_shown(each.record), each.record.withdrawn, _when(each.record, moment), moment,
             moment, generation, row.pk, place, each.digest)
            for place, each in enumerate(fresh)
        ),
    )  # fmt: skip


def _alter(row: ImportedPage, work: Work, generation: int, moment: datetime) -> None:
    pks = [known.pk for known, _ in work.altered]
    for start in range(0, len(pks), _AT_ONCE):
        found = ImportedFingerprint.objects.filter(entry__in=pks[start : start + _AT_ONCE])
        found._raw_delete(found.db)
    rows.update(
        ImportedEntry, CHANGED_FIELDS,
        (
            (*_shown(each.record), each.record.withdrawn, _when(each.record, moment), moment, generation, row.pk, place,
             each.digest, known.pk)
            for place, (known, each) in enumerate(work.altered, start=len(work.fresh))
        ),
    )  # fmt: skip


def _kept(each: Prepared) -> Kept:
    """What is sealed. Of a withdrawn record whose name is what it holds, nothing is."""
    raw = "" if each.record.withdrawn and each.record.key_is_content else each.record.raw
    return Kept(each.key, tuple((one.algorithm, one.value) for one in each.fingerprints), raw)


def _shown(record: Record) -> tuple[str, str, str]:
    labels = " ".join(record.labels)[: LABELS_LENGTH.value]
    return record.media.value, record.member[:120], labels


def _when(record: Record, moment: datetime) -> datetime | None:
    """The source's time of change, never later than ours: otherwise nothing it says afterwards would be newer."""
    return None if record.changed_at is None else min(record.changed_at, moment)


def _settle(source: Source, work: Work, moment: datetime) -> None:
    """What was set aside and has come in proper form since is settled."""
    waiting = QuarantinedRecord.objects.filter(source=source, settled_at=None)
    if not waiting.exists():
        return
    good = [each.key for each in work.fresh] + [each.key for _, each in work.altered]
    flaws = (Flaw.MALFORMED, Flaw.FUTURE, Flaw.ENORMOUS, Flaw.NOT_UTF8)
    for start in range(0, len(good), _AT_ONCE):
        some = waiting.filter(name__in=good[start : start + _AT_ONCE], flaw__in=flaws)
        some.update(settled_at=moment, settled_by="system:worker")


def _name_digest(source: Source, each: SetAside) -> str:
    raw = hashlib.sha256(each.raw.encode(errors="replace")).hexdigest()
    return matching_digest("set-aside", f"{source.pk}\0{each.name}\0{each.flaw.value}\0{raw}")


def _count_more(source: Source, number: int, moment: datetime) -> None:
    digest = matching_digest("set-aside", f"{source.pk}\0{MORE}")
    more: dict[str, Any] = {"source": source, "digest": digest}
    row, _ = QuarantinedRecord.objects.get_or_create(
        **more, defaults={"name": MORE, "flaw": Flaw.ENORMOUS.value, "times": 0, "first_seen_at": moment}
    )
    QuarantinedRecord.objects.filter(pk=row.pk).update(times=F("times") + number, last_seen_at=moment)
