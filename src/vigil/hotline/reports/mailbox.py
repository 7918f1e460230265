"""The mailbox folder: takes in what a mail server delivered (maildir), each message once, and leaves none of it behind.

A message that was taken in is removed; one that cannot be read stays where it is, noted once, for a person to look at. The
folder is the only thing this touches: no mail protocol, no network.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import DatabaseError, IntegrityError, close_old_connections, transaction

from vigil.base.errors import InputError
from vigil.hotline.access.people import WORKER, Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.sealing import matching_digest
from vigil.hotline.audit.actions import record
from vigil.hotline.audit.codes import define
from vigil.hotline.reports.captures import keep_file
from vigil.hotline.reports.intake import check_submit, do_submit_reports
from vigil.hotline.reports.mail import MESSAGE_BYTES, read_message
from vigil.hotline.reports.models import ImportedMail, Report
from vigil.hotline.reports.page import Hasher, Picture
from vigil.media import hash_image

log = logging.getLogger(__name__)

MAIL_REFUSED: Final = define("mail.refused", "A message could not be read and stays in its folder.", "why")
EVERY_SECONDS: Final = 30.0
PURPOSE: Final = "mail"


@dataclass(frozen=True, slots=True)
class Imported:
    """How many messages became reports, had been taken in before, and were refused."""

    taken: int = 0
    again: int = 0
    refused: int = 0


def do_import_mail(person: Person, folder: Path, hasher: Hasher = hash_image) -> Imported:
    """Take in every message of a maildir: those in ``new`` and those a mail program has moved to ``cur``."""
    must(person, Permission.MAIL_IMPORT)
    taken = again = refused = 0
    for path in _messages(folder):
        outcome = _take(person, path, hasher)
        taken, again, refused = taken + (outcome == "taken"), again + (outcome == "again"), refused + (outcome == "refused")
    return Imported(taken, again, refused)


def _messages(folder: Path) -> list[Path]:
    found = [path for name in ("new", "cur") if (folder / name).is_dir() for path in (folder / name).iterdir()]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def _take(person: Person, path: Path, hasher: Hasher) -> str:
    with path.open("rb") as stream:
        data = stream.read(MESSAGE_BYTES.value + 1)
    digest = matching_digest(PURPOSE, data)
    before = ImportedMail.objects.filter(digest=digest).first()
    if before is None:
        try:
            return _take_in(person, path, data, digest, hasher)
        except IntegrityError:
            return "again"  # another run was faster; it removes the message
    if before.refusal:
        return "refused"
    path.unlink(missing_ok=True)
    return "again"


def _take_in(person: Person, path: Path, data: bytes, digest: str, hasher: Hasher) -> str:
    try:
        message = read_message(data)
        read = check_submit(person, message.arrival())
    except InputError as error:
        with transaction.atomic():
            mail = ImportedMail.objects.create(digest=digest, refusal=error.code, created_by=person.label)
            record(person, MAIL_REFUSED, mail, why=error.code)
        return "refused"
    pictures = [Picture(hasher(each.data), len(each.data), each.declared_type) for each in message.attached]
    with transaction.atomic():
        report = do_submit_reports(person, [read])[0]
        _keep(person, report, pictures)
        ImportedMail.objects.create(digest=digest, report=report, created_by=person.label)
    path.unlink(missing_ok=True)
    _forget_folder_entry(path.parent)
    return "taken"


def _keep(person: Person, report: Report, pictures: list[Picture]) -> None:
    for position, picture in enumerate(pictures, start=1):
        keep_file(person, report, picture, position)


def _forget_folder_entry(folder: Path) -> None:
    """Make the removal last through a power cut, so that a picture does not come back with the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def serve(stop: threading.Event, every: float = EVERY_SECONDS) -> None:
    """Look into the configured folder, then wait. Without one there is nothing to do."""
    while settings.CONFIG.mail_folder and not stop.is_set():
        try:
            close_old_connections()
            do_import_mail(WORKER, Path(settings.CONFIG.mail_folder))
        except (DatabaseError, OSError) as error:
            log.warning("mail could not be taken in; trying again later", extra={"fields": {"because": type(error).__name__}})
        stop.wait(every)
