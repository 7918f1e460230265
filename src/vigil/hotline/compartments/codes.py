"""Audit codes of this room."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

RESTRICTED: Final = define("case.restricted", "A case was restricted to named people.", "ground", "people")
MEMBER_ADDED: Final = define("case.person_let_in", "A person was let into a restricted case.", "user")
MEMBER_REMOVED: Final = define("case.person_taken_out", "A person was taken out of a restricted case.", "user")
LIFTED: Final = define("case.restriction_lifted", "The restriction of a case was lifted.")
