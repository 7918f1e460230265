"""Audit codes of this room. Contents are named by number, never by what they hold."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

POLICY_PROPOSED: Final = define("bank_policy.proposed", "A policy of banks was proposed.", "retention_days", "max_distance")
POLICY_APPROVED: Final = define("bank_policy.approved", "A policy of banks was approved by a second person.", "proposed_by")
MACHINE_ENROLLED: Final = define("bank_machine.enrolled", "A machine that uses banks was enrolled.", "name", "role", "expires")
MACHINE_REVOKED: Final = define("bank_machine.revoked", "The token of a machine that uses banks was revoked.", "name")
BANK_CREATED: Final = define("bank.created", "A bank was set up.", "list", "ratio_percent")
BANK_CHANGED: Final = define("bank.changed", "A bank was renamed or its ratio changed.", "list", "renamed", "ratio_percent")
BANK_DELETED: Final = define("bank.deleted", "A bank and all it held were deleted.", "list", "contents")
CONTENT_ADDED: Final = define("bank.content_added", "Something was added to a bank.", "list", "signals")
CONTENT_CHANGED: Final = define("bank.content_changed", "Something in a bank was switched or annotated.", "list", "until", "note")
CONTENT_DELETED: Final = define("bank.content_deleted", "Something in a bank was deleted.", "list")
CONTENT_EXPIRED: Final = define("bank.content_expired", "What was past its retention date was deleted.", "contents")
TYPE_SWITCHED: Final = define("bank.signal_type_switched", "A signal type was switched for all banks.", "name", "ratio_percent")
EXCHANGE_CREATED: Final = define("exchange.created", "An exchange and its bank were set up.", "list", "api")
EXCHANGE_CHANGED: Final = define("exchange.changed", "An exchange was switched.", "list", "enabled")
EXCHANGE_DELETED: Final = define("exchange.deleted", "An exchange and its bank were deleted.", "list")
EXCHANGE_FILLED: Final = define(
    "exchange.filled", "What an exchange fetched came into its bank, or went from it.", "list", "added", "removed"
)
CREDENTIALS_SET: Final = define("exchange.credentials_set", "Credentials of a kind of exchange were set.", "api", "cleared")
