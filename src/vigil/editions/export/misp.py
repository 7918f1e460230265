"""A MISP feed folder: ``manifest.json``, one event for each list, ``hashes.csv``.

MISP compares values for equality, ``domain`` with the names below it. What needs more is left out or written as the
narrower thing and reported. With the contents of the export before, what is missing now comes as ``deleted``.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import datetime
from typing import Any, Final

from vigil.base.clock import require_utc
from vigil.editions.export.model import SCHEME_OR_PORT, Entry, Format, Leftover, Occasion, Reason, alive, by_list, left
from vigil.editions.export.names import covers_below, names_of
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.match.hashing import ALGORITHMS
from vigil.match.urls import EntryFlag, Scope

NAMESPACE: Final = uuid.UUID("a8a4b1de-0d3c-5f6c-8b43-2f6f6c1a7d90")
MANIFEST: Final = "manifest.json"
HASHES: Final = "hashes.csv"
ORGANISATION: Final = {"name": "Vigil list office", "uuid": str(uuid.uuid5(NAMESPACE, "organisation"))}
TAGS: Final = ({"name": "tlp:red", "colour": "#cc0033"},)
_TYPES: Final = ("md5", "sha1", "sha256")


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``manifest.json``, ``hashes.csv`` and ``<uuid>.json`` for each list."""
    missing: list[Leftover] = []
    files: dict[str, bytes] = {}
    manifest: dict[str, Any] = {}
    sums: list[str] = []
    earlier = _earlier(occasion)
    lists = {info.name: info for info in (*earlier.lists, *contents.lists)}
    now = {info.name: entries for info, entries in by_list(contents)}
    then = {info.name: entries for info, entries in by_list(earlier)}
    for info in lists.values():
        known = str(uuid.uuid5(NAMESPACE, f"event {info.name}"))
        found, without = _attributes(now.get(info.name, []), occasion.at)
        missing += without
        gone, _ = _attributes(then.get(info.name, []), occasion.at)
        attributes = {**{key: {**each, "deleted": True} for key, each in gone.items()}, **found}
        event = _event(info, occasion)
        manifest[known] = {key: value for key, value in event.items() if key != "published"}
        whole = {**event, "uuid": known, "Attribute": [attributes[key] for key in sorted(attributes)]}
        files[f"{known}.json"] = _json({"Event": whole})
        sums += [f"{hashlib.md5(each['value'].encode(), usedforsecurity=False).hexdigest()},{known}\n" for each in found.values()]
    files[MANIFEST] = _json(manifest)
    files[HASHES] = "".join(sorted(sums)).encode()
    return files, missing


def _earlier(occasion: Occasion) -> EditionContents:
    if occasion.before is None:
        return EditionContents(())
    return alive(occasion.before, datetime.min.replace(tzinfo=occasion.at.tzinfo))


def _event(info: ListInfo, occasion: Occasion) -> dict[str, Any]:
    return {
        "info": f"Vigil list {info.name} ({info.kind})",
        "date": occasion.at.strftime("%Y-%m-%d"),
        "timestamp": _seconds(occasion.at),
        "threat_level_id": "1",
        "analysis": "2",
        "published": True,
        "Orgc": ORGANISATION,
        "Tag": list(TAGS),
    }


def _attributes(entries: list[Entry], at: datetime) -> tuple[dict[str, dict[str, Any]], list[Leftover]]:
    found: dict[str, dict[str, Any]] = {}
    missing: list[Leftover] = []
    for entry in entries:
        kind, value, reason = _of_url(entry) if isinstance(entry, UrlEntry) else _of_hash(entry)
        if reason is not None:
            missing.append(left(entry, reason, partly=bool(kind)))
        if kind:
            each = _attribute(entry, kind, value, at)
            found[each["uuid"]] = each
    return found, missing


def _of_url(entry: UrlEntry) -> tuple[str, str, Reason | None]:
    """Type and value, empty for none, and what is missing."""
    if entry.scope is Scope.URL:
        return "url", entry.url.text(), _missing_of_url(entry)
    if entry.scope is Scope.PAGE:
        return "url", entry.url.text(), Reason.ANY_QUERY
    if entry.scope is Scope.PREFIX:
        return "", "", Reason.WOULD_WIDEN
    names, missing = names_of([entry])
    if missing:
        return "", "", missing[0].reason
    return "domain" if covers_below(entry) else "hostname", next(iter(names.hosts | names.domains)), None


def _missing_of_url(entry: UrlEntry) -> Reason | None:
    """Equality of texts is one scheme, one port and one order of the query; and no query is also written as an empty one."""
    if EntryFlag.QUERY_SET in entry.flags:
        return Reason.QUERY_SET
    return None if entry.flags & SCHEME_OR_PORT == SCHEME_OR_PORT and entry.url.query else Reason.ANY_SPELLING


def _of_hash(entry: HashEntry) -> tuple[str, str, Reason | None]:
    if entry.algorithm not in _TYPES:
        return "", "", Reason.HASH_TYPE
    return entry.algorithm, ALGORITHMS[entry.algorithm].text(entry.value), None


def _attribute(entry: Entry, kind: str, value: str, at: datetime) -> dict[str, Any]:
    identity = f"{entry.list}\n{entry.entry}\n{kind}\n{value}"
    shown: dict[str, Any] = {
        "uuid": str(uuid.uuid5(NAMESPACE, identity)),
        "type": kind,
        "category": "Payload delivery" if isinstance(entry, HashEntry) else "Network activity",
        "value": value,
        "comment": f"entry {entry.entry}",
        # Rules made of an address for network sensors match parts of it, which would be wider.
        "to_ids": kind != "url",
        "disable_correlation": False,
        "timestamp": _seconds(at),
        "Tag": [{"name": f"vigil:{label}"} for label in entry.labels],
    }
    if entry.expires is not None:
        shown["last_seen"] = require_utc(entry.expires).strftime("%Y-%m-%dT%H:%M:%S.000000+00:00")
    return shown


def _seconds(instant: datetime) -> str:
    return str(int(require_utc(instant).timestamp()))


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


FORMAT: Final = Format("misp", "MISP feed folder", write)
