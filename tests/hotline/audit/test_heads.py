"""Signed tree heads: a log rewritten as a whole is found by whoever kept a head, with a file of their own to check it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.db import connection, transaction
from tests.hotline.conftest import DoorClient

from vigil.base.errors import InputError, RefusedError, UnavailableError
from vigil.hotline.access.people import OFFICE, OPERATOR, PUBLIC
from vigil.hotline.audit import codes, headkeys, heads, standalone
from vigil.hotline.audit.actions import record
from vigil.hotline.audit.chain import GENESIS, hash_of
from vigil.hotline.audit.headkeys import HeadKey
from vigil.hotline.audit.merkle import consistency_holds, inclusion_holds
from vigil.hotline.audit.models import AuditEvent, AuditHead, AuditTreeHead
from vigil.hotline.audit.notes import opened, public_key_of
from vigil.hotline.audit.verify import verify

NAME = "hotline.example/audit"
STANDALONE = Path(standalone.__file__)


@pytest.fixture
def key(tmp_path: Path) -> HeadKey:
    headkeys.create_key(tmp_path / "audit.key", NAME)
    return headkeys.load_key(tmp_path / "audit.key")


def happen(count: int) -> None:
    with transaction.atomic():
        for number in range(count):
            record(OPERATOR, codes.ROLE_GRANTED, f"user:{number}", role="analyst")


def rewrite_whole_log() -> None:
    """What somebody with the database and our code could do: change the first event and chain everything anew."""
    before = GENESIS
    for event in AuditEvent.objects.order_by("seq"):
        event.subject = "user:nobody" if event.seq == 1 else event.subject
        event.prev_hash = before
        before = hash_of(event)
        with connection.cursor() as cursor:
            values = (event.subject, event.prev_hash, before, event.seq)
            cursor.execute("UPDATE audit_auditevent SET subject = %s, prev_hash = %s, hash = %s WHERE seq = %s", values)
    AuditHead.objects.update(hash=before)


def test_a_head_commits_to_the_log_as_it_is(db: None, key: HeadKey) -> None:
    happen(5)
    head = heads.do_sign_head(OFFICE, key)
    told = opened(head.note, key.public)
    assert (told.origin, told.size) == (NAME, 5)
    assert AuditEvent.objects.get(seq=6).code == codes.HEAD_SIGNED.code
    assert verify().ok


def test_who_may_not_sign_does_not(db: None, key: HeadKey) -> None:
    with pytest.raises(RefusedError):
        heads.do_sign_head(PUBLIC, key)
    assert not AuditTreeHead.objects.exists()


def test_a_log_rewritten_as_a_whole_differs_from_its_heads(db: None, key: HeadKey) -> None:
    happen(5)
    heads.do_sign_head(OFFICE, key)
    rewrite_whole_log()
    assert {flaw.code for flaw in verify().flaws} == {"tree_head_differs"}


@pytest.mark.parametrize("column", ["root", "note", "key"])
def test_an_altered_head_is_found(db: None, key: HeadKey, column: str) -> None:
    happen(3)
    head = heads.do_sign_head(OFFICE, key)
    altered = getattr(head, column).replace("a", "b").replace("1", "2")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_audittreehead SET {column} = %s", (altered,))
    assert {flaw.code for flaw in verify().flaws} == {"tree_head_differs"}


def test_a_log_that_ends_before_a_head_is_found(db: None, key: HeadKey) -> None:
    happen(3)
    heads.do_sign_head(OFFICE, key)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit_auditevent WHERE seq > 2")
    AuditHead.objects.update(seq=2, hash=AuditEvent.objects.get(seq=2).hash)
    assert {flaw.code for flaw in verify().flaws} == {"tree_head_beyond_end"}


def test_proofs_hold_against_heads(db: None, key: HeadKey) -> None:
    happen(4)
    older = heads.do_sign_head(OFFICE, key)
    happen(3)
    newer = heads.do_sign_head(OFFICE, key)
    told = heads.proof_of_inclusion(2, newer.size)
    proof = [bytes.fromhex(step) for step in told["proof"]]
    assert inclusion_holds(bytes.fromhex(told["hash"]), 1, newer.size, proof, bytes.fromhex(newer.root))
    proof = [bytes.fromhex(step) for step in heads.proof_of_consistency(older.size, newer.size)["proof"]]
    assert consistency_holds(older.size, bytes.fromhex(older.root), newer.size, bytes.fromhex(newer.root), proof)
    for wrong in (lambda: heads.proof_of_inclusion(9, 8), lambda: heads.proof_of_consistency(1, 99)):
        with pytest.raises(InputError):
            wrong()


# ---- the auditor's side: one file, no Vigil


def check(*arguments: object) -> tuple[int, str]:
    """The stand-alone verifier as an auditor runs it: isolated, from a folder without Vigil."""
    command = [sys.executable, "-I", str(STANDALONE), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=STANDALONE.anchor)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def exported(to: Path) -> Path:
    heads.do_export(OPERATOR, to)
    return to


def test_the_verifier_uses_nothing_of_vigil() -> None:
    assert "vigil." not in "".join(line for line in STANDALONE.read_text().splitlines() if "import" in line)


def test_an_auditor_checks_an_export_with_one_file(db: None, key: HeadKey, tmp_path: Path) -> None:
    happen(5)
    kept = tmp_path / "kept.head"
    kept.write_text(heads.do_sign_head(OFFICE, key).note)
    happen(5)
    heads.do_sign_head(OFFICE, key)
    export = exported(tmp_path / "log.jsonl")
    assert check(export, "--key", key.public.text(), "--head", kept) == (0, "12 events, 3 heads, nothing altered\n")
    assert export.stat().st_mode & 0o077 == 0
    stranger = headkeys.create_key(tmp_path / "other.key", NAME).text()
    status, said = check(export, "--key", stranger)
    assert status == 1 and "is not signed with the key" in said


def test_an_auditor_finds_a_log_rewritten_as_a_whole(db: None, key: HeadKey, tmp_path: Path) -> None:
    happen(5)
    kept = tmp_path / "kept.head"
    kept.write_text(heads.do_sign_head(OFFICE, key).note)
    rewrite_whole_log()
    AuditTreeHead.objects.all()._raw_delete("default")
    export = exported(tmp_path / "log.jsonl")
    assert check(export)[0] == 0
    status, said = check(export, "--key", key.public.text(), "--head", kept)
    assert status == 1 and "kept head of 5 events" in said


@pytest.mark.parametrize("field", ["at", "actor", "roles", "code", "subject", "purpose", "details", "prev_hash", "hash", "seq"])
def test_an_auditor_finds_any_changed_field(db: None, key: HeadKey, tmp_path: Path, field: str) -> None:
    happen(3)
    rows = [json.loads(line) for line in exported(tmp_path / "log.jsonl").read_text().splitlines()]
    changed = {"at": "2020-01-01T00:00:00.000000Z", "seq": 7, "hash": "00" * 32}
    rows[2][field] = changed.get(field, "something else")
    assert standalone.check([json.dumps(row) for row in rows], "", [])[2]


def test_an_auditor_finds_a_line_taken_out_put_twice_or_moved(db: None, tmp_path: Path) -> None:
    """Each is told as what it is: a gap, and a line that does not follow from the one before."""
    happen(4)
    lines = exported(tmp_path / "log.jsonl").read_text().splitlines()
    for changed in ([*lines[:2], *lines[3:]], [*lines[:3], *lines[2:]], [lines[0], lines[2], lines[1], *lines[3:]]):
        flaws = " ".join(standalone.check(changed, "", [])[2])
        assert "is missing" in flaws and "does not follow from the one before" in flaws
        assert "is not what was recorded" not in flaws
    assert standalone.check(lines, "", []) == (4, 0, [])


def test_a_signature_of_another_kind_of_key_is_none(db: None, key: HeadKey) -> None:
    """The mark before a signature names key and algorithm: a note that bears another mark is not signed."""
    happen(2)
    note, public = heads.do_sign_head(OFFICE, key).note, key.public.text()
    assert standalone.signature_holds(note, public)
    body, _, line = note.rstrip("\n").rpartition(" ")
    signed = bytearray(base64.b64decode(line))
    signed[0] ^= 1
    assert not standalone.signature_holds(f"{body} {base64.b64encode(bytes(signed)).decode()}\n", public)
    name, mark, encoded = public.split("+", 2)
    other = b"\x02" + base64.b64decode(encoded)[1:]
    assert not standalone.signature_holds(note, f"{name}+{mark}+{base64.b64encode(other).decode()}")


FIRST = f'{{"format":"{heads.EXPORT_FORMAT}"}}\n'
NO_EXPORTS = ["", "{}", "[]", "no json\n", '{"format":1}\n', f'{FIRST}{{"seq":1}}\n', f'{FIRST}{{"head":1,"note":"x"}}\n']


@pytest.mark.parametrize("content", NO_EXPORTS)
def test_a_file_that_is_no_export_is_said_to_be_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "x").write_text(content)
    assert check(tmp_path / "x")[0] == 2, "an empty file proves nothing, and is not called unaltered"
    assert check(tmp_path / "missing")[0] == 2


# ---- keys, the office, the door


def test_keys_are_private_and_never_replaced(tmp_path: Path) -> None:
    made = headkeys.create_key(tmp_path / "k", NAME)
    assert (tmp_path / "k").stat().st_mode & 0o077 == 0
    assert public_key_of((tmp_path / "k.pub").read_text()) == made
    with pytest.raises(RefusedError):
        headkeys.create_key(tmp_path / "k", NAME)
    (tmp_path / "broken").write_text("# x\nnothing")
    for name in ("broken", "missing"):
        with pytest.raises(UnavailableError):
            headkeys.load_key(tmp_path / name)


def test_the_office_signs_only_when_something_happened(transactional_db: None, key: HeadKey) -> None:
    happen(2)
    stop = threading.Event()
    stop.wait = lambda timeout=None: stop.set() or True  # type: ignore[method-assign]
    heads.serve(OFFICE, key, stop)
    stop.clear()
    heads.serve(OFFICE, key, stop)
    assert AuditTreeHead.objects.count() == 1


def test_anybody_may_keep_the_newest_head(public_client: DoorClient, key: HeadKey) -> None:
    assert public_client.get("/audit-head").status_code == 404
    happen(2)
    note = heads.do_sign_head(OFFICE, key).note
    answer = public_client.get("/audit-head")
    assert answer.content.decode() == note
    assert answer["Content-Type"].startswith("text/plain")


def test_key_and_verifier_come_from_the_command_line_without_an_installation(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "vigil.cli", "hotline", "audit"]
    key = [*command, "key", str(tmp_path / "k"), "--name", NAME]
    made = subprocess.run(key, capture_output=True, text=True, env=environment, check=True)
    assert public_key_of(made.stdout).name == NAME
    printed = subprocess.run([*command, "verifier"], capture_output=True, text=True, env=environment, check=True)
    assert printed.stdout == STANDALONE.read_text()
