"""Audit codes of this room. Entries are named by number, never by what they hold."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

LIST_CREATED: Final = define("list.created", "A list was set up.", "name", "kind")
LISTING_DECIDED: Final = define("listing.decided", "A listing was decided.", "decision", "entries", "wide_scope")
ENTRY_ADDED: Final = define("entry.added", "An entry was added.", "list", "signal", "scope", "reason")
ENTRY_WITHDRAWN: Final = define("entry.withdrawn", "An entry was withdrawn.", "list", "reason")
WITHDRAWAL_REVIEWED: Final = define("entry.withdrawal_reviewed", "A withdrawal was reviewed by a second person.")
PUBLICATION_REQUESTED: Final = define("publication.requested", "A new edition was asked for.", "renewal")
PUBLICATION_BUILDING: Final = define("publication.building", "The list office began to build an edition.", "number")
PUBLICATION_DONE: Final = define(
    "publication.done", "An edition was published.", "number", "urls", "hashes", "added", "removed", "digest"
)
PUBLICATION_REPEATED: Final = define("publication.repeated", "A build was interrupted and is repeated.", "number")
PUBLICATION_FAILED: Final = define("publication.failed", "An edition could not be published.", "number", "reason")
APPEAL_FILED: Final = define("appeal.filed", "An appeal came in.", "appellant_type", "entries")
APPEAL_ENTRY_NAMED: Final = define("appeal.entry_named", "An appeal was found to be about an entry.", "entry")
APPEAL_DECIDED: Final = define("appeal.decided", "An appeal was decided.", "outcome", "withdrawn", "police_view")
