"""Curation: banks and what they hold. Each change takes the next turn, so that nodes learn of it in order."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.editions.model import ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.banks import codes
from vigil.hotline.banks.models import Bank, BankContent, BankSignal, ExchangeContent, Turn, TypeRatio
from vigil.hotline.banks.policy import policy_in_force
from vigil.hotline.banks.queries import bank_named, banks, content_in
from vigil.hotline.lists.models import List
from vigil.match.signal_types import signal_type_named

NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,254}", re.ASCII)
NOTE: Final = Limit(255, "characters", "a note is a line, not a file")
METADATA: Final = Limit(64 * 1024, "characters", "what a caller remembers of an entry, not the entry's content")
EXPIRED_AT_ONCE: Final = 1000
FURTHEST_SECONDS: Final = 5 * 366 * 86400
METADATA_KEYS: Final = {"content_id": str, "content_uri": str, "json": dict, "collab": object}


class BankExists(RefusedError):  # noqa: N818  named as the other refusals are
    """The name is taken. HTTP 403, which clients of such services expect here."""


def next_turn() -> int:
    """The number of this change; holds the row until the transaction ends, so that numbers appear in order."""
    Turn.objects.get_or_create(pk=Turn.ONLY)
    turn = Turn.objects.select_for_update().get(pk=Turn.ONLY)
    turn.number += 1
    turn.save(update_fields=["number"])
    return turn.number


def require_name(name: object) -> str:
    """A name as such services have them."""
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise InputError("bank_name", "A bank has a name of A-Z, 0-9 and _, at most 255, that begins with no digit.")
    return name


def require_ratio(ratio: object) -> float:
    """A share between 0 and 1."""
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not math.isfinite(ratio) or not 0 <= ratio <= 1:
        raise InputError("ratio_range", "The ratio is a number from 0 to 1.", where="enabled_ratio")
    return float(ratio)


def require_note(note: object) -> str | None:
    """A note; empty and null clear it."""
    if note is None or note == "":
        return None
    if not isinstance(note, str) or len(note) > NOTE.value:
        raise InputError("note", f"A note is a text of at most {NOTE.value} characters.", where="note")
    return note


def require_metadata(metadata: object) -> str | None:
    """Metadata as JSON text; ``collab`` belongs to exchanges and is dropped."""
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or any(
        key not in METADATA_KEYS or (value is not None and not isinstance(value, METADATA_KEYS[key]))
        for key, value in metadata.items()
    ):
        raise InputError("metadata", "Metadata has content_id, content_uri and json, and nothing else.", where="metadata")
    text = json.dumps({key: value for key, value in metadata.items() if key != "collab"}, allow_nan=False)
    if len(text) > METADATA.value:
        raise InputError("metadata", f"Metadata has at most {METADATA.value} characters.", where="metadata")
    return text


def require_until(value: object) -> int:
    """0 off, 1 on, or the second until which it is off; numbers may be text, fractions are cut."""
    try:
        if value is None or isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        number = int(float(value)) if not isinstance(value, int) else value
    except (ValueError, OverflowError):
        raise InputError("until", "disable_until_ts is a number of seconds.", where="disable_until_ts") from None
    if not 0 <= number <= now().timestamp() + FURTHEST_SECONDS:
        raise InputError("until", "disable_until_ts is 0, 1, or a second within five years.", where="disable_until_ts")
    return number


# ---- banks


def do_create_bank(person: Person, name: object, ratio: object = 1.0) -> Bank:
    """Set up a bank under the policy in force. Raises BankExists, and RefusedError where there is no policy."""
    must(person, Permission.BANK_CURATE)
    named, share = require_name(name), require_ratio(ratio)
    with transaction.atomic():
        policy = policy_in_force()
        turn = next_turn()
        _require_free(named)
        place = List.objects.create(
            name=f"bank-{turn}", kind=ListKind.BANK.value, max_distance=policy.max_distance, policy_version=str(policy.pk),
            position=List.objects.count(), created_by=person.label,
        )  # fmt: skip
        bank = Bank.objects.create(list=place, name=named, ratio=share, policy=policy, created_by=person.label)
        record(person, codes.BANK_CREATED, bank, list=place.name, ratio_percent=round(100 * share))
    return bank


def do_change_bank(person: Person, name: str, *, new_name: object = None, ratio: object = None) -> Bank:
    """Rename a bank, which keeps what it holds, or change its share of queries. None leaves a thing as it is."""
    must(person, Permission.BANK_CURATE)
    with transaction.atomic():
        next_turn()
        bank = bank_named(name)
        if new_name is not None and new_name != name:
            bank.name = require_name(new_name)
            _require_free(bank.name)
        bank.ratio = bank.ratio if ratio is None else require_ratio(ratio)
        bank.save(update_fields=["name", "ratio"])
        if new_name is not None or ratio is not None:
            record(
                person, codes.BANK_CHANGED, bank, list=bank.list.name, renamed=bank.name != name,
                ratio_percent=round(100 * bank.ratio),
            )  # fmt: skip
    return bank


def do_delete_bank(person: Person, name: str) -> bool:
    """Delete a bank with all it holds; False where there is none. Nothing but its number and dates stays."""
    must(person, Permission.BANK_CURATE)
    with transaction.atomic():
        next_turn()
        bank = banks().select_related("list").filter(name=name).first()
        if bank is None:
            return False
        if hasattr(bank, "exchange"):
            bank.exchange.delete()
        BankSignal.objects.filter(content__bank=bank).delete()
        count = BankContent.objects.filter(bank=bank, gone=False).count()
        BankContent.objects.filter(bank=bank).delete()
        bank.name, bank.deleted_at = "DELETED", now()
        bank.save(update_fields=["name", "deleted_at"])
        record(person, codes.BANK_DELETED, bank, list=bank.list.name, contents=count)
    return True


def _require_free(name: str) -> None:
    if banks().filter(name=name).exists():
        raise BankExists("bank_exists", "There is a bank of that name already.")


# ---- what they hold


def do_add_content(
    person: Person, bank_name: str, signals: Mapping[str, object], *, note: object = None, metadata: object = None
) -> tuple[BankContent, dict[str, str]]:
    """Bank one value for each signal type, as one content; gives the normal writing of the values too."""
    must(person, Permission.BANK_CURATE)
    values = normal(signals)
    line, facts = require_note(note), require_metadata(metadata)
    with transaction.atomic():
        turn = next_turn()
        bank = bank_named(bank_name)
        content = BankContent.objects.create(bank=bank, note=line, metadata=facts, changed=turn, added_by=person.label)
        BankSignal.objects.bulk_create(BankSignal(content=content, type=name, value=value) for name, value in values.items())
        record(person, codes.CONTENT_ADDED, name_of(content), list=bank.list.name, signals=len(values))
    return content, values


def normal(signals: Mapping[str, object]) -> dict[str, str]:
    """The values in their normal writing. Raises InputError for unknown types, unusable values, and none at all."""
    if not signals:
        raise InputError("signals_missing", "There is no signal to bank.")
    found = {}
    for name, value in signals.items():
        kind = signal_type_named(name)
        if not isinstance(value, str):
            raise InputError("signal_value", "A signal is a text.", where=name)
        found[name] = kind.text(kind.parse(value))
    return found


def do_change_content(person: Person, bank_name: str, number: int, changes: Mapping[str, object]) -> BankContent:
    """Switch a content off or on (``disable_until_ts``), or annotate it (``note``)."""
    must(person, Permission.BANK_CURATE)
    with transaction.atomic():
        turn = next_turn()
        bank = bank_named(bank_name)
        content = content_in(bank, number)
        if "disable_until_ts" in changes:
            content.until = require_until(changes["disable_until_ts"])
        if "note" in changes:
            content.note = require_note(changes["note"])
        content.changed = turn
        content.save(update_fields=["until", "note", "changed"])
        record(
            person, codes.CONTENT_CHANGED, name_of(content), list=bank.list.name, until=content.until, note="note" in changes
        )
    return content


def do_delete_content(person: Person, bank_name: str, number: int) -> bool:
    """Delete a content of this bank; False where there is none. Its values are erased at once."""
    must(person, Permission.BANK_CURATE)
    with transaction.atomic():
        turn = next_turn()
        bank = bank_named(bank_name)
        content = BankContent.objects.filter(pk=number, bank=bank, gone=False).first() if 0 < number < 2**63 else None
        if content is None:
            return False
        erase(content, turn)
        record(person, codes.CONTENT_DELETED, name_of(content), list=bank.list.name)
    return True


def erase(content: BankContent, turn: int) -> None:
    """Take out everything but the number; inside the caller's transaction."""
    content.signals.all().delete()
    content.note = content.metadata = None
    content.gone, content.changed = True, turn
    content.save(update_fields=["note", "metadata", "gone", "changed"])


def do_expire_contents(person: Person, most: int = EXPIRED_AT_ONCE) -> int:
    """Erase what is past the retention of its bank's policy, ``most`` at once; gives how many.

    What an exchange brought is governed by its source, as long as that says so: it is erased only where nobody has fetched the
    source with success within the retention either, and comes again should the source still have it then (decision 0251).
    """
    must(person, Permission.BANK_EXPIRE)
    erased = 0
    with transaction.atomic():
        turn = next_turn()
        for bank in banks().select_related("policy"):
            before = now() - timedelta(days=bank.policy.retention_days)
            old = BankContent.objects.filter(bank=bank, gone=False, added_at__lt=before)
            for content in old.exclude(pk__in=_vouched_for(bank, before))[: most - erased]:
                erase(content, turn)
                ExchangeContent.objects.filter(content=content).delete()
                erased += 1
        if erased:
            record(person, codes.CONTENT_EXPIRED, "bank:all", contents=erased)
    return erased


def _vouched_for(bank: Bank, since: datetime) -> QuerySet[ExchangeContent, int | None]:
    """Contents of ``bank`` that a source has in force which was fetched with success since then."""
    found = ExchangeContent.objects.filter(content__bank=bank, imported__gone=False, imported__source__succeeded_at__gte=since)
    return found.values_list("content_id", flat=True)


def do_switch_type(person: Person, name: str, ratio: object) -> TypeRatio:
    """The share of all queries in which a signal type takes part; 0 switches it off."""
    must(person, Permission.BANK_CURATE)
    share = require_ratio(ratio)
    with transaction.atomic():
        next_turn()
        row, _ = TypeRatio.objects.update_or_create(name=signal_type_named(name).name, defaults={"ratio": share})
        record(person, codes.TYPE_SWITCHED, f"signal_type:{name}", name=name, ratio_percent=round(100 * share))
    return row


def name_of(content: BankContent) -> str:
    """How the audit log names a content."""
    return f"bank_content:{content.pk}"


def metadata_of(content: BankContent) -> dict[str, Any] | None:
    """The metadata as such services show it: all keys, null where unset."""
    if content.metadata is None:
        return None
    kept: dict[str, Any] = json.loads(content.metadata.open())
    return {"collab": None, "content_id": None, "content_uri": None, "json": None} | kept
