"""The error tree of Vigil.

    VigilError                 everything we raise on purpose; has a stable code
    ├── InputError             what was handed in cannot be used           (command line: 2, HTTP: 400/413/415/422)
    ├── RefusedError           a rule, a signature or a right forbids it   (command line: 1, HTTP: 403/409)
    └── UnavailableError       a part that is needed is not there now      (command line: 2, HTTP: 503)

Each error says what happened, where, and what to do. The texts are safe to show: they never hold a list
entry, a reporter's words or a key. Inside, code catches the types; at the public edge they become problem
documents (RFC 9457) by :meth:`VigilError.problem`.
"""

from __future__ import annotations

from typing import Any, ClassVar


class VigilError(Exception):
    """Base of all errors raised on purpose.

    ``code``   stable, lower-case, with underscores; part of the public contract.
    ``what``   what happened, one sentence.
    ``where``  file, field, option or step; empty where it would only repeat ``what``.
    ``mend``   what the reader can do now.
    """

    http_status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 2

    def __init__(self, code: str, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        parts = [self.what]
        if self.where:
            parts.append(f"Where: {self.where}.")
        if self.mend:
            parts.append(self.mend)
        return " ".join(parts)

    def problem(self, status: int | None = None) -> dict[str, Any]:
        """The error as a problem document (RFC 9457), with our ``code`` and ``mend`` as extension members."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.what,
            "status": status or self.http_status,
            "code": self.code,
        }
        if self.where:
            document["where"] = self.where
        if self.mend:
            document["mend"] = self.mend
        return document


class InputError(VigilError):
    """What was handed in cannot be used as it is."""

    http_status = 400


class RefusedError(VigilError):
    """A rule, a signature or a missing right forbids it."""

    http_status = 403
    exit_status = 1


class UnavailableError(VigilError):
    """A part that is needed is not there at the moment; trying again later may help."""

    http_status = 503
