"""What the audit log says about assessments: enumeration values only, never notes."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

_DETAILS: Final = ("case", "number", "stage", "outcome")

ASSESSED: Final = define("assessment.made", "A case was assessed.", *_DETAILS)
CORRECTED: Final = define("assessment.corrected", "An assessment was replaced by a new one.", *_DETAILS)
REVEALED: Final = define("content.revealed", "The address or the words of a report were shown.", "what")
