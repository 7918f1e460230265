"""A STIX 2.1 bundle: one indicator for each entry, marked TLP:RED, with the time until which it holds.

Readers of STIX collect. Hence identifiers are the same in every export, and with the contents of the export before,
what is missing now comes as the same indicator with ``revoked``.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any, Final

from vigil.base.clock import require_utc
from vigil.editions.export.model import Entry, Format, Leftover, Occasion, Reason, alive, left
from vigil.editions.export.names import names_of
from vigil.editions.export.patterns import pattern_of
from vigil.editions.model import EditionContents, HashEntry, UrlEntry
from vigil.match.hashing import Kind, algorithm_named
from vigil.match.urls import Scope

FILE: Final = "stix.json"
NAMESPACE: Final = uuid.UUID("3f0c5a0e-6e0b-5b0a-9f3e-5a1d7c2b9e41")
# Fixed by STIX 2.1, section 7.2.1.4.
TLP_RED: Final = {
    "type": "marking-definition",
    "spec_version": "2.1",
    "id": "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
    "created": "2017-01-20T00:00:00.000Z",
    "definition_type": "tlp",
    "name": "TLP:RED",
    "definition": {"tlp": "red"},
}
# An edition does not say since when an entry stands; the standard wants one unchanging instant.
ALWAYS: Final = "1970-01-01T00:00:00.000Z"
_HASH_NAMES: Final = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}


def write(contents: EditionContents, occasion: Occasion) -> tuple[dict[str, bytes], list[Leftover]]:
    """``stix.json``."""
    modified = _instant(occasion.at)
    objects, missing = _indicators(contents, modified)
    for known, each in _withdrawn(occasion, modified).items():
        objects.setdefault(known, each)
    bundle = {
        "type": "bundle",
        "id": f"bundle--{uuid.uuid5(NAMESPACE, f'bundle {occasion.number}')}",
        "objects": [TLP_RED, *(objects[known] for known in sorted(objects))],
    }
    return {FILE: json.dumps(bundle, indent=1, sort_keys=True).encode() + b"\n"}, missing


def _withdrawn(occasion: Occasion, modified: str) -> dict[str, dict[str, Any]]:
    """What the export before may have told, as revoked."""
    if occasion.before is None:
        return {}
    earlier, _ = _indicators(alive(occasion.before, datetime.min.replace(tzinfo=occasion.at.tzinfo)), modified)
    return {known: {**each, "revoked": True} for known, each in earlier.items()}


def _indicators(contents: EditionContents, modified: str) -> tuple[dict[str, dict[str, Any]], list[Leftover]]:
    kinds = {info.name: info.kind for info in contents.lists}
    found: dict[str, dict[str, Any]] = {}
    missing: list[Leftover] = []
    entries: tuple[Entry, ...] = (*contents.urls, *contents.hashes)
    for entry in entries:
        pattern, shortfall = _pattern(entry) if isinstance(entry, UrlEntry) else _hash_pattern(entry)
        if shortfall is not None:
            missing.append(left(entry, shortfall, partly=True))
        each = _indicator(entry, kinds[entry.list], pattern, modified)
        found[each["id"]] = each
    return found, missing


def indicator(entry: Entry, kind: str, since: datetime) -> tuple[dict[str, Any], Reason | None]:
    """One entry of a list of ``kind`` as an indicator that has stood since ``since``, and what it leaves out."""
    pattern, shortfall = _pattern(entry) if isinstance(entry, UrlEntry) else _hash_pattern(entry)
    return _indicator(entry, kind, pattern, _instant(since)), shortfall


def _indicator(entry: Entry, kind: str, pattern: str, modified: str) -> dict[str, Any]:
    identity = f"{entry.list}\n{entry.entry}\n{pattern}"
    shown: dict[str, Any] = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid5(NAMESPACE, identity)}",
        "created": ALWAYS,
        "modified": modified,
        "valid_from": ALWAYS,
        "name": f"{entry.list}/{entry.entry}",
        "description": f"Entry {entry.entry} of list {entry.list} ({kind}).",
        "pattern": pattern,
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "object_marking_refs": [TLP_RED["id"]],
    }
    if entry.labels:
        shown["labels"] = list(entry.labels)
    if entry.expires is not None:
        shown["valid_until"] = _instant(entry.expires)
    return shown


def _pattern(entry: UrlEntry) -> tuple[str, Reason | None]:
    """Equality for tools that look up values, an expression for all that the entry covers; both cover no more."""
    exact = _equals("url:value", entry.url.text())
    pattern = pattern_of(entry)
    if isinstance(pattern, Reason):
        return f"[{exact}]", pattern
    parts = [exact] if entry.scope in (Scope.URL, Scope.PAGE) else []
    names, _ = names_of([entry])
    parts += [_equals("domain-name:value", name) for name in sorted(names.hosts | names.domains)]
    parts += [f"domain-name:value MATCHES {_text(_below(name))}" for name in sorted(names.domains)]
    return f"[{' OR '.join([*parts, f'url:value MATCHES {_text(pattern)}'])}]", None


def _below(name: str) -> str:
    dots = name.replace(".", "\\.")
    return f"^([^.]+\\.)*{dots}$"


def _hash_pattern(entry: HashEntry) -> tuple[str, Reason | None]:
    algorithm = algorithm_named(entry.algorithm)
    name = _HASH_NAMES.get(entry.algorithm, f"X-{entry.algorithm.upper()}")
    near = algorithm.kind is Kind.PERCEPTUAL
    return f"[{_equals(f'file:hashes.{_text(name)}', algorithm.text(entry.value))}]", Reason.DISTANCE if near else None


def _equals(path: str, value: str) -> str:
    return f"{path} = {_text(value)}"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _instant(instant: datetime) -> str:
    return require_utc(instant).strftime("%Y-%m-%dT%H:%M:%S.000Z")


FORMAT: Final = Format("stix", "STIX 2.1 bundle, TLP:RED", write, carries_expiry=True)
