"""Audit codes of this room."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

NODE_KEY_ENROLLED: Final = define("node.key_enrolled", "The public key of a node is believed from now on.", "node", "key")
NODE_KEY_REVOKED: Final = define("node.key_revoked", "The public key of a node is not believed any more.", "node", "key")
CERTIFICATE_TAKEN: Final = define("node.certificate", "A node handed in the report of its self-test.", "good", "failing")
COUNTS_CONFLICT: Final = define(
    "counts.conflict", "A node sent other numbers under a key it had used.", "list", "edition", "hour", "revision"
)
CANARY_HIT: Final = define(
    "canary.hit", "Somebody asked for a mark: a list is being probed or has leaked.",
    "list", "partner", "source", "number",
)  # fmt: skip
CANARY_SEEN: Final = define("canary.seen", "Somebody has taken up an alarm about a mark.")
