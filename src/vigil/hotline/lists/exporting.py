"""Lists in the forms that other software reads, from the rows of the hotline: for a partner only what its agreement allows."""

from __future__ import annotations

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.editions.export import Exported, Occasion, export_as, format_named
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import OFFICE, Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.contents import contents_now, withdrawn_before
from vigil.hotline.lists.marking import book_now
from vigil.hotline.lists.queries import last_published
from vigil.hotline.lists.sharing import copy_of, grant_of, jurisdictions_of
from vigil.hotline.partners.agreements import require_agreement


def check_export(person: Person, partner: str, form: str) -> None:
    """A form that is one, and that the partner's agreements name."""
    must(person, Permission.LIST_MANAGE)
    format_named(form)
    if not any(form in agreement.exports for agreement in require_agreement(partner)):
        raise RefusedError("form_not_agreed", "No agreement of this partner names this form.", where="format")


def do_export_for(person: Person, partner: str, form: str) -> Exported:
    """The files for a partner: its lists and laws, marked, with its own entry numbers; what was withdrawn is taken back."""
    check_export(person, partner, form)
    moment, last = now(), last_published()
    if last is None or last.number is None:
        raise InputError("no_edition", "No edition has been published yet.", mend="Publish one first.")
    agreed = [agreement for agreement in require_agreement(partner) if form in agreement.exports]
    grant, book = grant_of(partner, agreed), book_now(OFFICE)
    held = copy_of(grant, contents_now(moment), jurisdictions_of(), book)
    gone = withdrawn_before(moment)
    before = copy_of(grant, gone, jurisdictions_of(tombstones=True), book) if gone.urls or gone.hashes else None
    made = export_as(form, held, Occasion(last.number, moment, before))
    withdrawn = len(gone.urls) + len(gone.hashes)
    with transaction.atomic():
        record(
            person, codes.LIST_EXPORTED, f"partner:{partner}", partner=partner, format=form,
            entries=len(held.urls) + len(held.hashes), withdrawn=withdrawn,
        )  # fmt: skip
    return made
