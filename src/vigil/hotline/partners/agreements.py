"""Partners and agreements: proposed by one person, approved by another, stopped by either at once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from vigil.base.clock import require_utc, text_of
from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.editions.cipher import require_recipient
from vigil.editions.model import ListInfo, ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must, must_differ
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.prepared import Prepared
from vigil.hotline.audit.actions import record
from vigil.hotline.partners import codes
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Agreement, Node, Partner
from vigil.match.urls import canonical

LONGEST: Final = timedelta(days=3 * 366)
NAMED: Final = Limit(200, "names", "an agreement is read by people")
PEOPLE_CHARACTERS: Final = Limit(4000, "characters", "names and addresses of those who answer for the lists")
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed. ``lists`` names, ``jurisdictions`` ISO 3166 codes (none: all), ``exports`` names of formats."""

    reference: str
    lists: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    people: str
    jurisdictions: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()


def check_propose_partner(person: Person, title: str, hosts: Sequence[str], recipient: str = "") -> None:
    """Somebody who may propose, a name to call the partner by, host names that are some, a public key that is one."""
    must(person, Permission.PARTNER_PROPOSE)
    if not title.strip() or len(title) > 200:
        raise InputError("partner_title", "Give the partner a name of up to 200 characters.", where="title")
    if len(hosts) > NAMED.value:
        raise InputError("hosts_many", f"Name at most {NAMED.value} hosts.", where="hosts")
    if recipient:
        require_recipient(recipient)
    for host in hosts:
        if canonical(f"http://{host}/").host != host:
            raise InputError("host_malformed", "A host of the partner is not a plain name in small letters.", where="hosts")


def do_propose_partner(
    person: Person, title: str, kind: PartnerKind, *, hosts: Sequence[str] = (), recipient: str = ""
) -> Partner:
    """Note a partner. It gets nothing before an agreement with it was approved by somebody else."""
    check_propose_partner(person, title, hosts, recipient)
    with transaction.atomic():
        code = "p-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))
        partner = Partner.objects.create(
            code=code, title=title.strip(), kind=kind.value, hosts=list(hosts), recipient=recipient, created_by=person.label
        )
        record(person, codes.PARTNER_PROPOSED, partner, partner=code, kind=kind.value)
    return partner


def check_propose_agreement(person: Person, partner: Partner, terms: Terms) -> None:
    """Terms that can be kept: at least one list, an end, somebody who answers, known jurisdictions."""
    must(person, Permission.PARTNER_PROPOSE)
    if not terms.reference.strip():
        raise InputError("reference_missing", "Name the contract.", where="reference")
    if not terms.people.strip() or len(terms.people) > PEOPLE_CHARACTERS.value:
        raise InputError("people_missing", "Name who answers for the lists at the partner.", where="people")
    if not 0 < len(terms.lists) <= NAMED.value:
        raise InputError("lists_missing", "Choose at least one list.", where="lists")
    if not require_utc(terms.starts_at) < require_utc(terms.ends_at) <= terms.starts_at + LONGEST:
        raise InputError("period_wrong", "An agreement ends after it starts, within three years.", where="ends_at")
    ListInfo("x", ListKind.URL.value, terms.jurisdictions)  # refuses what is no jurisdiction


def do_propose_agreement(person: Person, partner: Partner, terms: Terms) -> Agreement:
    """Put an agreement before a second person."""
    check_propose_agreement(person, partner, terms)
    with transaction.atomic():
        agreement = Agreement.objects.create(
            partner=partner, reference=terms.reference.strip(), lists=sorted(set(terms.lists)),
            jurisdictions=sorted(set(terms.jurisdictions)), exports=sorted(set(terms.exports)), people=terms.people.strip(),
            starts_at=terms.starts_at, ends_at=terms.ends_at, created_by=person.label,
        )  # fmt: skip
        record(
            person, codes.AGREEMENT_PROPOSED, agreement, partner=partner.code, lists=len(agreement.lists),
            until=text_of(terms.ends_at),
        )  # fmt: skip
    return agreement


def check_approve_agreement(person: Person, agreement: Agreement) -> None:
    """An agreement that waits, before somebody who proposed neither it nor the partner."""
    must(person, Permission.PARTNER_APPROVE)
    if agreement.approved_at is not None or agreement.ended_at is not None:
        raise RefusedError("agreement_decided", "This agreement is decided already.")
    must_differ(person, {agreement.created_by, agreement.partner.created_by}, "An agreement")


def do_approve_agreement(person: Person, agreement: Agreement) -> Agreement:
    """Approve as the second person: from its start on the partner gets what it names."""
    with transaction.atomic():
        fresh = _locked(agreement)
        check_approve_agreement(person, fresh)
        fresh.approved_by, fresh.approved_at = person.label, now()
        fresh.save(update_fields=["approved_by", "approved_at"])
        record(person, codes.AGREEMENT_APPROVED, fresh, partner=fresh.partner.code)
    return fresh


def check_end_agreement(person: Person, agreement: Agreement) -> None:
    """An agreement that is not over, by somebody who may stop a partner."""
    must(person, Permission.PARTNER_STOP)
    if agreement.ended_at is not None:
        raise RefusedError("agreement_ended", "This agreement is ended already.")


def do_end_agreement(person: Person, agreement: Agreement) -> Agreement:
    """End an agreement, or refuse a proposed one: one person is enough, since it gives nothing away."""
    with transaction.atomic():
        fresh = _locked(agreement)
        check_end_agreement(person, fresh)
        fresh.ended_by, fresh.ended_at = person.label, now()
        fresh.save(update_fields=["ended_by", "ended_at"])
        record(person, codes.AGREEMENT_ENDED, fresh, partner=fresh.partner.code)
    return fresh


def do_show_people(person: Person, agreement: Agreement) -> str:
    """Who answers for the lists at the partner; each showing is logged."""
    must(person, Permission.PARTNER_READ)
    if agreement.people is None:
        raise RefusedError("people_gone", "Who answered for the lists is not kept any more.")
    with transaction.atomic():
        record(person, codes.PEOPLE_SHOWN, agreement, purpose="partners", partner=agreement.partner.code)
    return str(agreement.people.open())


def check_stop_partner(person: Person, partner: Partner) -> None:
    """A partner that is not stopped, by who may stop it."""
    must(person, Permission.PARTNER_STOP)
    if partner.stopped_at is not None:
        raise RefusedError("partner_stopped", "This partner is stopped already.")


def do_stop_partner(person: Person, partner: Partner, reason: str) -> Partner:
    """The kill switch: every token of the partner ends and the door refuses it, both at once; its next poll gets nothing.

    The office takes its branch out of the published editions with its next step. Tokens stay ended if it is let in again.
    """
    if not reason.strip():
        raise InputError("reason_missing", "Say why, in a few words.", where="reason")
    with transaction.atomic():
        fresh = Partner.objects.select_for_update().get(pk=partner.pk)
        check_stop_partner(person, fresh)
        fresh.stopped_at, fresh.stopped_by, fresh.stop_reason = now(), person.label, reason.strip()[:300]
        fresh.save(update_fields=["stopped_at", "stopped_by", "stop_reason"])
        ended = Node.objects.filter(partner=fresh.code, revoked_at=None).update(revoked_at=now(), revoked_by=person.label)
        record(person, codes.PARTNER_STOPPED, fresh, partner=fresh.code, nodes=ended)
    return fresh


def check_resume_partner(person: Person, partner: Partner) -> None:
    """A stopped partner, by somebody who may approve agreements and did not stop it."""
    must(person, Permission.PARTNER_APPROVE)
    if partner.stopped_at is None:
        raise RefusedError("partner_not_stopped", "This partner is not stopped.")
    must_differ(person, {partner.stopped_by}, "Letting a stopped partner in again")


def do_resume_partner(person: Person, partner: Partner) -> Partner:
    """Let a stopped partner in again, by another person than who stopped it. Its nodes have to be enrolled anew."""
    with transaction.atomic():
        fresh = Partner.objects.select_for_update().get(pk=partner.pk)
        check_resume_partner(person, fresh)
        fresh.stopped_at, fresh.stopped_by, fresh.stop_reason = None, "", ""
        fresh.save(update_fields=["stopped_at", "stopped_by", "stop_reason"])
        record(person, codes.PARTNER_RESUMED, fresh, partner=fresh.code)
    return fresh


# ---- questions


def partners() -> QuerySet[Partner]:
    """All partners, by title."""
    return Partner.objects.order_by("title", "code")


def partner_coded(code: str) -> Partner:
    """The partner with that code."""
    found = Partner.objects.filter(code=code).first()
    if found is None:
        raise InputError("no_such_partner", "There is no partner with that code.", mend="See `vigil hotline partner list`.")
    return found


def agreements_in_force(moment: datetime) -> QuerySet[Agreement]:
    """Every agreement in force, by partner."""
    return Agreement.objects.select_related("partner").filter(
        approved_at__isnull=False, starts_at__lte=moment, ends_at__gt=moment, ended_at=None, partner__stopped_at=None
    ).order_by("partner__code", "created_at")


_SOME: Final = Prepared(
    Agreement,
    lambda moment, code: agreements_in_force(moment).filter(partner__code=code),
    datetime(2000, 1, 1, tzinfo=UTC),
    "code of a partner",
)


def agreements_waiting() -> QuerySet[Agreement]:
    """Agreements that a second person has to look at."""
    return Agreement.objects.select_related("partner").filter(approved_at=None, ended_at=None).order_by("created_at")


def require_agreement(code: str) -> list[Agreement]:
    """The agreements in force of a partner. Raises RefusedError ``no_agreement`` where there is none."""
    found = list(agreements_in_force(now()).filter(partner__code=code))
    if not found:
        raise _without_agreement()
    return found


def require_some_agreement(code: str) -> None:
    """The same question at each poll of each node: is there one? No row is read, so that it costs little; no answer is
    remembered, so that the kill switch counts at once."""
    if not _SOME.exists(now(), code):
        raise _without_agreement()


def _without_agreement() -> RefusedError:
    return RefusedError(
        "no_agreement", "No agreement with this partner is in force.", mend="Have one approved by a second person."
    )


def _locked(agreement: Agreement) -> Agreement:
    found: Agreement = Agreement.objects.select_for_update(of=("self",)).select_related("partner").get(pk=agreement.pk)
    return found
