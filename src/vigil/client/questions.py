"""What can be asked, as values that hide what they hold from logs and tracebacks, and how a question is told in signals. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from vigil.base.errors import InputError
from vigil.base.limits import URL_BYTES
from vigil.match.hashing import algorithm_named
from vigil.match.urls.refusal import Refusal

URL: Final = "url"
MEDIA: Final = "media"


@dataclass(frozen=True, slots=True)
class Signal:
    """An address (``type="url"``) or a hash as text, hexadecimal for ``md5``, ``sha1``, ``sha256``, ``pdq``.

    ``near`` False: only an equal entry counts, because the picture had too little structure for distances.
    """

    type: str
    value: str = field(repr=False)
    near: bool = True

    def fault(self) -> str | None:
        """Why a node could not read this signal, as a stable code; None where it can."""
        try:
            size = len(self.value.encode())
        except UnicodeEncodeError:
            return Refusal.SURROGATE.value
        if size > URL_BYTES.value:
            return Refusal.TOO_LONG.value
        return None if self.type == URL else self._hash_fault()

    def _hash_fault(self) -> str | None:
        try:
            algorithm_named(self.type).parse(self.value)
        except InputError as error:
            return error.code
        return None


@dataclass(frozen=True, slots=True)
class Question:
    """Is the thing with these signals listed? An address or a hash has one signal, a file several.

    ``doubt``      why the file could not be hashed whole (``low_quality``, ``not_an_image`` …), if so.
    ``reference``  the caller's own name for the thing, handed back with each hook; never sent.
    """

    kind: str
    signals: tuple[Signal, ...]
    doubt: str | None = None
    reference: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For a queue of the caller's own. Holds the addresses and hashes themselves: keep it as confidential."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Question:
        """What :meth:`as_dict` gave; InputError for anything else."""
        try:
            return msgspec.convert(dict(document), cls)
        except msgspec.ValidationError:
            raise InputError("question_shape", "This is no question of ours.", mend="Give what as_dict() gave.") from None


def url_question(address: str, reference: str | None = None) -> Question:
    """Is this address listed?"""
    return Question(URL, (Signal(URL, address),), reference=reference)


def signal_question(signal: Signal, reference: str | None = None) -> Question:
    """Is this signal listed?"""
    return Question(signal.type, (signal,), reference=reference)
