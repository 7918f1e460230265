"""The report of a node's self-test with the benign test list: what each door did, signed by the node. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from vigil.base.errors import InputError, RefusedError
from vigil.editions.node_signatures import CERTIFICATE, is_signed

VERSION: Final = 1
REPORT_BYTES: Final = 1024 * 1024


class Seen(StrEnum):
    """What a door did with a request of the test."""

    BLOCKED = "blocked"
    PASSED = "passed"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question: the case of the test list, what should have happened, what did; ``detail`` is a status or a stable code."""

    case: str
    expected: Seen
    seen: Seen
    detail: str = ""

    @property
    def good(self) -> bool:
        """True where the door did as it should."""
        return self.seen is self.expected


class DoorReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All questions that one door was asked."""

    door: str
    checks: tuple[Check, ...]

    @property
    def good(self) -> bool:
        """True where there was a question and each was answered as it should be."""
        return bool(self.checks) and all(check.good for check in self.checks)


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``config`` is the digest of the node's configuration; ``edition`` the one that was in force."""

    v: int
    node: str
    at: str
    edition: int | None
    config: str
    doors: tuple[DoorReport, ...]

    @property
    def good(self) -> bool:
        """Green: at least one door, and all of them right."""
        return bool(self.doors) and all(door.good for door in self.doors)

    def failing(self) -> list[str]:
        """Names of the doors that are not right."""
        return [door.door for door in self.doors if not door.good]


class Certificate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed report: ``report`` is the text that was signed."""

    report: str
    key: str
    signature: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A certificate that was read: its report, and the public key that really signed it."""

    report: Report
    key: str


class Signer(Protocol):
    """A node's key."""

    @property
    def public(self) -> str: ...

    def sign(self, purpose: bytes, document: bytes) -> str: ...


def sign(report: Report, key: Signer) -> bytes:
    """The certificate of ``report``."""
    text = msgspec.json.encode(report)
    return msgspec.json.encode(Certificate(text.decode(), key.public, key.sign(CERTIFICATE, text)))


def read(data: bytes) -> Checked:
    """What a certificate says. Raises InputError for what is none, RefusedError where its signature does not fit."""
    if len(data) > REPORT_BYTES:
        raise InputError("certificate_too_large", f"A certificate has at most {REPORT_BYTES} bytes.")
    try:
        certificate = msgspec.json.decode(data, type=Certificate)
        report = msgspec.json.decode(certificate.report, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("certificate_malformed", "This is not a certificate.") from error
    if report.v != VERSION or not is_signed(certificate.key, CERTIFICATE, certificate.report.encode(), certificate.signature):
        raise RefusedError("certificate_unsigned", "The certificate was altered, or another key signed it.")
    return Checked(report, certificate.key)
