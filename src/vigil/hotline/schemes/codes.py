"""Audit codes of schemes."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

IMPORTED: Final = define("scheme.imported", "Labels of a scheme were imported.", "scheme", "version", "labels")
PROPOSED: Final = define("mapping.proposed", "A mapping or review policy was proposed.", "axis", "version", "passed", "changed")
IN_FORCE: Final = define("mapping.in_force", "A mapping or review policy came into force.", "axis", "version")
