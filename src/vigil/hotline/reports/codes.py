"""What the audit log says about reports. No content: kinds and counts only."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

RECEIVED: Final = define("report.received", "A report came in.", "channel", "language", "duplicate", "readable")
REPEATED: Final = define("report.repeated", "A later report named the same address.", "repeats")
TAKEN: Final = define("report.taken", "Somebody took a case.")
RELEASED: Final = define("report.released", "Somebody gave a case back.", "of")
MOVED: Final = define("report.moved", "A case went on to another stage.", "before", "after")
CONCLUDED: Final = define("report.concluded", "A case was actioned or closed.", "status", "outcome")
REOPENED: Final = define("report.reopened", "A concluded case was opened again.", "outcome")
PRIORITY_SET: Final = define("report.priority_set", "The priority of a case was changed.", "before", "after")
DRAFTS_PURGED: Final = define("draft.purged", "Drafts past their time were deleted.", "number")
CHILD_CASE_OPENED: Final = define("child_case.opened", "A service handed over the case of a child.", "with_items", "extortion")
CHILD_CASE_ANSWERED: Final = define("child_case.answered", "A child said where the material is.", "items")
CHILD_OUTCOME_SET: Final = define("child_case.outcome_set", "The outcome for a child was chosen.", "outcome")
CHILD_OUTCOME_READ: Final = define("child_case.outcome_read", "The service partner read the outcome for a child.", "outcome")
SEARCHED: Final = define("report.searched", "Somebody searched the cases.", "field")
BULK_DONE: Final = define("report.bulk_done", "One act was done to several cases.", "act", "value", "cases", "left")
BULK_UNDONE: Final = define("report.bulk_undone", "An act on several cases was taken back.", "cases", "left")
