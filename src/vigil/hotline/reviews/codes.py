"""Audit codes of reviews."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

PLANNED: Final = define("review.planned", "The policy asked for further looks.", "stages", "policy")
CALIBRATION_MADE: Final = define("calibration.made", "A calibration set was made.", "items")
