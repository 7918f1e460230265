"""Audit codes of this room."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

NODE_ENROLLED: Final = define("node.enrolled", "An enforcement node was enrolled.", "name", "expires", "partner")
NODE_REVOKED: Final = define("node.revoked", "The token of an enforcement node was revoked.", "name")
EDITION_DELIVERED: Final = define("edition.delivered", "An enforcement node fetched an edition.", "edition")
SENDER_ENROLLED: Final = define("sender.enrolled", "A partner that reports was given a token.", "name", "scopes", "expires")
SENDER_REVOKED: Final = define("sender.revoked", "The token of a partner that reports was revoked.", "name")
PARTNER_PROPOSED: Final = define("partner.proposed", "A partner was proposed.", "partner", "kind")
PARTNER_STOPPED: Final = define("partner.stopped", "A partner was stopped: it gets nothing from now on.", "partner", "nodes")
PARTNER_RESUMED: Final = define("partner.resumed", "A stopped partner was let in again.", "partner")
AGREEMENT_PROPOSED: Final = define("agreement.proposed", "An agreement was proposed.", "partner", "lists", "until")
AGREEMENT_APPROVED: Final = define("agreement.approved", "A second person approved an agreement.", "partner")
AGREEMENT_ENDED: Final = define("agreement.ended", "An agreement was ended or refused.", "partner")
PEOPLE_SHOWN: Final = define("agreement.people_shown", "Who answers for lists at a partner was shown.", "partner")
RECIPIENT_PROPOSED: Final = define(
    "partner.key_proposed", "Another public key was proposed for a partner.", "partner", "overlap", "reason"
)
RECIPIENT_TAKEN_UP: Final = define(
    "partner.key_taken_up", "Somebody took up a public key that was proposed by command.", "partner"
)
RECIPIENT_APPROVED: Final = define(
    "partner.key_approved", "A second person approved another public key of a partner.", "partner", "overlap"
)
RECIPIENT_REFUSED: Final = define("partner.key_refused", "Another public key of a partner was refused.", "partner")
