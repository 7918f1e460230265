"""What the ICAP door asks the node, without a byte of ICAP: an HTTP head or a file in, an answer in its place or None out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vigil.edge.barrier import refused, reply_to
from vigil.edge.counts import request_class
from vigil.edge.doors import DoorName
from vigil.edge.http.replies import Reply
from vigil.edge.node import Node
from vigil.edge.questions import MediaQuestion, Question
from vigil.edge.readings import HttpHead, Unreadable, answer_head, plain_host, readings_of, request_head
from vigil.edge.screening import question_of_file
from vigil.match.verdict import Outcome
from vigil.media import ImageHashes, Unhashable, sniff

MEDIA_KINDS: Final = (b"image/", b"video/")
SNIFF_BYTES: Final = 512
PARTIAL: Final = 206
TOO_LARGE: Final = "too_large"
PACKED: Final = "body_packed"
PART_ONLY: Final = "body_partial"
BUSY: Final = "busy"
SLOW: Final = "body_slow"


class Budget:
    """Bytes of all bodies that are held at one time."""

    def __init__(self, most: int) -> None:
        self.left = most

    def take(self, size: int) -> bool:
        """True where there was room."""
        if size > self.left:
            return False
        self.left -= size
        return True

    def give_back(self, size: int) -> None:
        """The bytes are gone."""
        self.left += size


@dataclass(slots=True)
class Asked:
    """What is known of the one who asked for a file: for the page's language and the class of the count."""

    fields: dict[bytes, bytes]
    head: bool = False


class Desk:
    """The node as the ICAP door sees it; shared by all connections."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.settings = node.config.file.icap
        self.bounds = node.config.file.limits
        self.budget = Budget(self.settings.bodies_bytes)
        self._tag: tuple[int | None, bytes] = (None, b'"vigil-0-%s"' % node.config.digest[:8].encode())
        self._digest = node.config.digest[:8].encode()

    def istag(self) -> bytes:
        """Another one for each edition and configuration: clients drop what they kept under the old one."""
        edition = self.node.state.enforced
        number = edition.number if edition else None
        if self._tag[0] != number:
            self._tag = (number, b'"vigil-%d-%s"' % ((number or 0) % 10**12, self._digest))
        return self._tag[1]

    def lets_pass(self, data: bytes, start: int = 0) -> bool:
        """True where one look tells that :meth:`on_request` passes the request that begins at ``start`` of ``data``."""
        host = plain_host(data, start)
        return host is not None and self.node.lets_host_pass(host)

    def on_request(self, block: bytes) -> Reply | None:
        """REQMOD: the answer in place of the request in ``block``; None passes it."""
        node, edition = self.node, self.node.state.enforced
        if self.lets_pass(block):
            return None
        try:
            head = request_head(block)
            questions: tuple[Question, ...] = readings_of(head)
        except Unreadable as error:
            node.unread(edition, DoorName.ICAP)
            return refused(400, error.code, error.what)
        verdict = node.answer_any(questions, edition, request_class(head.fields), DoorName.ICAP)
        if verdict.verdict is Outcome.NOT_LISTED:
            return None
        return reply_to(node, verdict, head.fields, self.settings.on_unknown, head=head.method == b"HEAD", door=DoorName.ICAP)

    def asked(self, block: bytes | None) -> Asked:
        """Who asked for a file, from the request that the client may have sent along."""
        try:
            head = request_head(block) if block else None
        except Unreadable:
            head = None
        return Asked(head.fields, head.method == b"HEAD") if head else Asked({})

    def is_media(self, head: HttpHead | None, start: bytes) -> bool:
        """Whether a file is to be looked at: by its declared kind, or by its first bytes, whatever it is declared to be."""
        declared = head.fields.get(b"content-type", b"").lower() if head else b""
        if declared.startswith(MEDIA_KINDS):
            return True
        view = memoryview(start)
        return sniff.picture_format(view) is not None or sniff.is_undecoded_picture(view) or sniff.is_video(start)

    def unfit(self, head: HttpHead | None) -> str | None:
        """The reason why the body of this answer cannot be compared with anything."""
        if head is None:
            return None
        packed = head.fields.get(b"content-encoding", b"identity").lower() not in (b"identity", b"")
        return PACKED if packed else PART_ONLY if head.status == PARTIAL else None

    def without_file(self, reason: str, asked: Asked) -> Reply | None:
        """RESPMOD where no file can be looked at."""
        return self._on_media(MediaQuestion((), (reason,)), asked)

    def on_file(self, found: ImageHashes | Unhashable, asked: Asked) -> Reply | None:
        """RESPMOD with the hashes of a file."""
        return self._on_media(question_of_file(found, self.node.config.file.enforcement.min_pdq_quality), asked)

    def _on_media(self, question: MediaQuestion, asked: Asked) -> Reply | None:
        node, edition = self.node, self.node.state.enforced
        verdict = node.answer(question, edition, request_class(asked.fields), DoorName.ICAP)
        own = verdict.edition is None or not edition or edition.stopped(node.clock.now())
        choice = self.settings.on_unknown if own else self.settings.on_unknown_media
        return reply_to(node, verdict, asked.fields, choice, head=asked.head, door=DoorName.ICAP)


def file_head(block: bytes | None) -> HttpHead | None:
    """The answer that carries a file; None where there is none that can be read."""
    try:
        return answer_head(block) if block else None
    except Unreadable:
        return None
