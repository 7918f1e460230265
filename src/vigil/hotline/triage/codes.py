"""Audit codes of this room."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

TRIAGED: Final = define("triage.done", "A report was sorted.", "policy", "spam", "known", "priority")
CLOSED: Final = define("triage.closed", "A rule closed a report.", "kind", "policy", "sampled")
CHECKED: Final = define("triage.checked", "A person checked what a rule had closed.", "right")
EMERGENCY: Final = define("emergency.raised", "A report says that a child is in danger now.", "source")
EMERGENCY_SEEN: Final = define("emergency.seen", "Somebody took an emergency up.")
EMERGENCY_PASSED_ON: Final = define("emergency.passed_on", "The police were told of an emergency.")
CLUSTERED: Final = define("cluster.joined", "A case was put with others like it.", "cluster", "rule")
BRAND_SAID: Final = define("brand.answered", "A person said whether two cases are one brand.", "same")
BRAND_UNSAID: Final = define("brand.taken_back", "A person took back what was said about the brand of two cases.")
