"""Tree heads of the log: made, kept, exported, compared.

A head is signed by the process that has the audit key (the list office, or the command line); the doors never load it.
Heads leave the house on purpose: whoever keeps one can show later whether the log is still the same up to there.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.db import close_old_connections, transaction

from vigil.base.clock import text_of
from vigil.base.errors import InputError, UnavailableError, VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit import codes
from vigil.hotline.audit.actions import record
from vigil.hotline.audit.headkeys import HeadKey
from vigil.hotline.audit.merkle import Frontier, consistency_proof, inclusion_proof
from vigil.hotline.audit.models import AuditEvent, AuditTreeHead
from vigil.hotline.audit.notes import TreeHead, signed

log = logging.getLogger(__name__)

EXPORT_FORMAT: Final = "vigil-audit-export-1"
ROWS: Final = 2000
EVERY_SECONDS: Final = 3600.0


def do_sign_head(person: Person, key: HeadKey) -> AuditTreeHead:
    """Sign the present state of the log and keep the head. The event that tells of it comes after the head."""
    must(person, Permission.AUDIT_SIGN)
    with transaction.atomic():
        head = TreeHead(key.name, *_tree_now(), at=now())
        kept: AuditTreeHead = AuditTreeHead.objects.create(
            size=head.size, root=head.root.hex(), at=head.at, key=key.public.text(), note=signed(head, key.name, key.key)
        )
        record(person, codes.HEAD_SIGNED, f"treehead:{head.size}", size=head.size)
    return kept


def serve(person: Person, key: HeadKey, stop: threading.Event, every: float = EVERY_SECONDS) -> None:
    """Sign a head now and then ``every`` so many seconds, where something happened since the last one, until ``stop``."""
    while not stop.is_set():
        close_old_connections()
        try:
            if _something_happened():
                do_sign_head(person, key)
        except VigilError as error:
            log.error("tree head not signed", extra={"fields": {"code": error.code}})
        stop.wait(every)


def _something_happened() -> bool:
    """Whether there are events besides the one that tells of the newest head."""
    newest = latest_head()
    last = AuditEvent.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    return last > (0 if newest is None else newest.size + 1)


def _tree_now() -> tuple[int, bytes]:
    tree = Frontier()
    for leaf in leaves():
        tree.append(leaf)
    return tree.size, tree.root


def leaves() -> Iterator[bytes]:
    """The leaves of the tree: the hash of each event, in order."""
    hashes = AuditEvent.objects.order_by("seq").values_list("hash", flat=True)
    return (bytes.fromhex(value) for value in hashes.iterator(chunk_size=ROWS))


def latest_head() -> AuditTreeHead | None:
    """The newest head, or None before the first."""
    newest: AuditTreeHead | None = AuditTreeHead.objects.order_by("-size", "-at").first()
    return newest


def proof_of_inclusion(seq: int, size: int) -> dict[str, Any]:
    """That event ``seq`` stands under the head of ``size`` events, as a JSON document."""
    if not 1 <= seq <= size:
        raise InputError("proof_outside", "This event is not under this head.", where=f"event {seq}, head {size}")
    first = _first(size)
    proof = inclusion_proof(seq - 1, first)
    return {"event": seq, "size": size, "hash": first[seq - 1].hex(), "proof": [step.hex() for step in proof]}


def proof_of_consistency(older: int, size: int) -> dict[str, Any]:
    """That the head of ``older`` events is a beginning of the head of ``size`` events, as a JSON document."""
    if not 1 <= older <= size:
        raise InputError("proof_outside", "The older head does not come before the newer one.", where=f"{older}, {size}")
    return {"older": older, "size": size, "proof": [step.hex() for step in consistency_proof(older, _first(size))]}


def _first(size: int) -> list[bytes]:
    there = [leaf for _, leaf in zip(range(size), leaves(), strict=False)]
    if len(there) < size:
        raise InputError("proof_outside", "The log has fewer events than that.", where=f"{size} events asked, {len(there)} there")
    return there


def do_export(person: Person, out: Path) -> int:
    """Write :func:`export_lines` to ``out`` (replaced whole, mode 600) and record that; the number of events written."""
    must(person, Permission.AUDIT_READ)
    events = 0
    part = out.with_name(out.name + ".part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            for line in export_lines():
                stream.write(line)
                events += line.startswith('{"seq":')
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UnavailableError("export_unwritable", "The export cannot be written.", where=str(out)) from error
    with transaction.atomic():
        record(person, codes.EXPORTED, "audit", events=events)
    return events


def export_lines() -> Iterator[str]:
    """The log as JSON lines for an auditor: a first line about it, then every event, then every signed head."""
    yield _line({"format": EXPORT_FORMAT, "exported_at": text_of(now())})
    for event in AuditEvent.objects.order_by("seq").iterator(chunk_size=ROWS):
        yield _line(
            {
                "seq": event.seq, "at": event.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "actor": event.actor, "roles": event.roles, "code": event.code, "subject": event.subject,
                "purpose": event.purpose, "details": event.details, "prev_hash": event.prev_hash, "hash": event.hash,
            }
        )  # fmt: skip
    for head in AuditTreeHead.objects.order_by("size", "at").iterator(chunk_size=ROWS):
        yield _line({"head": head.size, "key": head.key, "note": head.note})


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"
