"""What an edition remembers of the audit log: the number of events and the last hash when it was built."""

from __future__ import annotations

from pathlib import Path

from vigil.base.errors import InputError
from vigil.editions.folder import reader_of
from vigil.editions.limits import MANIFEST_BYTES
from vigil.editions.manifest import MANIFEST_NAME, decode_manifest
from vigil.hotline.audit.verify import Anchor


def anchor_in(folder: Path) -> Anchor:
    """The anchor in an edition folder of whichever kind; raises InputError where there is none."""
    manifest = decode_manifest(reader_of(folder)(MANIFEST_NAME, MANIFEST_BYTES.value))
    if manifest.audit is None:
        raise InputError("edition_without_anchor", "This edition remembers nothing of an audit log.", where=str(folder))
    return Anchor(manifest.audit.events, manifest.audit.head, source=f"edition {manifest.number}")
