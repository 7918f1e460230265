"""Asking the list office for a new edition."""

from __future__ import annotations

from django.db import transaction

from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.lists import codes
from vigil.hotline.lists.enumerations import PublicationState
from vigil.hotline.lists.models import Publication


def check_request_publication(person: Person) -> None:
    """Who may ask for an edition: list publishers, and the office itself when one grows old."""
    must(person, Permission.PUBLICATION_REQUEST)


def do_request_publication(person: Person, *, renewal: bool = False) -> Publication:
    """Ask for a new edition. One request that waits already serves both people who ask."""
    check_request_publication(person)
    with transaction.atomic():
        waiting = Publication.objects.select_for_update().filter(state=PublicationState.REQUESTED.value).first()
        if waiting is not None:
            return waiting
        publication = Publication.objects.create(created_by=person.label, renewal=renewal)
        record(person, codes.PUBLICATION_REQUESTED, publication, renewal=renewal)
    return publication
