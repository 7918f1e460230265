"""Audit codes of the vault: kinds, purposes and sizes; no address, no recipient."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

PUT: Final = define("evidence.put", "Evidence was put into the vault.", "case", "kind", "size")
OPENED: Final = define("evidence.opened", "Evidence was opened.", "case", "why", "mode")
VERIFIED: Final = define("evidence.verified", "Evidence was checked to be whole.", "case", "whole")
EXPORTED: Final = define("evidence.exported", "Evidence was taken out of the vault by two people.", "case", "size")
HOLD: Final = define("evidence.legal_hold", "The legal hold of an object was changed.", "case", "held")
DISPOSED: Final = define("evidence.disposed", "Evidence was disposed of; its key is gone.", "case", "rule")
