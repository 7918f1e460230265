"""From another public key of a partner to an edition under it. Signing keys are the office's alone: nothing here has any."""

from __future__ import annotations

from django.db import transaction

from vigil.hotline.access.clock import now
from vigil.hotline.access.people import OFFICE, Person
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.partners.agreements import agreements_in_force
from vigil.hotline.partners.models import RecipientChange
from vigil.hotline.partners.recipients import do_approve_recipient


def do_change_recipient(person: Person, change: RecipientChange) -> RecipientChange:
    """Approve another public key of a partner, and ask the office for an edition under it where the partner gets one now.

    The edition holds nothing new, so that nobody has to wait for a publisher.
    """
    with transaction.atomic():
        approved = do_approve_recipient(person, change)
        if agreements_in_force(now()).filter(partner=approved.partner).exists():
            do_request_publication(OFFICE, renewal=True)
    return approved
