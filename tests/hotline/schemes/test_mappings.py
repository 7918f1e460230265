"""Mappings: one way, three-valued, versioned, explained; beside each stands its obvious twin over every combination."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError, VigilError
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve
from vigil.hotline.schemes.actions import do_import_labels, do_propose_mapping, do_put_in_force
from vigil.hotline.schemes.labels import OWN, OWN_SCHEME, OWN_VERSION, read_table
from vigil.hotline.schemes.mapping import UNDETERMINED, combinations, compute, read
from vigil.hotline.schemes.models import SchemeLabel, SchemeMapping
from vigil.hotline.schemes.queries import SHIPPED, labels_of, mapping_in_force, mappings_in_force, shipped
from vigil.hotline.schemes.report import report_on

Labels = Mapping[str, frozenset[str]]
ACTS = {"penetrative", "non_penetrative"}


def one(labels: Labels, group: str) -> str:
    return next(iter(labels.get(group, frozenset())), "")


def uk_severity(labels: Labels) -> str:
    """A if penetrative or animal or sadism; else B if non-penetrative; else C if other indecent; else none."""
    activity, animal, sadism = (one(labels, name) for name in ("activity", "animal", "sadism"))
    if activity == "penetrative" or animal == "yes" or sadism == "yes":
        return "A"
    if not activity or not animal or not sadism:
        return UNDETERMINED
    return {"non_penetrative": "B", "other_indecent": "C", "exhibition": "C"}.get(activity, "none")


def us_industry(labels: Labels) -> str:
    activity, animal, sadism, maturity = (one(labels, name) for name in ("activity", "animal", "sadism", "maturity"))
    if not activity or not maturity:
        return UNDETERMINED
    if maturity == "adult":
        return "none"
    letter = {"prepubescent": "A", "pubescent": "B"}[maturity]
    if activity in ACTS or "yes" in (animal, sadism):
        return f"{letter}1"
    if not animal or not sadism:
        return UNDETERMINED
    return f"{letter}2" if activity == "exhibition" else "none"


def severe(labels: Labels) -> bool | None:
    activity, animal, sadism = (one(labels, name) for name in ("activity", "animal", "sadism"))
    if activity in {*ACTS, "exhibition"} or "yes" in (animal, sadism):
        return True
    return False if activity and animal and sadism else None


def interpol_baseline(labels: Labels) -> str:
    under, link, bad = one(labels, "appears_under_13"), one(labels, "real_child_link"), severe(labels)
    if not under or not link or not one(labels, "activity"):
        return UNDETERMINED
    if under == "no" or link == "none_found":
        return "does_not_meet"
    return {True: "meets", False: "does_not_meet", None: UNDETERMINED}[bad]


def baseline_for_certain(labels: Labels) -> bool:
    real = one(labels, "real_child_link") in ("known_victim", "likely_real")
    return real and one(labels, "appears_under_13") == "yes" and severe(labels) is True


def xarf_csam(labels: Labels) -> str:
    return "baseline" if baseline_for_certain(labels) else us_industry(labels)


def iccam(labels: Labels) -> str:
    if baseline_for_certain(labels):
        return "baseline"
    if not all(one(labels, name) for name in ("activity", "appears_under_13", "real_child_link")):
        return UNDETERMINED
    bad = True if one(labels, "activity") == "other_indecent" else severe(labels)
    return {True: "nationally_illegal", False: "not_illegal", None: UNDETERMINED}[bad]


TWINS: dict[str, Callable[[Labels], str]] = {
    "uk_severity": uk_severity, "us_industry": us_industry, "interpol_baseline": interpol_baseline,
    "xarf_csam": xarf_csam, "iccam": iccam,
}  # fmt: skip


def test_every_shipped_mapping_has_a_twin() -> None:
    assert set(TWINS) == set(SHIPPED)


@pytest.mark.parametrize("axis", SHIPPED)
def test_a_mapping_says_what_its_twin_says_of_every_combination(axis: str) -> None:
    rules, twin, rows = shipped(axis), TWINS[axis], 0
    for labels in combinations(rules):
        rows += 1
        assert compute(rules, labels).value == twin(labels), labels
    assert rows >= 50


@pytest.mark.parametrize("axis", SHIPPED)
def test_its_examples_hold_and_show_every_value(axis: str) -> None:
    report = report_on(shipped(axis))
    assert report.passed, (report.failed, report.unshown)
    assert set(report.counts) == set(shipped(axis).values)


@pytest.mark.parametrize("axis", SHIPPED)
def test_a_missing_label_is_never_the_mildest_value(axis: str) -> None:
    assert compute(shipped(axis), {}).value == UNDETERMINED


def test_the_explanation_names_what_decided() -> None:
    rules = shipped("uk_severity")
    assert compute(rules, {"activity": frozenset({"exhibition"}), "animal": frozenset({"yes"})}).explanation == ("animal=yes",)
    assert "animal=?" in compute(rules, {"activity": frozenset({"exhibition"})}).explanation
    mild = compute(rules, {"activity": frozenset({"no_activity"}), "animal": frozenset({"no"}), "sadism": frozenset({"no"})})
    assert mild.value == "none" and "not activity=penetrative" in mild.explanation


def test_unknown_is_as_if_nothing_was_said() -> None:
    rules = shipped("uk_severity")
    labels = {"activity": frozenset({"non_penetrative"}), "animal": frozenset({"unknown"}), "sadism": frozenset({"no"})}
    assert compute(rules, labels).value == UNDETERMINED


@given(st.dictionaries(st.sampled_from(["activity", "animal", "sadism"]), st.frozensets(st.sampled_from(
    ["penetrative", "exhibition", "no_activity", "yes", "no", "unknown", "zorblat"]), max_size=3)))  # fmt: skip
def test_more_labels_never_make_it_milder(labels: dict[str, frozenset[str]]) -> None:
    """Adding the gravest activity gives A, whatever else was said."""
    rules = shipped("uk_severity")
    more = {**labels, "activity": labels.get("activity", frozenset()) | {"penetrative"}}
    assert compute(rules, more).value == "A"
    assert compute(rules, labels).value in rules.values


def changed(**changes: Any) -> bytes:
    rules = msgspec.to_builtins(shipped("uk_severity"))
    return json.dumps({**rules, "version": "2", **changes}, default=list).encode()


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b"\xff", changed(values=["A"]), changed(otherwise="Z"), changed(zorblat=1),
     changed(cases=[{"value": "A"}]),
     changed(cases=[{"value": "A", "any": ["zorblat=yes"]}]), changed(cases=[{"value": "A", "any": ["animal=zorblat"]}]),
     changed(cases=[{"value": "A", "any": ["animal=yes"], "unknown": "guess"}]),
     changed(examples=[{"labels": {"animal": ["zorblat"]}, "value": "A"}]),
     changed(inputs={str(n): ["a", "b"] for n in range(20)}, cases=[], examples=[])],
)  # fmt: skip
def test_what_is_no_mapping_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read(data)


# ---- changed by two people


@pytest.fixture
def owner(make_user: Callable[..., User]) -> User:
    return make_user(Role.SCHEME_OWNER, username="olga")


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(VigilError) as caught:
        act()
    return caught.value.code


@pytest.mark.usefixtures("clock")
class TestChange:
    STRICTER = changed(cases=[
        {"value": "A", "any": ["activity=penetrative", "animal=yes", "sadism=yes"]},
        {"value": "B", "any": ["activity=non_penetrative", "activity=exhibition"]},
        {"value": "C", "any": ["activity=other_indecent"]},
    ], examples=[{"labels": {"activity": ["penetrative"]}, "value": "A"}, {"labels": {}, "value": "undetermined"},
        {"labels": {"activity": ["exhibition"], "animal": ["no"], "sadism": ["no"]}, "value": "B"},
        {"labels": {"activity": ["other_indecent"], "animal": ["no"], "sadism": ["no"]}, "value": "C"},
        {"labels": {"activity": ["no_activity"], "animal": ["no"], "sadism": ["no"]}, "value": "none"}])  # fmt: skip

    def test_two_people_and_a_test_report(self, owner: User, make_user: Callable[..., User]) -> None:
        row, request = do_propose_mapping(owner, self.STRICTER, "advice of counsel")
        assert row.test_report["passed"] and row.test_report["rows"] == 54 and row.test_report["changed"] == 1
        assert "exhibition" in row.test_report["shown"][0]["labels"]
        assert code_of(lambda: do_put_in_force(owner, row)) == "approval_missing"
        assert code_of(lambda: do_approve(owner, request)) == "not_permitted"
        do_approve(make_user(Role.SECOND_REVIEWER), request)
        do_put_in_force(owner, row)
        found = mapping_in_force("uk_severity")
        assert found is not None and found.version == "2"
        assert [rules.version for rules in mappings_in_force() if rules.axis == "uk_severity"] == ["2"]

    def test_a_report_that_did_not_pass_keeps_it_out(self, owner: User, make_user: Callable[..., User]) -> None:
        row, request = do_propose_mapping(owner, changed(examples=[{"labels": {"animal": ["yes"]}, "value": "B"}]), "a try")
        assert not row.test_report["passed"] and row.test_report["failed"]
        do_approve(make_user(Role.SECOND_REVIEWER), request)
        assert code_of(lambda: do_put_in_force(owner, row)) == "mapping_not_tested"

    def test_the_database_wants_two_people(self, owner: User) -> None:
        row, _ = do_propose_mapping(owner, self.STRICTER, "advice")
        with pytest.raises(IntegrityError), transaction.atomic():
            SchemeMapping.objects.filter(pk=row.pk).update(in_force_at=row.created_at)

    def test_a_version_is_used_once(self, owner: User) -> None:
        do_propose_mapping(owner, self.STRICTER, "advice")
        assert code_of(lambda: do_propose_mapping(owner, self.STRICTER, "advice")) == "mapping_version_there"

    def test_only_the_scheme_owner(self, make_user: Callable[..., User]) -> None:
        assert code_of(lambda: do_propose_mapping(make_user(Role.SUPERVISOR), self.STRICTER, "x")) == "not_permitted"


# ---- labels


def test_vigil_ships_no_label_of_others() -> None:
    assert labels_of(OWN_SCHEME, OWN_VERSION) == list(OWN)


@pytest.mark.parametrize(
    "table",
    [b"label_id,section,text\nq-1,categorisation,Zorblat\nq-2,demographic,\n",
     b'[{"label_id": "q-1", "section": "categorisation", "text": "Zorblat"}, {"label_id": "q-2", "section": "demographic"}]'],
)  # fmt: skip
def test_labels_are_imported_once_a_version(table: bytes, owner: User) -> None:
    assert do_import_labels(owner, "quimber", "1", table) == 2
    assert [label.label_id for label in labels_of("quimber", "1")] == ["q-1", "q-2"]
    assert code_of(lambda: do_import_labels(owner, "quimber", "1", table)) == "scheme_version_there"
    assert do_import_labels(owner, "quimber", "2", table) == 2 and SchemeLabel.objects.count() == 4


@pytest.mark.parametrize(
    "table",
    [b"", b"label_id,section\n", b"label_id,section\nx,zorblat\n", b"label_id,section\n,categorisation\n", b"\xff\xfe",
     b"label_id,section\nx,demographic\nx,demographic\n", b"label_id,section,zorblat\nx,demographic,1\n", b"[1]", b"[{]"],
)  # fmt: skip
def test_what_is_no_table_of_labels_is_refused(table: bytes) -> None:
    with pytest.raises(InputError):
        read_table(table)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading_of_labels_and_mappings(data: bytes) -> None:
    for reading in (read_table, read):
        try:
            reading(data)
        except InputError:
            continue
