"""Audit codes of this room."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

DISPOSED: Final = define(
    "retention.disposed", "Rows past their time were disposed of.", "data_class", "number", "proof", "policy"
)
HOLD_PLACED: Final = define("legal_hold.placed", "A legal hold was placed on a case or a partner.")
HOLD_RELEASED: Final = define("legal_hold.released", "A legal hold was released by two people.")
CONTACT_RELEASED: Final = define("reporter_contact.released", "A reporter's contact was opened by two people.")
SUBJECT_EXPORTED: Final = define("subject.exported", "What is held about a reporter was exported.")
