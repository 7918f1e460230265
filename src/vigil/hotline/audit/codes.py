"""The registry of audit codes: stable, one meaning each, with the details they may carry.

A room defines its codes in a ``codes.py`` of its own:

    RECEIVED = define("report.received", "A report came in.", "channel")

Details are numbers, truth values, or short texts such as enumeration values; never content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

SHAPE: Final = re.compile(r"^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$")


@dataclass(frozen=True, slots=True)
class Code:
    """``code`` as stored, ``text`` for readers, ``details`` the names that may be recorded with it."""

    code: str
    text: str
    details: frozenset[str]

    def __str__(self) -> str:
        return self.code


REGISTRY: Final[dict[str, Code]] = {}


def define(code: str, text: str, *details: str) -> Code:
    """Add a code to the registry. The same code twice with another meaning is a mistake in the code."""
    made = Code(code, text, frozenset(details))
    if not SHAPE.match(code) or REGISTRY.get(code, made) != made:
        raise ValueError(f"audit code {code!r} is malformed or already means something else")
    return REGISTRY.setdefault(code, made)


PERSON_ADDED: Final = define("person.added", "A member of staff was added.")
PERSON_CLOSED: Final = define("person.closed", "A member of staff can no longer sign in.")
PERSON_OPENED: Final = define("person.opened", "A member of staff can sign in again.")
PASSWORD_RESET: Final = define("person.password_reset", "A password was set anew by the operator.")
SECOND_FACTOR_SET: Final = define("person.second_factor_set", "A second factor was set up.")
SECOND_FACTOR_REMOVED: Final = define("person.second_factor_removed", "A second factor was removed.")
SIGNED_IN: Final = define("person.signed_in", "Somebody signed in.")
SIGN_IN_FAILED: Final = define("person.sign_in_failed", "Somebody failed to sign in.")
ROLE_GRANTED: Final = define("role.granted", "A role was given.", "role")
ROLE_REVOKED: Final = define("role.revoked", "A role was taken away.", "role")
HEAD_SIGNED: Final = define("audit.head_signed", "A tree head of the audit log was signed.", "size")
EXPORTED: Final = define("audit.exported", "The audit log was exported.", "events")
READ: Final = define("page.read", "Something confidential was opened.", "page", "elevated")
ELEVATED: Final = define("session.elevated", "An elevated session began.", "minutes")
ELEVATION_ENDED: Final = define("session.elevation_ended", "An elevated session was ended early.")
ELEVATION_SHOWN: Final = define("session.reason_shown", "The reason of an elevated session was shown.")
IDENTITY_LINKED: Final = define("person.identity_linked", "Single sign-on was linked to a member of staff.", "provider")
IDENTITY_UNLINKED: Final = define("person.identity_unlinked", "Single sign-on was taken from a member of staff.", "provider")
