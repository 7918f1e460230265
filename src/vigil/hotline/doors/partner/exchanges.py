"""Exchanges over HTTP, as clients of Hasher-Matcher-Actioner know it, its spellings included."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse

from vigil.base.errors import InputError
from vigil.hotline.banks import exchanges
from vigil.hotline.banks.exchanging import status_of
from vigil.hotline.banks.models import Exchange
from vigil.hotline.doors.partner.answers import Answered, curation, model_of, object_of, person_at, said, truth_in


def shown(exchange: Exchange) -> dict[str, Any]:
    """An exchange as its route shows it."""
    own = {"name": exchange.bank.name, "api": exchange.api, "enabled": exchange.enabled}
    return {**exchange.settings, **own}


def _kinds(request: HttpRequest) -> HttpResponse:
    return said(sorted(exchanges.KINDS))


def _support(kind: exchanges.Kind) -> dict[str, bool]:
    """The two keys are spelt as their readers spell them."""
    return {
        "supports_authentification": kind.credentials is not None,
        "has_set_authentification": exchanges.has_credentials(kind),
    }


def _show_kind(request: HttpRequest, api: str) -> HttpResponse:
    return said(_support(exchanges.kind_named(api)))


def _set_credentials(request: HttpRequest, api: str) -> HttpResponse:
    document = object_of(request)
    kind = exchanges.kind_named(api)
    if "credential_json" in document:
        exchanges.do_set_credentials(person_at(request), kind, document["credential_json"])
    return said(_support(kind))


def _schema(request: HttpRequest, api: str) -> HttpResponse:
    kind = exchanges.KINDS.get(api)
    if kind is None:
        raise Answered(404, "exchange_kind_unknown", "There is no such kind of exchange.")
    credentials = None if kind.credentials is None else {"fields": [each.as_dict() for each in kind.credentials]}
    return said({"config_schema": {"fields": [each.as_dict() for each in kind.settings]}, "credentials_schema": credentials})


def _list(request: HttpRequest) -> HttpResponse:
    there = Exchange.objects.filter(bank__deleted_at=None).select_related("bank").order_by("bank__number")
    return said([each.bank.name for each in there])


def _create(request: HttpRequest) -> HttpResponse:
    document = object_of(request)
    if "bank" not in document or "api" not in document:
        raise InputError("exchange_fields", "An exchange has a bank and an api.", where="bank, api")
    exchanges.do_create_exchange(person_at(request), document["bank"], document["api"], document.get("api_json", {}))
    return said({"message": "Created successfully"}, 201)


def _show(request: HttpRequest, name: str) -> HttpResponse:
    body = json.dumps(shown(exchanges.exchange_named(name)), indent=2, sort_keys=True, allow_nan=False) + "\n"
    return HttpResponse(body, content_type="application/json")


def _status(request: HttpRequest, name: str) -> HttpResponse:
    return said(status_of(exchanges.exchange_named(name)))


def _switch(request: HttpRequest, name: str) -> HttpResponse:
    return said(shown(exchanges.do_switch_exchange(person_at(request), name, truth_in(model_of(request), "enabled"))))


def _delete(request: HttpRequest, name: str) -> HttpResponse:
    exchanges.do_delete_exchange(person_at(request), name)
    return said({"message": "Exchange deleted"})


kinds = curation(GET=_kinds)
one_kind = curation(GET=_show_kind, POST=_set_credentials)
schema = curation(GET=_schema)
all_exchanges = curation(GET=_list, POST=_create)
one_exchange = curation(GET=_show, PUT=_switch, DELETE=_delete)
status = curation(GET=_status)
