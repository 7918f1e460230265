"""Challenges to an entry: filed by anybody, decided by somebody who took no part in the listing."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from typing import Final

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import PUBLIC, Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.enumerations import AppealOutcome, AppellantType, PoliceView, RemovedReason
from vigil.hotline.lists.models import Appeal, ListEntry
from vigil.hotline.lists.queries import entries_covering, people_behind
from vigil.hotline.lists.withdrawals import again_in_force, take_off
from vigil.hotline.reports.references import RANDOM_BYTES, reference_of

TEXT_CHARACTERS: Final = Limit(20_000, "characters", "an appeal is a letter, not a book")
BLOCK_REFERENCE: Final = re.compile(r"[A-Za-z0-9 ./:_-]{0,80}")
GRANTED: Final = frozenset({AppealOutcome.UPHELD, AppealOutcome.PARTLY_UPHELD})
AGAINST: Final = frozenset({AppealOutcome.NOT_UPHELD, AppealOutcome.REFERRED_TO_POLICE, AppealOutcome.NO_STANDING})


NOTICE_SERIAL: Final = re.compile(r"[A-Za-z0-9./:_-]{0,60}")


def check_file_appeal(
    address: str, reasons: str, standing: str, contact: str, block_reference: str, notice_serial: str = ""
) -> None:
    """Refuse what is empty or too long. An address we cannot read is taken as it is: a person looks at it."""
    if not NOTICE_SERIAL.fullmatch(notice_serial):
        raise InputError("notice_serial_malformed", "This is not the number of a notice.", where="notice_serial")
    if not address.strip() and not block_reference.strip() and not notice_serial:
        raise InputError(
            "appeal_without_target", "Say which page, or give the reference on the block page.", where="address"
        )
    named = {"address": address, "reasons": reasons, "standing": standing, "contact": contact}
    for field, text in named.items():
        if len(text) > TEXT_CHARACTERS.value:
            raise InputError("too_long", f"At most {TEXT_CHARACTERS.value} characters.", where=field)
    if not BLOCK_REFERENCE.fullmatch(block_reference):
        raise InputError("block_reference_malformed", "This is not a reference of a block page.", where="block_reference")


def do_file_appeal(
    person: Person = PUBLIC,
    *,
    address: str = "",
    appellant_type: AppellantType = AppellantType.OTHER_PARTY,
    reasons: str = "",
    standing: str = "",
    contact: str = "",
    block_reference: str = "",
    notice_serial: str = "",
) -> Appeal:
    """Keep an appeal; the entries that cover the address are noted with it. Gives the appeal with its ``ref``."""
    must(person, Permission.APPEAL_FILE)
    check_file_appeal(address, reasons, standing, contact, block_reference, notice_serial)
    with transaction.atomic():
        appeal = Appeal.objects.create(
            ref=reference_of(secrets.token_bytes(RANDOM_BYTES)),
            appellant_type=appellant_type.value,
            address=address or None,
            reasons=reasons or None,
            standing=standing or None,
            contact=contact or None,
            block_reference=block_reference,
            notice_serial=notice_serial,
            created_by=person.label,
        )
        covering = entries_covering(address) if address else []
        appeal.entries.set(covering)
        record(person, codes.APPEAL_FILED, appeal, appellant_type=appellant_type.value, entries=len(covering))
    return appeal


def check_name_entry(person: Person, appeal: Appeal) -> None:
    """An open appeal, by somebody who may decide appeals: others of them may find the entry for whoever decides."""
    must(person, Permission.APPEAL_DECIDE)
    if not appeal.is_open:
        raise RefusedError("appeal_decided", "This appeal is decided already.")


def do_name_entry(person: User, appeal: Appeal, number: int) -> ListEntry:
    """Note which entry an appeal is about. The number on a block page tells edition and time only, so a person has to find it."""
    with transaction.atomic():
        fresh = Appeal.objects.select_for_update().get(pk=appeal.pk)
        check_name_entry(person, fresh)
        entry = ListEntry.objects.filter(number=number, tombstone=False).first()
        if entry is None:
            raise InputError("entry_unknown", "There is no entry in force with that number.", where="number")
        if not fresh.entries.filter(pk=entry.pk).exists():
            fresh.entries.add(entry)
            record(person, codes.APPEAL_ENTRY_NAMED, fresh, entry=number)
    return entry


def check_decide_appeal(person: Person, appeal: Appeal) -> None:
    """An open appeal, by somebody who neither assessed nor approved any entry it is about."""
    check_name_entry(person, appeal)
    if appeal.police_asked_at is not None and not appeal.police_view:
        raise RefusedError("police_view_awaited", "The police have not given their view yet.", mend="Record it, then decide.")
    targets = appeal.entries.select_related("decision__report")
    must_differ(person, people_behind(targets), "An appeal")


def check_outcome(appeal: Appeal, outcome: AppealOutcome, police_view: PoliceView | None = None) -> None:
    """An outcome that agrees with what was settled before: whether they may appeal, and the final view of the police."""
    if appeal.standing_accepted is False and outcome not in (AppealOutcome.NO_STANDING, AppealOutcome.WITHDRAWN):
        raise RefusedError("standing_refused", "They may not appeal: it ends for want of standing, or by being withdrawn.")
    if appeal.police_asked_at is None or not appeal.police_view:
        return
    final = PoliceView(appeal.police_view)
    if police_view not in (None, final):
        raise RefusedError("police_view_final", "The police have given another view, and it is final.", where="police_view")
    wrong = {PoliceView.CRIMINAL: outcome in GRANTED, PoliceView.NOT_CRIMINAL: outcome in AGAINST}
    if wrong.get(final, False):
        raise RefusedError("police_view_final", "The view of the police is final: this outcome is not theirs.", where="outcome")


def do_decide_appeal(
    person: User,
    appeal: Appeal,
    outcome: AppealOutcome,
    *,
    withdraw: Iterable[ListEntry] | None = None,
    police_view: PoliceView | None = None,
    notes: str = "",
) -> Appeal:
    """Decide an appeal. Upheld withdraws its entries (partly: those in ``withdraw``), in the same transaction."""
    with transaction.atomic():
        fresh = Appeal.objects.select_for_update().get(pk=appeal.pk)
        check_decide_appeal(person, fresh)
        check_outcome(fresh, outcome, police_view)
        entries = _granted(fresh, outcome, withdraw)
        must_differ(person, people_behind(entries), "An appeal")
        for entry in entries:
            take_off(person, entry, RemovedReason.APPEAL_UPHELD, review_due=False)
        restore_interim(person, fresh, keep_off=outcome in GRANTED)
        fresh.reassessor, fresh.outcome, fresh.decided_at = person, outcome.value, now()
        fresh.police_view, fresh.notes = police_view.value if police_view else fresh.police_view, notes or None
        fresh.save(update_fields=["reassessor", "outcome", "decided_at", "police_view", "notes"])
        record(
            person, codes.APPEAL_DECIDED, fresh, outcome=outcome.value, withdrawn=len(entries),
            police_view=fresh.police_view,
        )  # fmt: skip
    return fresh


def check_interim(person: Person, appeal: Appeal) -> None:
    """An open appeal that names entries, by who may take entries off; also by who took part: a wrong block is a harm."""
    must(person, Permission.ENTRY_WITHDRAW)
    if not appeal.is_open:
        raise RefusedError("appeal_decided", "This appeal is decided already.")
    if appeal.interim_delist:
        raise RefusedError("interim_already", "Its entries are off the lists already.")
    if not appeal.entries.filter(tombstone=False).exists():
        raise RefusedError("entry_not_named", "It names no entry in force.", mend="Find the entry that it is about first.")


def do_interim_delist(person: Person, appeal: Appeal) -> Appeal:
    """Take the entries of an appeal off the lists while it runs: it takes effect with the next edition."""
    with transaction.atomic():
        fresh = Appeal.objects.select_for_update().get(pk=appeal.pk)
        check_interim(person, fresh)
        entries = list(fresh.entries.select_for_update(of=("self",)).select_related("list").filter(tombstone=False))
        for entry in entries:
            take_off(person, entry, RemovedReason.RISK, review_due=False)
        fresh.interim_delist, fresh.interim_at, fresh.interim_by = True, now(), person.label
        fresh.interim_entries = [entry.number for entry in entries]
        fresh.save(update_fields=["interim_delist", "interim_at", "interim_by", "interim_entries"])
        record(person, codes.APPEAL_INTERIM, fresh, entries=len(entries))
    return fresh


def restore_interim(person: Person, appeal: Appeal, *, keep_off: bool) -> list[ListEntry]:
    """After the decision, inside its transaction: entries come back as new numbers, unless the appeal was granted."""
    if keep_off or not appeal.interim_entries:
        return []
    gone = ListEntry.objects.filter(number__in=appeal.interim_entries).select_related("list", "decision")
    back = [again_in_force(person, entry) for entry in gone]
    made = [entry for entry in back if entry is not None]
    appeal.entries.add(*made)
    record(person, codes.APPEAL_RESTORED, appeal, entries=len(made))
    return made


def check_set_standing(person: Person, appeal: Appeal) -> None:
    """An open appeal, by somebody who took no part in the listing: who may complain is not for them to say."""
    check_name_entry(person, appeal)
    must_differ(person, people_behind(appeal.entries.select_related("decision__report")), "Standing")


def do_set_standing(person: Person, appeal: Appeal, *, accepted: bool) -> Appeal:
    """Decide whether the appellant may appeal. Where they may not, the appeal can only end for want of standing."""
    with transaction.atomic():
        fresh = Appeal.objects.select_for_update().get(pk=appeal.pk)
        check_set_standing(person, fresh)
        fresh.standing_accepted, fresh.standing_by = accepted, person.label
        fresh.save(update_fields=["standing_accepted", "standing_by"])
        record(person, codes.APPEAL_STANDING, fresh, accepted=accepted)
    return fresh


def do_lay_before_police(person: Person, appeal: Appeal) -> Appeal:
    """The appellant goes on: the case is laid before the police. An appeal that was decided against them is open again."""
    must(person, Permission.APPEAL_DECIDE)
    with transaction.atomic():
        fresh = Appeal.objects.select_for_update().get(pk=appeal.pk)
        if fresh.police_asked_at is not None:
            raise RefusedError("police_asked", "The police have it already.")
        if fresh.outcome in {outcome.value for outcome in GRANTED}:
            raise RefusedError("appeal_granted", "This appeal was granted.")
        fresh.police_asked_at, fresh.outcome, fresh.decided_at, fresh.reassessor = now(), "", None, None
        fresh.save(update_fields=["police_asked_at", "outcome", "decided_at", "reassessor"])
        record(person, codes.APPEAL_POLICE, fresh)
    return fresh


def do_note_police_view(person: Person, appeal: Appeal, view: PoliceView) -> Appeal:
    """Note the view of the police, which is final; the board is told where it reverses what the hotline found."""
    if not person.may(Permission.HOLD_MANAGE):
        must(person, Permission.APPEAL_DECIDE)
    with transaction.atomic():
        fresh = Appeal.objects.select_for_update().get(pk=appeal.pk)
        if not fresh.is_open:
            raise RefusedError("appeal_decided", "This appeal is decided already.")
        reverses = view is PoliceView.NOT_CRIMINAL
        fresh.police_view = view.value
        fresh.board_informed_at = now() if reverses else fresh.board_informed_at
        fresh.save(update_fields=["police_view", "board_informed_at"])
        record(person, codes.APPEAL_POLICE_VIEW, fresh, view=view.value, reversed=reverses)
    return fresh


def do_tell(person: Person, appeal: Appeal) -> Appeal:
    """Note that the appellant was told the outcome of a decided appeal."""
    must(person, Permission.APPEAL_DECIDE)
    with transaction.atomic():
        fresh = Appeal.objects.select_for_update().get(pk=appeal.pk)
        if fresh.is_open:
            raise RefusedError("appeal_open", "This appeal is not decided yet.")
        fresh.told_at = now()
        fresh.save(update_fields=["told_at"])
        record(person, codes.APPEAL_TOLD, fresh)
    return fresh


def _granted(appeal: Appeal, outcome: AppealOutcome, withdraw: Iterable[ListEntry] | None) -> list[ListEntry]:
    """The entries in force to take off, locked."""
    if outcome not in GRANTED:
        return []
    if not appeal.entries.exists():
        raise InputError("entry_not_named", "Nothing would be withdrawn: name the entry that it is about first.", where="entries")
    locked = appeal.entries.select_for_update(of=("self",)).select_related("list", "decision__report")
    wanted = {entry.pk for entry in withdraw} if withdraw is not None else None
    if outcome is AppealOutcome.PARTLY_UPHELD and not wanted:
        raise InputError("entries_missing", "Choose which entries are withdrawn.", where="entries")
    if wanted is not None and wanted - set(appeal.entries.values_list("pk", flat=True)):
        raise InputError("entry_not_of_appeal", "An entry is not one that this appeal is about.", where="entries")
    return [entry for entry in locked if not entry.tombstone and (wanted is None or entry.pk in wanted)]
