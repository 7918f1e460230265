"""A partner's keys and its branch in the published editions, at once and by hand. Whoever calls these holds the signing keys.

The kill switch (:func:`vigil.hotline.partners.agreements.do_stop_partner`) works without them: the door refuses at once, and
the office takes the branch out with its next step. These are for when the office does not run, and for a key that got out.
"""

from __future__ import annotations

from pathlib import Path

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.editions.keys import KeyRing
from vigil.editions.partners import partners_of
from vigil.editions.publish import renew_partner_keys, withdraw_partner
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import OFFICE, Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.models import Publication
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.partners.agreements import check_stop_partner, do_stop_partner, require_agreement
from vigil.hotline.partners.models import Partner


def check_rotate_keys(person: Person, partner: Partner, keys: KeyRing) -> None:
    """A partner that gets a copy now: not stopped, with an agreement in force and keys to replace."""
    must(person, Permission.PARTNER_STOP)
    require_agreement(partner.code)
    if partner.code not in _with_keys(keys):
        raise RefusedError("partner_without_keys", "This partner has had no copy yet, so it has no keys to replace.")


def do_rotate_keys(person: Person, partner: Partner, keys: KeyRing, repository: Path, reason: str) -> Publication:
    """New keys for a partner's copy and an edition under them; the digest key before is good for 48 hours more.

    One person is enough: nobody gets anything that they did not have. Raises UnavailableError ``publishing_busy``.
    """
    _require_reason(reason)
    with transaction.atomic():
        check_rotate_keys(person, partner, keys)
        record(person, codes.PARTNER_KEYS_ROTATED, partner, partner=partner.code, reason=reason.strip()[:300])
        asked = do_request_publication(OFFICE, renewal=True)
        renew_partner_keys(repository, keys, partner.code, now())
    return asked


def check_withdraw_branch(person: Person, partner: Partner) -> None:
    """Whoever may stop a partner; one that is stopped already may still have its branch."""
    if partner.stopped_at is None:
        return check_stop_partner(person, partner)
    return must(person, Permission.PARTNER_STOP)


def do_withdraw_branch(person: Person, partner: Partner, keys: KeyRing, repository: Path, reason: str) -> bool:
    """Stop a partner and take its branch out of the published editions now; False where no branch was there.

    One person is enough, and another one has to let the partner in again. Raises UnavailableError ``publishing_busy``, after
    which the partner is stopped all the same: the door refuses it, and the office or a second try takes the branch out.
    """
    check_withdraw_branch(person, partner)
    _require_reason(reason)
    if partner.stopped_at is None:
        do_stop_partner(person, partner, reason)
    if partner.code not in _with_keys(keys):
        return False
    with transaction.atomic():
        record(person, codes.PARTNER_WITHDRAWN, partner, partner=partner.code, reason=reason.strip()[:300])
        withdraw_partner(repository, keys, partner.code, now())
    return True


def _with_keys(keys: KeyRing) -> tuple[str, ...]:
    return partners_of(keys.folder) if keys.folder else ()


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise InputError("reason_missing", "Say why, in a few words.", where="reason")
