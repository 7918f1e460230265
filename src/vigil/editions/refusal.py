"""Why an edition was not taken: stable codes, one place.

    RefusedError     └── EditionRefused      what arrived may not come into force; the last good edition stays
    UnavailableError └── EditionUnreachable  nothing usable arrived; the last good edition stays, try again later
"""

from __future__ import annotations

from enum import StrEnum

from vigil.base.errors import RefusedError, UnavailableError


class Refusal(StrEnum):
    """What is wrong with an edition. The codes are part of the public contract."""

    ROLLBACK = "rollback"  # older than what was seen before
    EXPIRED = "expired"  # signed metadata past its date: somebody may be holding newer ones back
    CLOCK_SKEW = "clock_skew"  # the same, but this machine's clock is the likelier cause
    SIGNATURE = "signature"  # too few valid signatures
    DIGEST = "digest"  # bytes differ from what was signed
    LENGTH = "length"  # more or fewer bytes than signed
    METADATA = "metadata"  # signed metadata that cannot be read or lacks something
    ROOT_MISSING = "root_missing"  # nothing to trust yet
    ROOT_CHANGED = "root_changed"  # another root than the one this state began with
    MANIFEST = "manifest"  # edition.json is not as the format says
    SCHEMA = "schema"  # columns or file layout not as the format says
    COUNTS = "counts"  # numbers of rows differ from edition.json
    ORDER = "order"  # rows not sorted, or twice the same
    VALUES = "values"  # a value outside what the format allows
    CANON_UNKNOWN = "canon_unknown"  # made with another canonical form than ours
    STATE = "state"  # digest of the sorted state differs
    MISSING = "missing"  # a file that belongs there is not there
    DELTA = "delta"  # a delta that does not fit what it should change
    KEY_MISSING = "key_missing"  # made for a partner whose keys are not here
    WITHDRAWN = "withdrawn"  # the hotline no longer delegates to this partner or list
    TOO_LARGE = "too_large"  # beyond a limit of vigil.editions.limits


class Unreachable(StrEnum):
    """Why nothing arrived."""

    UNREACHABLE = "unreachable"
    SLOW = "slow"
    NOT_ALLOWED = "not_allowed"
    HTTP_ERROR = "http_error"
    STATE_UNWRITABLE = "state_unwritable"
    STATE_BUSY = "state_busy"


class EditionRefused(RefusedError):  # noqa: N818
    """The edition may not come into force. ``code`` is a value of :class:`Refusal`."""

    def __init__(self, code: Refusal, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(code.value, what, where=where, mend=mend)


class EditionUnreachable(UnavailableError):  # noqa: N818
    """No edition could be fetched. ``code`` is a value of :class:`Unreachable`."""

    def __init__(self, code: Unreachable, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(code.value, what, where=where, mend=mend)
