"""Exchanges: sources that fill a bank of their own, and what they sign in with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.audit.actions import record
from vigil.hotline.banks import codes
from vigil.hotline.banks.actions import BankExists, do_create_bank, do_delete_bank
from vigil.hotline.banks.models import Exchange, ExchangeCredentials
from vigil.hotline.banks.queries import NoSuchBank

NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,254}", re.ASCII)
LARGEST: Final = 2**63  # numbers of members and groups are far smaller
SECRET: Final = Limit(2000, "characters", "a password or key")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a kind's settings or credentials; ``type`` is string, number, boolean, enum, or ``set_of_`` one of them."""

    name: str
    type: str
    required: bool = True
    default: Any = None
    help: str = ""
    choices: tuple[str, ...] | None = None

    def as_dict(self) -> dict[str, Any]:
        """As the schema route shows it."""
        return {
            "name": self.name, "type": self.type, "required": self.required, "default": self.default, "help": self.help,
            "choices": list(self.choices) if self.choices else None,
        }  # fmt: skip

    def takes(self, value: Any) -> bool:
        """Whether ``value`` is of the type."""
        if self.type.startswith("set_of_"):
            inner = Field(self.name, self.type.removeprefix("set_of_"))
            return isinstance(value, list) and all(map(inner.takes, value))
        if self.type == "number":
            return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
        if self.type == "boolean":
            return isinstance(value, bool)
        fits = isinstance(value, str) and 0 < len(value) <= SECRET.value and value.isprintable()
        return fits and (self.choices is None or value in self.choices)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of exchange. ``credentials`` None: it needs none. Where it fetches from, the operator says; nothing is built in."""

    name: str
    settings: tuple[Field, ...]
    credentials: tuple[Field, ...] | None


ADDRESS: Final = Field("base_url", "string", help="Where the service answers, as its operator named it.")
KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "ncmec",
            (ADDRESS, Field("only_esp_ids", "set_of_number", required=False, default=[], help="Only entries of these members.")),
            (Field("user", "string"), Field("password", "string")),
        ),
        Kind(
            "stop_ncii",
            (ADDRESS,),
            (Field("fetch_function_key", "string"), Field("subscription_key", "string")),
        ),
        Kind(
            "fb_threatexchange",
            (ADDRESS, Field("privacy_group", "number", help="The number of the privacy group.")),
            (Field("api_token", "string"),),
        ),
    )
}


class ExchangeExists(RefusedError):  # noqa: N818  named as the other refusals are
    """The exchange or its bank is there already."""

    http_status = 409


def kind_named(name: object) -> Kind:
    """The kind of that name. Raises InputError ``exchange_kind_unknown``."""
    found = KINDS.get(name) if isinstance(name, str) else None
    if found is None:
        raise InputError("exchange_kind_unknown", "There is no such kind of exchange.", where="api", mend=", ".join(KINDS))
    return found


def exchange_named(name: str) -> Exchange:
    """The exchange whose bank has that name. Raises NoSuchBank."""
    found = Exchange.objects.select_related("bank__list").filter(bank__name=name, bank__deleted_at=None).first()
    if found is None:
        raise NoSuchBank("no_such_exchange", "There is no exchange of that name.")
    return found


def has_credentials(kind: Kind) -> bool:
    """Whether somebody gave credentials for a kind."""
    return ExchangeCredentials.objects.filter(pk=kind.name).exists()


def credentials_of(api: str) -> dict[str, str] | None:
    """What a kind of exchange signs in with, opened; None where nobody gave it."""
    found = ExchangeCredentials.objects.filter(pk=api).first()
    return None if found is None else json.loads(found.content.open())


def do_create_exchange(person: Person, name: object, api: object, settings: object) -> Exchange:
    """Set up an exchange and the bank it fills. Raises ExchangeExists."""
    must(person, Permission.BANK_CURATE)
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise InputError("bank_name", "An exchange has a name of A-Z, 0-9 and _ that begins with no digit.", where="bank")
    kind = kind_named(api)
    given = dict(settings) if isinstance(settings, dict) else None
    if given is None:
        raise InputError("exchange_settings", "api_json is an object.", where="api_json")
    enabled = given.pop("enabled", True)
    if not isinstance(enabled, bool):
        raise InputError("exchange_settings", "enabled is true or false.", where="api_json.enabled")
    kept = _fields(kind.settings, given, "api_json")
    try:
        with transaction.atomic():
            bank = do_create_bank(person, name)
            made = Exchange.objects.create(
                bank=bank, api=kind.name, settings=kept, enabled=enabled, created_by=person.label
            )
            record(person, codes.EXCHANGE_CREATED, made, list=bank.list.name, api=kind.name)
    except BankExists as error:
        raise ExchangeExists("exchange_exists", "There is an exchange or a bank of that name already.") from error
    return made


def do_switch_exchange(person: Person, name: str, enabled: bool | None) -> Exchange:
    """Let an exchange fetch, or not; None changes nothing."""
    must(person, Permission.BANK_CURATE)
    with transaction.atomic():
        exchange = exchange_named(name)
        if enabled is not None and enabled != exchange.enabled:
            exchange.enabled = enabled
            exchange.save(update_fields=["enabled"])
            record(person, codes.EXCHANGE_CHANGED, exchange, list=exchange.bank.list.name, enabled=enabled)
    return exchange


def do_delete_exchange(person: Person, name: str) -> bool:
    """Delete an exchange with its bank and all that holds; False where there is none."""
    must(person, Permission.BANK_CURATE)
    with transaction.atomic():
        found = Exchange.objects.select_related("bank__list").filter(bank__name=name, bank__deleted_at=None).first()
        if found is None:
            return False
        record(person, codes.EXCHANGE_DELETED, found, list=found.bank.list.name)
        return do_delete_bank(person, name)


def do_set_credentials(person: Person, kind: Kind, given: object) -> None:
    """Keep what a kind of exchange signs in with, sealed; an empty object clears it."""
    must(person, Permission.BANK_CURATE)
    if kind.credentials is None or not isinstance(given, dict):
        raise InputError("credentials", "This kind takes an object of credentials.", where="credential_json")
    kept = _fields(kind.credentials, given, "credential_json") if given else None
    with transaction.atomic():
        if kept is None:
            ExchangeCredentials.objects.filter(pk=kind.name).delete()
        else:
            ExchangeCredentials.objects.update_or_create(
                api=kind.name, defaults={"content": json.dumps(kept), "set_by": person.label, "set_at": now()}
            )
        record(person, codes.CREDENTIALS_SET, f"exchange_api:{kind.name}", api=kind.name, cleared=kept is None)


def _fields(fields: tuple[Field, ...], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The known fields; unknown keys are passed over, as clients of such services expect."""
    kept = {}
    for each in fields:
        value = given.get(each.name, each.default)
        if value is None and not each.required:
            continue
        if not each.takes(value):
            raise InputError("exchange_field", "A field is missing or of another type.", where=f"{where}.{each.name}")
        kept[each.name] = value
    return kept
