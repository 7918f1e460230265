"""Enumerations of this room (facts: data model, section 5)."""

from __future__ import annotations

from typing import Final

from django.db.models import TextChoices


class HoldKind(TextChoices):
    DO_NOT_NOTIFY = "do_not_notify", "Do not notify"
    DELAY_REMOVAL = "delay_removal", "Delay the removal"
    DECONFLICTION = "deconfliction", "Deconfliction: an operation is under way"
    LEGAL_HOLD = "legal_hold", "Legal hold: keep everything"


class Stopped(TextChoices):
    """What a hold stops."""

    NOTICE = "notice", "Notices"
    LISTING = "listing", "Listing"
    REFERRAL = "referral", "Referrals to others"
    DISPOSAL = "disposal", "Deletion"


class HoldScope(TextChoices):
    """How far a hold reaches: the case, or every case at the same host."""

    CASE = "case", "This case"
    HOST = "host", "Every case at the same host"


class Clearance(TextChoices):
    NOT_REQUIRED = "not_required", "Not required"
    REQUESTED = "requested", "Asked for"
    GIVEN = "given", "Given"
    REFUSED = "refused", "Refused"
    HOLD = "hold", "On hold"


CLEARED: Final = frozenset({Clearance.NOT_REQUIRED, Clearance.GIVEN})

STOPS: Final[dict[HoldKind, frozenset[Stopped]]] = {
    HoldKind.DO_NOT_NOTIFY: frozenset({Stopped.NOTICE}),
    HoldKind.DELAY_REMOVAL: frozenset({Stopped.NOTICE, Stopped.REFERRAL}),
    HoldKind.DECONFLICTION: frozenset({Stopped.NOTICE, Stopped.LISTING, Stopped.REFERRAL}),
    HoldKind.LEGAL_HOLD: frozenset({Stopped.DISPOSAL}),
}
