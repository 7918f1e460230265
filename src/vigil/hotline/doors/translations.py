"""How much of the texts of the public door has been read by somebody who knows the field: message by message.

``locale/review.toml`` says how a language stands as a whole; ``locale/reviewed.toml`` names each message that was read, by
the mark of its source and its translation together: a text that is changed, on either side, counts as unread again.
"""

from __future__ import annotations

import hashlib
import struct
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vigil.base.errors import InputError
from vigil.hotline.doors.languages import LANGUAGES

LOCALE: Final = Path(__file__).resolve().parents[1] / "locale"
SOURCE: Final = "en"
_MAGIC: Final = 0x950412DE
_MARK_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Message:
    """One text: as it is written in English, as readers of the language see it, its mark, and who read it (empty: nobody)."""

    source: str
    text: str
    mark: str
    read_by: str


@dataclass(frozen=True, slots=True)
class LanguageReview:
    """A language: its state as a whole, its messages, and marks of texts that are no longer there."""

    code: str
    name: str
    state: str
    messages: tuple[Message, ...]
    gone: tuple[str, ...]

    @property
    def read(self) -> int:
        return sum(bool(message.read_by) for message in self.messages)


def reviews() -> list[LanguageReview]:
    """Every language on offer but the one the texts are written in."""
    states, read = _table("review.toml"), _table("reviewed.toml")
    return [_review(code, name, str(states[code]["state"]), read.get(code, {})) for code, name in LANGUAGES if code != SOURCE]


def review_of(code: str) -> LanguageReview:
    """One language. Raises InputError ``language_unknown``."""
    found = [each for each in reviews() if each.code == code]
    if not found:
        known = ", ".join(each for each, _ in LANGUAGES if each != SOURCE)
        raise InputError(
            "language_unknown", "There are no translations into this language.", where=code, mend=f"One of: {known}."
        )
    return found[0]


def mark_of(code: str, source: str, text: str) -> str:
    """What names a message once it was read."""
    return hashlib.sha256("\0".join((code, source, text)).encode()).hexdigest()[:_MARK_DIGITS]


def _review(code: str, name: str, state: str, read: dict[str, object]) -> LanguageReview:
    messages = []
    for source, text in _compiled(LOCALE / code / "LC_MESSAGES" / "django.mo"):
        mark = mark_of(code, source, text)
        messages.append(Message(source, text, mark, str(read.get(mark, ""))))
    gone = sorted(set(read) - {message.mark for message in messages})
    return LanguageReview(code, name, state, tuple(messages), tuple(gone))


def _compiled(path: Path) -> Iterator[tuple[str, str]]:
    """The messages that the door serves, in the order of the file (GNU gettext, "The Format of GNU MO Files"); plurals joined."""
    data = path.read_bytes()
    magic, _, count, sources, texts = struct.unpack_from("<5I", data)
    if magic != _MAGIC:
        raise InputError("catalogue_malformed", "The compiled texts cannot be read.", where=path.parts[-3])
    for place in range(count):
        source, text = (_piece(data, start + 8 * place) for start in (sources, texts))
        if source:  # the first is the head of the file
            yield source.replace("\0", " | "), text.replace("\0", " | ")


def _piece(data: bytes, at: int) -> str:
    size, start = struct.unpack_from("<2I", data, at)
    return data[start : start + size].decode("utf-8")


def _table(name: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = tomllib.loads((LOCALE / name).read_text("utf-8"))
    return found
