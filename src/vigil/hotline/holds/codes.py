"""Audit codes of holds and clearance. Agencies and reasons are codes and names, references are not logged."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

SET: Final = define("hold.set", "A hold was set.", "case", "kind", "scope", "reason")
EXTENDED: Final = define("hold.extended", "A hold was extended.", "case", "kind")
RELEASED: Final = define("hold.released", "A hold was released by two people.", "case", "kind")
OVERDUE: Final = define(
    "hold.overdue", "The time of a hold is over; it still holds. Its owner was alerted.", "case", "kind", "owner"
)
CLEARANCE: Final = define("clearance.noted", "The clearance of the police was noted.", "state")
