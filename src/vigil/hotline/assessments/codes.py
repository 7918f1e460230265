"""What the audit log says about assessments: enumeration values only, never notes."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

_DETAILS: Final = ("case", "number", "stage", "outcome")

ASSESSED: Final = define("assessment.made", "A case was assessed.", *_DETAILS)
CORRECTED: Final = define("assessment.corrected", "An assessment was replaced by a new one.", *_DETAILS)
GRADED: Final = define("file.assessed", "A file was assessed.", "case", "file", "stage", "severity")
RECOMPUTED: Final = define("axis.recomputed", "An axis was computed anew by another mapping.", "axis", "version", "number")
QUALITY_CHECKED: Final = define("assessment.quality_checked", "A sample was assessed for quality.", "case", "agrees")
REVEALED: Final = define("content.revealed", "The address or the words of a report were shown.", "what")
