"""Taking the certificates of nodes: signed reports of their self-tests, red ones too."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.editions.certificate import Checked, read
from vigil.hotline.access.people import must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.partners.models import Node
from vigil.hotline.statistics import codes
from vigil.hotline.statistics.counts import UnprocessableError
from vigil.hotline.statistics.models import NodeCertificate
from vigil.hotline.statistics.node_keys import SignatureRefusedError, keys_of


def do_take_certificate(node: Node, body: bytes) -> NodeCertificate:
    """Keep a certificate of ``node``; the same one again is the same row. Raises UnprocessableError or SignatureRefusedError."""
    must(node, Permission.COUNTS_SEND)
    checked = _checked(node, body)
    report, digest = checked.report, hashlib.sha256(body).hexdigest()
    with transaction.atomic():
        Node.objects.select_for_update().get(pk=node.pk)
        known: NodeCertificate | None = NodeCertificate.objects.filter(node=node, body_digest=digest).first()
        if known is not None:
            return known
        made = NodeCertificate.objects.create(
            node=node,
            made_at=datetime.fromisoformat(report.at.replace("Z", "+00:00")),
            edition=report.edition,
            good=report.good,
            failing=report.failing(),
            body=body.decode(),
            body_digest=digest,
            created_by=node.label,
        )
        record(node, codes.CERTIFICATE_TAKEN, made, good=report.good, failing=len(report.failing()))
    return made


def _checked(node: Node, body: bytes) -> Checked:
    try:
        checked = read(body)
    except (InputError, RefusedError) as error:
        raise UnprocessableError(error.code, error.what, mend=error.mend) from error
    if checked.key not in keys_of(node):
        raise SignatureRefusedError(
            "signature_refused", "This is not signed by a key of the node.", mend="Enrol the key that 'vigil edge key' prints."
        )
    if checked.report.node != node.name:
        raise UnprocessableError("node_differs", "The certificate names another node than the token.", where="node")
    return checked
