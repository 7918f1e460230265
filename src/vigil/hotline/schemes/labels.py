"""Labels of a scheme as data: Vigil's own small scheme, and reading those that an operator imports. Pure but for package data.

Licensed schemes (the Universal Classification Schema among them) are imported by who has the licence; none is shipped or guessed.
A table has the columns ``label_id``, ``section``, ``text`` and, if it likes, ``active_from`` and ``active_to``.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from vigil.base.errors import InputError
from vigil.base.limits import Limit

OWN_SCHEME: Final = "vigil"
OWN_VERSION: Final = "1"
LABELS: Final = Limit(5000, "labels", "a scheme is read by people")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,58}")
LABEL_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=-]{0,98}")


class Section(StrEnum):
    CATEGORISATION = "categorisation"
    INVESTIGATIVE = "investigative"
    DEMOGRAPHIC = "demographic"


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its id in the scheme, the section, and its text where the licence permits one to keep it."""

    label_id: str
    section: Section
    text: str = ""
    active_from: str = ""
    active_to: str = ""


OWN: Final = (
    Label("activity=penetrative", Section.CATEGORISATION, "Penetrative activity"),
    Label("activity=non_penetrative", Section.CATEGORISATION, "Non-penetrative activity"),
    Label("activity=other_indecent", Section.CATEGORISATION, "Other indecent"),
    Label("activity=exhibition", Section.CATEGORISATION, "Lascivious exhibition"),
    Label("activity=no_activity", Section.CATEGORISATION, "None of these"),
    Label("animal=yes", Section.CATEGORISATION, "An animal is involved"),
    Label("animal=no", Section.CATEGORISATION, "No animal is involved"),
    Label("sadism=yes", Section.CATEGORISATION, "Sadism or degradation"),
    Label("sadism=no", Section.CATEGORISATION, "No sadism or degradation"),
)
"""The groups that the shipped mappings read; age, maturity, sex and origin come from the depictions and the assessment itself."""


def read_table(data: bytes) -> list[Label]:
    """Labels from CSV with a head row, or from a JSON list of objects, in UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("labels_wrong", "The table is not text in UTF-8.", mend="Save it as UTF-8.") from error
    rows = _json_rows(text) if text.lstrip().startswith("[") else list(csv.DictReader(io.StringIO(text)))
    if not 0 < len(rows) <= LABELS.value:
        raise InputError("labels_wrong", f"A table has 1 to {LABELS.value} labels.")
    labels = [_label(number, row) for number, row in enumerate(rows, start=1)]
    ids = [label.label_id for label in labels]
    if len(set(ids)) != len(ids):
        raise InputError("labels_wrong", "A label stands in the table twice.")
    return labels


def _json_rows(text: str) -> list[dict[str, str]]:
    try:
        return msgspec.json.decode(text, type=list[dict[str, str]])
    except msgspec.MsgspecError as error:
        raise InputError("labels_wrong", f"This is no list of labels: {error}.") from error


def _label(number: int, row: dict[str, str]) -> Label:
    known = {"label_id", "section", "text", "active_from", "active_to"}
    given = {name: (value or "").strip() for name, value in row.items() if name in known}
    if set(row) - known:
        raise InputError("labels_wrong", "A column that is not known.", where=f"row {number}")
    if not LABEL_ID.fullmatch(given.get("label_id", "")) or given.get("section") not in set(Section):
        raise InputError("labels_wrong", "A label needs an id and one of the three sections.", where=f"row {number}")
    return Label(
        given["label_id"], Section(given["section"]), given.get("text", "")[:500],
        given.get("active_from", "")[:10], given.get("active_to", "")[:10],
    )  # fmt: skip
