"""Audit codes of this room."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

NODE_ENROLLED: Final = define("node.enrolled", "An enforcement node was enrolled.", "name", "expires")
NODE_REVOKED: Final = define("node.revoked", "The token of an enforcement node was revoked.", "name")
EDITION_DELIVERED: Final = define("edition.delivered", "An enforcement node fetched an edition.", "edition")
SENDER_ENROLLED: Final = define("sender.enrolled", "A partner that reports was given a token.", "name", "scopes", "expires")
SENDER_REVOKED: Final = define("sender.revoked", "The token of a partner that reports was revoked.", "name")
