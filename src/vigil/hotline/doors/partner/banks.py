"""Banks over HTTP, as clients of Hasher-Matcher-Actioner know it (docs/guides/hma.md); and the feed for a platform's nodes."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from vigil.base.errors import InputError
from vigil.base.multipart import is_multipart, parts_of
from vigil.hotline.access.permissions import Permission
from vigil.hotline.banks import actions
from vigil.hotline.banks.feed import START, indexed, page_after
from vigil.hotline.banks.models import Bank, BankContent
from vigil.hotline.banks.queries import bank_named, banks, content_in, ratio_of_type
from vigil.hotline.doors.partner.answers import (
    Answered,
    body_of,
    curation,
    json_of,
    model_of,
    number_in,
    object_of,
    parsed,
    person_at,
    said,
    truth_in,
)
from vigil.match.signal_types import CONTENT_TYPES, SIGNAL_TYPES, signal_type_named, types_for
from vigil.media import default_decoder
from vigil.media.fetching import Rules, fetch
from vigil.media.signal_hashes import hash_signals

FORM_BYTES: Final = 64 * 1024


# ---- banks


def shown(bank: Bank) -> dict[str, Any]:
    """A bank as the routes show it."""
    return {"name": bank.name, "matching_enabled_ratio": bank.ratio}


def _list_banks(request: HttpRequest) -> HttpResponse:
    return said([shown(bank) for bank in banks()])


def _create_bank(request: HttpRequest) -> HttpResponse:
    document = model_of(request)
    if not isinstance(document.get("name"), str):
        raise Answered(422, "body_shape", "A bank has a name.", where="name")
    ratio = _ratio(document)
    bank = actions.do_create_bank(person_at(request), document["name"], 1.0 if ratio is None else ratio)
    return said(shown(bank), 201)


def _ratio(document: dict[str, Any]) -> float | None:
    """``enabled_ratio`` if given, else 0 or 1 by ``enabled``."""
    ratio, enabled = number_in(document, "enabled_ratio"), truth_in(document, "enabled")
    return ratio if ratio is not None or enabled is None else float(enabled)


def _show_bank(request: HttpRequest, bank: str) -> HttpResponse:
    return said(shown(bank_named(bank)))


def _change_bank(request: HttpRequest, bank: str) -> HttpResponse:
    document = model_of(request)
    name = document.get("name")
    if name is not None and not isinstance(name, str):
        raise Answered(422, "body_shape", "A name is a text.", where="name")
    return said(shown(actions.do_change_bank(person_at(request), bank, new_name=name, ratio=_ratio(document))))


def _delete_bank(request: HttpRequest, bank: str) -> HttpResponse:
    actions.do_delete_bank(person_at(request), bank)
    return said({"message": "Done"})


# ---- contents


def _add_signals(request: HttpRequest, bank: str) -> HttpResponse:
    document = object_of(request)
    bank_named(bank)
    note = document.pop("note", None)
    content, values = actions.do_add_content(person_at(request), bank, document, note=note)
    return said({"id": content.pk, "signals": values})


def _add_media(request: HttpRequest, bank: str) -> HttpResponse:
    bank_named(bank)
    kind, data, more = _uploaded(request) if is_multipart(request.headers.get("Content-Type")) else _fetched(request)
    metadata = more.get("metadata")
    actions.require_note(more.get("note"))
    actions.require_metadata(metadata)
    found = hash_signals(default_decoder(), kind, data, types_for(kind, request.GET.get("types")))
    if not found.values:
        raise InputError("low_quality", "The picture says too little to be banked.")
    content, values = actions.do_add_content(person_at(request), bank, found.values, note=more.get("note"), metadata=metadata)
    return said({"id": content.pk, "signals": values})


def _uploaded(request: HttpRequest) -> tuple[str, bytes, dict[str, Any]]:
    """Content type, file, and the other fields of a form; ``metadata`` is JSON text there."""
    body = body_of(request, _rules().most_bytes + FORM_BYTES)
    parts = parts_of(request.headers.get("Content-Type", ""), body)
    files = [part for part in parts if part.is_file]
    if len(files) != 1:
        raise InputError("media_missing", "Exactly one file is banked at a time.")
    if files[0].name not in CONTENT_TYPES:
        raise InputError("content_type_unknown", "The field of the file is its content type: photo or video.")
    fields = {part.name: part.data.decode("utf-8", "replace") for part in parts if not part.is_file}
    return files[0].name, files[0].data, {
        "note": fields.get("note"),
        "metadata": parsed(fields["metadata"].encode()) if fields.get("metadata") else None,
    }


def _fetched(request: HttpRequest) -> tuple[str, bytes, dict[str, Any]]:
    """The same for a file that is fetched from ``url``; note and metadata come in a JSON body."""
    address, kind = request.GET.get("url"), request.GET.get("content_type")
    if not address:
        raise InputError("media_missing", "There is neither a file nor an address.")
    if kind is not None and kind not in CONTENT_TYPES:
        raise InputError("content_type_unknown", "There is no such content type.", mend="Use photo or video.")
    document = json_of(request) if request.content_type == "application/json" and request.META.get("CONTENT_LENGTH") else {}
    found = fetch(address, _rules())
    kind = kind or {"image": "photo", "video": "video"}.get(found.kind.partition("/")[0])
    if kind is None:
        raise InputError("content_type_unknown", "The address gives neither a picture nor a video.", mend="Name content_type.")
    return kind, found.data, document if isinstance(document, dict) else {}


def _rules() -> Rules:
    """What may be fetched, and how large a file may be; views run only where the configuration has the table."""
    table = settings.CONFIG.banks
    return Rules() if table is None else Rules(table.fetch_hosts, table.fetch_networks, table.media_bytes)


def _show_content(request: HttpRequest, bank: str, content: int) -> HttpResponse:
    found = content_in(bank_named(bank), content)
    document = {"bank": shown(found.bank), "disable_until_ts": found.until, "id": found.pk, "original_media_uri": None}
    if request.GET.get("include_signals") == "true":
        document["signals"] = {each.type: each.value.open() for each in found.signals.all()}
    if request.GET.get("include_metadata") != "false" and (metadata := actions.metadata_of(found)) is not None:
        document["metadata"] = metadata
    if found.note is not None:
        document["note"] = found.note.open()
    return said(document)


def _change_content(request: HttpRequest, bank: str, content: int) -> HttpResponse:
    document = object_of(request)
    found: BankContent = actions.do_change_content(person_at(request), bank, content, document)
    return said(
        {
            "bank": shown(found.bank),
            "collab_metadata": {},
            "disable_until_ts": found.until,
            "id": found.pk,
            "note": found.note.open() if found.note else None,
            "original_media_uri": None,
            "user_metadata": actions.metadata_of(found),
        }
    )


def _delete_content(request: HttpRequest, bank: str, content: int) -> HttpResponse:
    return said({"deleted": int(actions.do_delete_content(person_at(request), bank, content))})


# ---- types


def _signal_types(request: HttpRequest) -> HttpResponse:
    return said([{"name": name, "enabled_ratio": ratio_of_type(name)} for name in SIGNAL_TYPES])


def _switch_type(request: HttpRequest, name: str) -> HttpResponse:
    if name not in SIGNAL_TYPES:
        raise Answered(404, "signal_type_unknown", "There is no such signal type.")
    ratio = number_in(model_of(request), "enabled_ratio")
    if ratio is None:
        raise Answered(422, "body_shape", "The ratio is missing.", where="enabled_ratio")
    row = actions.do_switch_type(person_at(request), name, ratio)
    return said({"name": row.name, "enabled_ratio": row.ratio})


def _index(request: HttpRequest) -> HttpResponse:
    """What the database holds, and how much of it the slowest of the platform's nodes has taken up."""
    chosen = request.GET.get("signal_type")
    names = [signal_type_named(chosen).name] if chosen else list(SIGNAL_TYPES)
    covered = indexed()
    return said({name: _index_of(name, covered) for name in names})


def _index_of(name: str, covered: int) -> dict[str, Any]:
    rows = BankContent.objects.filter(gone=False, bank__deleted_at=None, signals__type=name)
    size, index_size = rows.count(), rows.filter(changed__lte=covered).count()
    return {
        "db_size": size,
        "index_size": index_size,
        "index_out_of_date": index_size != size,
        "newest_db_item": _newest(rows),
        "index_built_to": _newest(rows.filter(changed__lte=covered)),
    }


def _newest(rows: QuerySet[BankContent]) -> int:
    newest = rows.order_by("-added_at").values_list("added_at", flat=True).first()
    return int(newest.timestamp()) if newest else -1


def _content_types(request: HttpRequest) -> HttpResponse:
    return said([{"name": name, "enabled": True} for name in CONTENT_TYPES])


# ---- the feed


def _feed(request: HttpRequest) -> HttpResponse:
    return said(page_after(person_at(request), request.GET.get("after", START)))


all_banks = curation(GET=_list_banks, POST=_create_bank)
one_bank = curation(GET=_show_bank, PUT=_change_bank, DELETE=_delete_bank)
media = curation(POST=_add_media)
signals = curation(POST=_add_signals)
one_content = curation(GET=_show_content, PUT=_change_content, DELETE=_delete_content)
signal_types = curation(GET=_signal_types)
one_signal_type = curation(PUT=_switch_type)
index = curation(GET=_index)
content_types = curation(GET=_content_types)
feed = curation(Permission.BANK_FOLLOW, GET=_feed)
