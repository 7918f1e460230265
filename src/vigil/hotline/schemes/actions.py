"""Importing labels; proposing a mapping and putting it in force by two people."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec
from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.approvals.actions import do_request, spend
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.audit.actions import record
from vigil.hotline.schemes import codes
from vigil.hotline.schemes.labels import NAME, OWN_SCHEME, read_table
from vigil.hotline.schemes.mapping import read
from vigil.hotline.schemes.models import Kind, SchemeLabel, SchemeMapping
from vigil.hotline.schemes.queries import mapping_in_force
from vigil.hotline.schemes.report import report_on

TABLE_BYTES: Final = Limit(2 * 1024 * 1024, "bytes", "a table of labels is typed by people")


def do_import_labels(person: Person, scheme: str, version: str, table: bytes) -> int:
    """Import the labels of one version of a scheme. A version is imported once: a change is a new version."""
    must(person, Permission.SCHEME_MANAGE)
    if not NAME.fullmatch(scheme) or not NAME.fullmatch(version) or scheme == OWN_SCHEME:
        raise InputError("scheme_name", "A scheme and its version are short names.", where="scheme")
    if len(table) > TABLE_BYTES.value:
        raise InputError("labels_wrong", "The table is too large.")
    labels = read_table(table)
    with transaction.atomic():
        if SchemeLabel.objects.filter(scheme=scheme, version=version).exists():
            raise RefusedError("scheme_version_there", "This version was imported already.", mend="Give a change a new version.")
        SchemeLabel.objects.bulk_create(
            SchemeLabel(
                scheme=scheme, version=version, section=label.section.value, label_id=label.label_id, text=label.text,
                definition_digest=hashlib.sha256(label.text.encode()).hexdigest(), active_from=label.active_from,
                active_to=label.active_to, created_by=person.label,
            )
            for label in labels
        )  # fmt: skip
        record(person, codes.IMPORTED, f"scheme:{scheme}", scheme=scheme, version=version, labels=len(labels))
    return len(labels)


def do_propose_mapping(person: Person, data: bytes | str, reason: str) -> tuple[SchemeMapping, ApprovalRequest]:
    """Propose a mapping: it is read, tried on every combination, stored with its test report, and a second person is asked."""
    must(person, Permission.SCHEME_MANAGE)
    rules = read(data)
    before = mapping_in_force(rules.axis)
    report = report_on(rules, before)
    content = msgspec.to_builtins(rules)
    return do_propose(person, Kind.MAPPING, rules.axis, rules.version, content, report.data(), reason)


def do_propose(
    person: Person, kind: Kind, axis: str, version: str, rules: Any, report: dict[str, Any], reason: str
) -> tuple[SchemeMapping, ApprovalRequest]:
    """Store a proposed document with its test report and ask a second person. Also for the review policy."""
    must(person, Permission.SCHEME_MANAGE)
    if not NAME.fullmatch(version) or not NAME.fullmatch(axis):
        raise InputError("scheme_name", "An axis and its version are short names.", where="version")
    with transaction.atomic():
        if SchemeMapping.objects.filter(axis=axis, version=version).exists():
            raise RefusedError("mapping_version_there", "This version is there already.", mend="Give the change a new version.")
        row = SchemeMapping.objects.create(
            kind=kind.value, axis=axis, version=version, rules=rules, test_report=report, created_by=person.label
        )
        record(
            person, codes.PROPOSED, row, axis=axis, version=version, passed=bool(report["passed"]),
            changed=int(report.get("changed", 0)),
        )  # fmt: skip
        return row, do_request(person, TwoPersonAct.SCHEME_MAPPING_CHANGE, row, reason)


def do_put_in_force(person: Person, row: SchemeMapping) -> SchemeMapping:
    """Put an approved document in force; one whose test report did not pass is refused, whoever approved it."""
    must(person, Permission.SCHEME_MANAGE)
    if not row.test_report.get("passed"):
        raise RefusedError("mapping_not_tested", "The test report did not pass.", mend="Mend it as a new version.")
    with transaction.atomic():
        fresh = SchemeMapping.objects.select_for_update(of=("self",)).get(pk=row.pk)
        if fresh.in_force_at is not None:
            raise RefusedError("mapping_in_force", "This version is in force already.")
        fresh.approval, fresh.in_force_at = spend(person, TwoPersonAct.SCHEME_MAPPING_CHANGE, fresh), now()
        fresh.save(update_fields=["approval", "in_force_at"])
        record(person, codes.IN_FORCE, fresh, axis=fresh.axis, version=fresh.version)
    return fresh
