"""Reports by e-mail: reading a message of a stranger, within bounds, keeping no attachment.

The message is parsed in memory. Text parts become the reporter's words and the addresses in them what is reported; pictures
are hashed and dropped; archives and everything else are hashed and never opened, so that nothing unpacks itself. The
sender's address is not kept. RFC 5322, RFC 2045.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage, Message
from html.parser import HTMLParser
from typing import Final

from vigil.base.errors import InputError
from vigil.base.limits import MEDIA_BYTES, Limit
from vigil.hotline.reports.enumerations import Channel, HashAlgorithm, SubmissionType
from vigil.hotline.reports.intake import Arrival
from vigil.hotline.reports.items import Item, file_item
from vigil.hotline.reports.limits import ADDRESS_CHARACTERS, WORDS_CHARACTERS

MESSAGE_BYTES: Final = Limit(25 * 1024 * 1024, "bytes", "a message is held in memory while it is read")
PARTS: Final = Limit(100, "parts", "a message of thousands of parts is an attack")
DEPTH: Final = Limit(10, "levels", "messages inside messages inside messages")
TEXT_BYTES: Final = Limit(1024 * 1024, "bytes", "the text of a part; the rest is left out")
ADDRESSES: Final = Limit(50, "addresses", "one message names some pages")

URL: Final = re.compile(r"""(?:https?|ftp)://[^\s<>"'\\^`{|}]{1,8000}""", re.IGNORECASE)
CUT: Final = "\n[…]"


@dataclass(frozen=True, slots=True, repr=False)
class Attached:
    """An attachment: its bytes, while they are hashed, and what it says it is."""

    data: bytes
    declared_type: str


@dataclass(frozen=True, slots=True, repr=False)
class Read:
    """A message as read: the report it makes, and what was attached. ``report`` None where it names nothing."""

    words: str
    addresses: tuple[str, ...]
    attached: tuple[Attached, ...]
    left_out: int

    def arrival(self) -> Arrival:
        """The report that the message makes: what it names, or else its words as a place."""
        items = [Item(SubmissionType.URL, address) for address in self.addresses]
        items += [file_item(HashAlgorithm.SHA256, hashlib.sha256(each.data).hexdigest()) for each in self.attached]
        if not items:
            items = [Item(SubmissionType.URL, self.words[: ADDRESS_CHARACTERS.value] or "(empty message)")]
        return Arrival(words=self.words, channel=Channel.EMAIL, items=tuple(items))


def read_message(data: bytes) -> Read:
    """Read one message. Raises InputError ``mail_too_large``, ``mail_too_deep`` or ``mail_malformed``."""
    if len(data) > MESSAGE_BYTES.value:
        raise InputError("mail_too_large", f"A message has at most {MESSAGE_BYTES.value} bytes.")
    try:
        message = email.message_from_bytes(data, policy=email.policy.default)
        return _read(message)
    except (RecursionError, LookupError, ValueError, TypeError, AttributeError, IndexError) as error:
        # The parser of the standard library meets damaged heads with errors of many kinds; all mean the same to us.
        raise InputError("mail_malformed", "This message cannot be read.") from error


def _read(message: Message) -> Read:
    words, addresses, attached, left_out = [_subject(message)], dict[str, None](), list[Attached](), 0
    for part in _leaves(message, 0):
        data = _payload(part)
        if part.get_content_maintype() == "text" and not part.get_filename():
            text = _text(part, data[: TEXT_BYTES.value])
            words.append(text)
            left_out += len(data) > TEXT_BYTES.value
        elif 0 < len(data) <= MEDIA_BYTES.value:
            attached.append(Attached(data, part.get_content_type()))
    said = "\n\n".join(word for word in (text.strip() for text in words) if word).replace("\x00", "␀")
    for found in URL.findall(said):
        address = found.rstrip(".,;:!?)]»”’")
        if len(addresses) < ADDRESSES.value:
            addresses[address] = None
        else:
            left_out += 1
    limit = WORDS_CHARACTERS.value - len(CUT)
    return Read(said if len(said) <= WORDS_CHARACTERS.value else said[:limit] + CUT, tuple(addresses), tuple(attached), left_out)


def _leaves(message: Message, depth: int) -> Iterator[Message]:
    """The parts that hold something, in order, within the bounds."""
    count, waiting = 0, [(message, depth)]
    while waiting:
        part, level = waiting.pop()
        count += 1
        if count > PARTS.value or level > DEPTH.value:
            raise InputError("mail_too_deep", "This message has more parts or levels than anybody sends.")
        inner = part.get_payload()
        if isinstance(inner, list):
            waiting += [(each, level + 1) for each in reversed(inner) if isinstance(each, Message)]
        else:
            yield part


def _payload(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _subject(message: Message) -> str:
    subject = message.get("Subject", "") if isinstance(message, EmailMessage) else ""
    return str(subject)[:500]


def _text(part: Message, data: bytes) -> str:
    """The text of a part; signs of an unknown encoding become marks."""
    try:
        text = data.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:
        text = data.decode("utf-8", "replace")
    return _plain(text) if part.get_content_subtype() == "html" else text


class _Words(HTMLParser):
    """The words of a page of HTML, and where its links lead. Nothing is fetched, no script is read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in ("script", "style")
        for name, value in attrs:
            if tag == "a" and name == "href" and value:
                self.words.append(f" {value} ")

    def handle_endtag(self, tag: str) -> None:
        self.silent = max(0, self.silent - (tag in ("script", "style")))

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words.append(data)


def _plain(text: str) -> str:
    parser = _Words()
    parser.feed(text)
    return "".join(parser.words)
