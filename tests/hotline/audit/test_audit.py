"""The chain: every change leaves a row, and no row changes in silence."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import connection, transaction

from vigil.base.clock import FixedClock
from vigil.base.errors import RefusedError
from vigil.hotline.access.entity import AppendOnlyError
from vigil.hotline.access.people import OFFICE, OPERATOR
from vigil.hotline.audit import codes
from vigil.hotline.audit.actions import OutsideTransactionError, record
from vigil.hotline.audit.chain import GENESIS, hash_of
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import Anchor, anchor_now, verify

EVENTS = 6


@pytest.fixture
def chain(db: None) -> list[AuditEvent]:
    """Six events."""
    with transaction.atomic():
        for number in range(EVENTS):
            record(OPERATOR, codes.ROLE_GRANTED, f"user:{number}", role="analyst")
    return list(AuditEvent.objects.all())


def sql(statement: str, *values: object) -> None:
    """What somebody with the database's password could do."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def found(*anchors: Anchor) -> set[str]:
    report = verify(anchors)
    assert report.ok == (not report.flaws)
    return {flaw.code for flaw in report.flaws}


def test_untouched_chain_is_good(chain: list[AuditEvent]) -> None:
    report = verify([anchor_now(), Anchor(0, GENESIS)])
    assert (report.ok, report.events, report.head) == (True, EVENTS, chain[-1].hash)
    assert [event.seq for event in chain] == list(range(1, EVENTS + 1))
    assert chain[0].prev_hash == GENESIS


def test_empty_log_is_good(db: None) -> None:
    assert verify().ok
    assert anchor_now() == Anchor(0, GENESIS)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor", "user:eve"), ("roles", "analyst"), ("code", "role.revoked"), ("subject", "user:9"), ("purpose", "x"),
        ("details", '{"role":"auditor"}'), ("hash", "0" * 64), ("prev_hash", "0" * 64),
    ],
)  # fmt: skip
@pytest.mark.parametrize("seq", [1, 3, EVENTS])
def test_altered_row_is_found(chain: list[AuditEvent], column: str, value: str, seq: int) -> None:
    sql(f"UPDATE audit_auditevent SET {column} = %s WHERE seq = %s", value, seq)
    assert "altered" in found()


def test_moved_instant_is_found(chain: list[AuditEvent]) -> None:
    sql("UPDATE audit_auditevent SET at = %s WHERE seq = 2", chain[1].at + timedelta(microseconds=1))
    assert found() == {"altered"}


@pytest.mark.parametrize("seq", range(1, EVENTS + 1))
def test_deleted_row_is_found(chain: list[AuditEvent], seq: int) -> None:
    sql("DELETE FROM audit_auditevent WHERE seq = %s", seq)
    assert found() == ({"truncated"} if seq == EVENTS else {"gap", "broken_link"})


def test_exchanged_rows_are_found(chain: list[AuditEvent]) -> None:
    sql("UPDATE audit_auditevent SET seq = 99 WHERE seq = 2")
    sql("UPDATE audit_auditevent SET seq = 2 WHERE seq = 3")
    sql("UPDATE audit_auditevent SET seq = 3 WHERE seq = 99")
    assert {"altered", "broken_link"} <= found()


def test_recomputed_row_breaks_its_neighbour(chain: list[AuditEvent]) -> None:
    event = chain[2]
    event.actor = "user:eve"
    sql("UPDATE audit_auditevent SET actor = %s, hash = %s WHERE seq = 3", event.actor, hash_of(event))
    assert found() == {"broken_link"}


def test_appended_row_is_found(chain: list[AuditEvent]) -> None:
    added = AuditEvent(
        seq=EVENTS + 1, at=chain[-1].at, actor="user:eve", code="role.granted", subject="user:9", details="{}",
        prev_hash=chain[-1].hash,
    )  # fmt: skip
    added.hash = hash_of(added)
    added.save()
    assert found() == {"appended"}


@pytest.mark.parametrize("left", [0, 1, EVENTS - 1])
def test_truncated_tail_is_found_by_head(chain: list[AuditEvent], left: int) -> None:
    sql("DELETE FROM audit_auditevent WHERE seq > %s", left)
    assert found() == {"truncated"}


def test_truncated_tail_and_head_are_found_by_anchor(chain: list[AuditEvent]) -> None:
    anchor = anchor_now()
    sql("DELETE FROM audit_auditevent WHERE seq > 4")
    sql("UPDATE audit_audithead SET seq = 4, hash = %s", chain[3].hash)
    assert found() == set()
    assert found(anchor) == {"anchor_beyond_end"}


def test_rewritten_log_is_found_by_anchor(chain: list[AuditEvent]) -> None:
    anchor = anchor_now()
    previous = GENESIS
    for event in chain:
        event.actor, event.prev_hash = "user:eve", previous
        previous = hash_of(event)
        sql(
            "UPDATE audit_auditevent SET actor = %s, prev_hash = %s, hash = %s WHERE seq = %s",
            event.actor, event.prev_hash, previous, event.seq,
        )  # fmt: skip
    sql("UPDATE audit_audithead SET hash = %s", previous)
    assert found() == set()
    assert found(anchor) == {"anchor_differs"}


def test_removed_log_is_found_by_anchor(chain: list[AuditEvent]) -> None:
    anchor = anchor_now()
    sql("DELETE FROM audit_auditevent")
    sql("DELETE FROM audit_audithead")
    assert found(anchor) == {"anchor_beyond_end"}


def test_removed_head_is_found_and_stops_recording(chain: list[AuditEvent]) -> None:
    sql("DELETE FROM audit_audithead")
    assert found() == {"head_missing"}
    with pytest.raises(RefusedError), transaction.atomic():
        record(OPERATOR, codes.PERSON_ADDED, "user:7")


def test_many_flaws_are_cut_short(chain: list[AuditEvent]) -> None:
    with transaction.atomic():
        for number in range(40):
            record(OFFICE, codes.PERSON_ADDED, f"user:{number}")
    sql("UPDATE audit_auditevent SET actor = 'user:eve'")
    assert len(verify().flaws) < 25


@pytest.mark.django_db(transaction=True)
def test_row_needs_a_transaction() -> None:
    with pytest.raises(OutsideTransactionError):
        record(OPERATOR, codes.PERSON_ADDED, "user:1")


@pytest.mark.django_db(transaction=True)
def test_row_goes_with_the_change() -> None:
    with pytest.raises(InterruptedError), transaction.atomic():
        record(OPERATOR, codes.PERSON_ADDED, "user:1")
        raise InterruptedError
    with transaction.atomic():
        assert record(OPERATOR, codes.PERSON_ADDED, "user:1").seq == 1
    assert verify().ok


def test_rows_never_change(chain: list[AuditEvent]) -> None:
    for act in (chain[0].save, chain[0].delete, AuditEvent.objects.all().delete):
        with pytest.raises(AppendOnlyError):
            act()
    with pytest.raises(AppendOnlyError):
        AuditEvent.objects.update(actor="user:eve")


def test_details_are_declared_and_short(db: None) -> None:
    with pytest.raises(ValueError, match="not registered"):
        record(OPERATOR, codes.ROLE_GRANTED, "user:1", address="https://zorblat.example/")
    with pytest.raises(ValueError, match="longer"):
        record(OPERATOR, codes.ROLE_GRANTED, "user:1", role="x" * 201)
    assert not AuditEvent.objects.exists()


def test_every_process_knows_the_codes_of_every_room() -> None:
    """The auditor's page says what happened in words, also of codes that the console itself never writes."""
    program = (
        "import django; django.setup(); from vigil.hotline.audit.codes import REGISTRY;"
        "print(*sorted({code.split('.')[0] for code in REGISTRY}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"appeal", "counts", "edition", "entry", "person", "publication", "report"} <= set(done.stdout.split())


def test_a_code_has_one_meaning() -> None:
    assert codes.define("role.granted", "A role was given.", "role") is codes.ROLE_GRANTED
    with pytest.raises(ValueError, match="something else"):
        codes.define("role.granted", "Otherwise.")
    with pytest.raises(ValueError, match="malformed"):
        codes.define("Role Granted", "Otherwise.")


def test_instant_and_actor_are_kept(db: None, clock: FixedClock) -> None:
    with transaction.atomic():
        event = record(OFFICE, codes.PERSON_ADDED, "user:1")
    assert (event.at, event.actor, event.roles, event.details) == (clock.now(), "system:office", "", "{}")


def test_hash_of_a_fixed_line(clock: FixedClock) -> None:
    """A golden value: the format of the chain is a contract, auditors recompute it."""
    line = AuditEvent(
        seq=1, at=clock.now(), actor="user:anna", roles="analyst", code="role.granted", subject="user:1", purpose="",
        details='{"role":"analyst"}', prev_hash=GENESIS,
    )  # fmt: skip
    text = (
        '["vigil-audit-1",1,"2026-11-22T12:00:00.000000Z","user:anna","analyst","role.granted","user:1","",'
        '"{\\"role\\":\\"analyst\\"}","' + GENESIS + '"]'
    )
    assert hash_of(line) == hashlib.sha256(text.encode()).hexdigest()
