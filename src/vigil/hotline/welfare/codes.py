"""Audit codes of this room. Who looked at what, and how; how somebody is stands in no log."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

LOOKED: Final = define("content.looked", "Somebody looked at content.", "mode", "region")
LOOK_REFUSED: Final = define("content.look_refused", "A look at content was refused: a break, or the day is over.", "why")
POLICY_SET: Final = define("welfare.policy_set", "Limits and breaks were set.", "role", "hard", "lead_sees")
LEAD_READ: Final = define("welfare.lead_read", "The welfare lead read the page of totals.", "people")
