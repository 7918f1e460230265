"""Audit codes of this room."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

COUNTS_CONFLICT: Final = define(
    "counts.conflict", "A node sent other numbers under a key it had used.", "list", "edition", "hour", "revision"
)
