"""Audit codes of this room. Entries are named by number, never by what they hold."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

LIST_CREATED: Final = define("list.created", "A list was set up.", "name", "kind")
LISTING_DECIDED: Final = define("listing.decided", "A listing was decided.", "decision", "entries", "wide_scope")
EMERGENCY_LISTED: Final = define("listing.emergency", "Entries were added out of turn, by two people.", "entries")
ENTRY_ADDED: Final = define("entry.added", "An entry was added.", "list", "signal", "scope", "reason")
ENTRY_WITHDRAWN: Final = define("entry.withdrawn", "An entry was withdrawn.", "list", "reason")
WITHDRAWAL_REVIEWED: Final = define("entry.withdrawal_reviewed", "A withdrawal was reviewed by a second person.")
PUBLICATION_REQUESTED: Final = define("publication.requested", "A new edition was asked for.", "renewal")
PUBLICATION_BUILDING: Final = define("publication.building", "The list office began to build an edition.", "number")
PUBLICATION_DRAFTED: Final = define("publication.drafted", "A draft of an edition waits for the release person.", "number")
PUBLICATION_DONE: Final = define(
    "publication.done", "An edition was published.", "number", "urls", "hashes", "added", "removed", "digest"
)
PUBLICATION_REPEATED: Final = define("publication.repeated", "A build was interrupted and is repeated.", "number")
PUBLICATION_FAILED: Final = define("publication.failed", "An edition could not be published.", "number", "reason")
APPEAL_FILED: Final = define("appeal.filed", "An appeal came in.", "appellant_type", "entries")
APPEAL_ENTRY_NAMED: Final = define("appeal.entry_named", "An appeal was found to be about an entry.", "entry")
APPEAL_STANDING: Final = define("appeal.standing", "It was decided whether somebody may appeal.", "accepted")
APPEAL_INTERIM: Final = define("appeal.interim_delisted", "Entries are off the lists while an appeal runs.", "entries")
APPEAL_RESTORED: Final = define("appeal.interim_ended", "Entries are back on the lists after an appeal.", "entries")
APPEAL_POLICE: Final = define("appeal.laid_before_police", "An appeal was laid before the police.")
APPEAL_POLICE_VIEW: Final = define("appeal.police_view", "The police gave their view on an appeal.", "view", "reversed")
APPEAL_TOLD: Final = define("appeal.told", "The appellant was told the outcome.")
APPEAL_DECIDED: Final = define("appeal.decided", "An appeal was decided.", "outcome", "withdrawn", "police_view")
LIST_CHANGED: Final = define("list.changed", "The policy of a list was changed.", "list", "policy_version")
ENTRY_APPROVED: Final = define("entry.approved", "A guarded entry was approved by a second person.", "guards")
ENTRY_REFUSED: Final = define("entry.refused", "A guarded entry was refused by a second person.", "guards")
ENTRY_CHANGED: Final = define("entry.changed", "Labels, jurisdictions or expiry of an entry changed.", "what", "guards")
ENTRY_HELD: Final = define("entry.held", "An entry is held back from editions.", "reason", "number")
ENTRY_RELEASED: Final = define("entry.released", "A held entry was let go again.")
ENTRY_PROPOSED: Final = define("entry.proposed", "An entry was proposed.", "list", "signal", "reason")
PROPOSAL_APPROVED: Final = define("entry.proposal_approved", "A proposed entry was approved.", "list", "entry")
PROPOSAL_REFUSED: Final = define("entry.proposal_refused", "A proposed entry was refused.", "list")
PROPOSAL_SHOWN: Final = define("entry.proposal_shown", "A proposed entry was shown.")
ALLOWED: Final = define("allow.added", "Something was put on the allow list.", "signal", "scope", "taken_off")
ALLOW_REVIEWED: Final = define("allow.reviewed", "A row of the allow list was reviewed by a second person.")
ALLOW_ENDED: Final = define("allow.ended", "A row of the allow list was ended.")
VOTED: Final = define("vote.cast", "A partner confirmed or rejected a match.", "entry", "opinion", "reason")
MARKS_BEGUN: Final = define("marks.begun", "A new book of marks is in use.", "number", "domains", "positions")
MARKS_TAKEN: Final = define("marks.taken", "The book of marks was taken out, for tracing.", "number")
LIVE_ASKED: Final = define("live.asked", "Live checks of listed pages were asked for.", "number")
SEARCHED: Final = define("entry.searched", "Somebody looked for entries by what they hold.", "how", "found")
LIST_EXPORTED: Final = define("list.exported", "Lists were exported.", "partner", "format", "entries", "withdrawn")
PARTNER_KEYS_ROTATED: Final = define("partner.keys_rotated", "A partner's copy gets new keys.", "partner", "reason")
PARTNER_WITHDRAWN: Final = define(
    "partner.withdrawn", "A partner's branch was taken out of the published editions by hand.", "partner", "reason"
)
