"""Audit codes of two-person acts: the act and its outcome, never the reason."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

REQUESTED: Final = define("approval.requested", "A second person was asked to approve an act.", "act", "about")
APPROVED: Final = define("approval.approved", "A second person approved an act.", "act", "about")
REFUSED: Final = define("approval.refused", "A second person refused an act.", "act", "about")
EXPIRED: Final = define("approval.expired", "A request for a second person expired.", "act", "about")
SPENT: Final = define("approval.spent", "An approved act was carried out.", "act", "about")
REASON_SHOWN: Final = define("approval.reason_shown", "The reason of a request was shown.", "act")
