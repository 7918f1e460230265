"""Which mappings are in force, and which labels there are."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from vigil.hotline.schemes.labels import OWN, OWN_SCHEME, OWN_VERSION, Label, Section
from vigil.hotline.schemes.mapping import Rules, read
from vigil.hotline.schemes.models import SchemeLabel, SchemeMapping

SHIPPED: Final = ("uk_severity", "interpol_baseline", "us_industry", "iccam", "xarf_csam")


@cache
def shipped(axis: str) -> Rules:
    """The default mapping of an axis."""
    return read((resources.files("vigil.hotline.schemes") / "data" / f"{axis}.json").read_bytes())


def latest(axis: str) -> SchemeMapping | None:
    """The latest document of an axis that came into force."""
    found: SchemeMapping | None = (
        SchemeMapping.objects.filter(axis=axis, in_force_at__isnull=False).order_by("-in_force_at", "-pk").first()
    )
    return found


def mapping_in_force(axis: str) -> Rules | None:
    """The mapping of an axis that counts: the latest put in force, else the shipped default, else none."""
    row = latest(axis)
    if row is not None:
        return read(row.rules)
    return shipped(axis) if axis in SHIPPED else None


def mappings_in_force() -> list[Rules]:
    """Every axis that can be computed, the shipped ones first, read in one query."""
    rows: dict[str, SchemeMapping] = {}
    found = SchemeMapping.objects.filter(kind="mapping", in_force_at__isnull=False).order_by("in_force_at", "pk")
    for row in found:
        rows[row.axis] = row
    axes = [*SHIPPED, *sorted(set(rows) - set(SHIPPED))]
    return [read(rows[axis].rules) if axis in rows else shipped(axis) for axis in axes]


def imported_schemes() -> list[tuple[str, str]]:
    """(scheme, version) of what was imported."""
    return list(SchemeLabel.objects.order_by("scheme", "version").values_list("scheme", "version").distinct())


def labels_of(scheme: str, version: str) -> list[Label]:
    """The labels of a scheme, Vigil's own or an imported one."""
    if (scheme, version) == (OWN_SCHEME, OWN_VERSION):
        return list(OWN)
    rows = SchemeLabel.objects.filter(scheme=scheme, version=version)
    return [Label(row.label_id, Section(row.section), row.text, row.active_from, row.active_to) for row in rows]
