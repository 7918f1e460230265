"""Reading an edition as a stranger's files: everything is checked before anything is believed.

``edition.json`` first; then for each file its length and digest, footer, schema and limits, number of rows; then the
rows themselves: known scopes, flags and lists, sorted, none twice; counts and the digest of the sorted state as the
manifest says. An edition that was made with another canonical form than ours is refused whole.

Signatures are checked by :mod:`vigil.editions.verify` and :mod:`vigil.editions.client`, not here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from vigil.base.errors import InputError
from vigil.base.limits import EDITION_FILE_BYTES
from vigil.editions.cipher import Identity
from vigil.editions.folder import NO_KEYS, NOTHING_REBUILT, Reader, Stored, files_of
from vigil.editions.limits import LABEL_SETS, MANIFEST_BYTES
from vigil.editions.manifest import MANIFEST_NAME, AlgorithmCount, FileMember, Manifest, decode_manifest, digest_rule
from vigil.editions.model import (
    ALL_FLAGS,
    LARGEST_ENTRY,
    DigestKey,
    Edition,
    HashColumns,
    HostColumns,
    LabelColumn,
    Secret,
    UrlColumns,
    require_labels,
    require_name,
)
from vigil.editions.order import strictly_rising, words_of
from vigil.editions.refusal import EditionRefused, Refusal
from vigil.editions.state import fixed_bytes, lengths, state_digest, varying_bytes
from vigil.editions.wire import COLUMNS, HASHES, HOSTS, URLS, decode_table
from vigil.match.hashing import ALGORITHMS
from vigil.match.index.url import SCHEMES
from vigil.match.urls import CANON, MAX_DEPTH, SCOPES, EntryFlag


def load_edition(folder: Path, identity: Identity | None = None) -> Edition:
    """The edition in ``folder`` (plain files, an edition folder, or a client's state), checked.

    ``identity`` opens a partner's copy. Raises EditionRefused with nothing half loaded, or InputError ``not_an_edition``.
    """
    files = files_of(folder, identity)
    return read_edition(files.read, files.keys, files.rebuilt)


def read_edition(
    read: Reader, keys: Mapping[str, Secret] = NO_KEYS, rebuilt: Mapping[str, Stored] = NOTHING_REBUILT
) -> Edition:
    """The same from a reader: a function that gives the bytes of a file by name, at most so many.

    ``keys``     of digests, by name, for an edition whose addresses were digested under one
    ``rebuilt``  the files that were put together from deltas here, so that their bytes may differ from the hotline's
    """
    manifest, tables = read_tables(read, keys, rebuilt)
    return edition_of(manifest, tables, keys)


def read_tables(
    read: Reader, keys: Mapping[str, Secret] = NO_KEYS, rebuilt: Mapping[str, Stored] = NOTHING_REBUILT
) -> tuple[Manifest, dict[str, pa.Table]]:
    """The manifest and the rows as they stand in the files, before anything is said about the rows."""
    manifest = decode_manifest(read(MANIFEST_NAME, MANIFEST_BYTES.value))
    check_origin(manifest, keys)
    members = {name: _as_stored(member, rebuilt.get(name)) for name, member in manifest.files.items()}
    return manifest, {name: _read_table(name, members[name], read) for name in COLUMNS}


def _as_stored(member: FileMember, stored: Stored | None) -> FileMember:
    """What to compare a file with: what was signed, or what was noted when it was put together."""
    return member if stored is None else msgspec.structs.replace(member, bytes=stored.bytes, sha256=stored.sha256)


def edition_of(manifest: Manifest, tables: Mapping[str, pa.Table], keys: Mapping[str, Secret] = NO_KEYS) -> Edition:
    """The edition that these rows are, after everything about them was checked."""
    key_id = manifest.digest.key_id
    edition = Edition(
        number=manifest.number,
        previous=manifest.previous,
        issued_at=manifest.issued_at,
        valid_until=manifest.valid_until,
        hard_until=manifest.hard_until,
        canon=manifest.canon,
        lists=manifest.list_infos(),
        audit=manifest.anchor(),
        urls=_urls(tables[URLS], manifest),
        hosts=_hosts(tables[HOSTS]),
        hashes=_hashes(tables[HASHES], manifest),
        digest_key=DigestKey(key_id, keys[key_id]) if key_id is not None else None,
    )
    if state_digest(tables) != manifest.state:
        raise _refused(Refusal.STATE, MANIFEST_NAME, "The digest of its rows differs from the one it states.")
    return edition


def check_origin(manifest: Manifest, keys: Mapping[str, Secret] = NO_KEYS) -> None:
    """Refuse what was made with other rules than ours: it would match something else than was decided."""
    if manifest.canon != CANON:
        raise EditionRefused(
            Refusal.CANON_UNKNOWN,
            "The edition was made with another canonical form of addresses than this software has.",
            where=MANIFEST_NAME,
            mend="Install the version of Vigil that the hotline names for this edition.",
        )
    key_id = manifest.digest.key_id
    if manifest.digest != digest_rule(key_id):
        raise _refused(Refusal.MANIFEST, MANIFEST_NAME, "Its keys were made with a digest that is not here.")
    if key_id is not None and key_id not in keys:
        raise EditionRefused(
            Refusal.KEY_MISSING,
            "The addresses of the edition were digested under a key that is not here.",
            where=MANIFEST_NAME,
            mend="Pull it as the partner it was made for, with that partner's identity.",
        )
    if set(manifest.files) != set(COLUMNS):
        raise _refused(Refusal.MANIFEST, MANIFEST_NAME, "It names other files than the format has.")
    if any(manifest.files[name].columns != columns for name, columns in COLUMNS.items()):
        raise _refused(Refusal.SCHEMA, MANIFEST_NAME, "It names other columns than the format has.")


def _read_table(name: str, member: FileMember, read: Reader) -> pa.Table:
    if not 0 <= member.bytes <= EDITION_FILE_BYTES.value:
        raise _refused(Refusal.TOO_LARGE, name, "It is larger than the limit.")
    data = read(name, member.bytes)
    if len(data) != member.bytes:
        raise _refused(Refusal.LENGTH, name, "Its length differs from the manifest.")
    if hashlib.sha256(data).hexdigest() != member.sha256:
        raise _refused(Refusal.DIGEST, name, "Its digest differs from the manifest.")
    return decode_table(name, data, member.rows)


def _urls(table: pa.Table, manifest: Manifest) -> UrlColumns:
    columns = UrlColumns(
        keys=_fixed(table, "key"),
        scopes=_looked_up(URLS, table, "scope", [scope.value for scope in SCOPES]),
        flags=_numbers(table, "flags"),
        ports=_numbers(table, "port"),
        schemes=_looked_up(URLS, table, "scheme", SCHEMES),
        entries=_numbers(table, "entry"),
        lists=_numbers(table, "list"),
        expires=_numbers(table, "expires"),
        labels=_labels(URLS, table),
    )
    _check_common(URLS, columns, manifest)
    _check_flags(columns)
    _require_rising(URLS, [*words_of(columns.keys), columns.lists, columns.entries])
    found = np.bincount(columns.scopes, minlength=len(SCOPES))
    if {s.value: int(n) for s, n in zip(SCOPES, found, strict=True) if n} != manifest.counts.scopes:
        raise _refused(Refusal.COUNTS, URLS, "Its rows by scope differ from the manifest.")
    return columns


def _check_flags(columns: UrlColumns) -> None:
    """Only known flags; a port and a scheme exactly where a flag asks for them."""
    if np.any(columns.flags & ~np.uint16(ALL_FLAGS)):
        raise _refused(Refusal.VALUES, URLS, "It has flags that this software does not know.")
    port = (columns.flags & EntryFlag.PORT_EXACT.value) != 0
    scheme = (columns.flags & EntryFlag.SCHEME_EXACT.value) != 0
    if np.any(port != (columns.ports != 0)) or np.any(scheme != (columns.schemes != 0)):
        raise _refused(Refusal.VALUES, URLS, "Its flags contradict its ports or schemes.")


def _hosts(table: pa.Table) -> HostColumns:
    columns = HostColumns(keys=_fixed(table, "host"), max_depth=_numbers(table, "max_depth"))
    if np.any(columns.max_depth > MAX_DEPTH):
        raise _refused(Refusal.VALUES, HOSTS, "It has folders deeper than the format allows.")
    _require_rising(HOSTS, words_of(columns.keys))
    return columns


def _hashes(table: pa.Table, manifest: Manifest) -> dict[str, HashColumns]:
    names, ranks = _algorithms(table)
    edges = np.searchsorted(ranks, np.arange(len(names) + 1))
    found = {
        name: _algorithm(name, table.slice(start, end - start), manifest)
        for name, start, end in zip(names, edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        if end > start
    }
    counts = {name: AlgorithmCount(*columns.values.shape) for name, columns in found.items()}
    if counts != manifest.counts.algorithms:
        raise _refused(Refusal.COUNTS, HASHES, "Its rows by algorithm differ from the manifest.")
    return found


def _algorithms(table: pa.Table) -> tuple[list[str], npt.NDArray[Any]]:
    """The names that occur, sorted, and for each row the position of its own; rows must stand in that order."""
    codes, texts = _dictionary(table, "algorithm")
    names = sorted(set(texts))
    try:
        for name in names:
            require_name(name, "algorithm")
    except InputError as error:
        raise _refused(Refusal.VALUES, HASHES, "The name of an algorithm is malformed.") from error
    ranks = np.array([names.index(text) for text in texts], np.int32)[codes] if len(codes) else codes
    if np.any(ranks[1:] < ranks[:-1]):
        raise _refused(Refusal.ORDER, HASHES, "Its rows are not sorted.")
    return names, ranks


def _algorithm(name: str, table: pa.Table, manifest: Manifest) -> HashColumns:
    columns = HashColumns(
        values=_values(name, table),
        entries=_numbers(table, "entry"),
        lists=_numbers(table, "list"),
        expires=_numbers(table, "expires"),
        labels=_labels(HASHES, table),
    )
    _check_common(HASHES, columns, manifest)
    _require_rising(HASHES, [*words_of(columns.values), columns.lists, columns.entries])
    return columns


def _values(name: str, table: pa.Table) -> npt.NDArray[np.uint8]:
    """All values of one algorithm as one array; each has the algorithm's length."""
    chunk = table.column("value").chunk(0)
    sizes = lengths(chunk)
    size = int(sizes[0])
    known = ALGORITHMS.get(name)
    if size == 0 or np.any(sizes != size) or (known is not None and size != known.key_bytes):
        raise _refused(Refusal.VALUES, HASHES, "A value has the wrong length for its algorithm.")
    return varying_bytes(chunk).reshape(-1, size)


def _check_common(name: str, columns: UrlColumns | HashColumns, manifest: Manifest) -> None:
    if np.any(columns.lists >= len(manifest.lists)):
        raise _refused(Refusal.VALUES, name, "A row names a list that is not there.")
    if np.any(columns.entries > LARGEST_ENTRY) or np.any(columns.expires < 0):
        raise _refused(Refusal.VALUES, name, "A number in it is out of range.")


def _numbers(table: pa.Table, column: str) -> npt.NDArray[Any]:
    """A column of numbers, without a copy."""
    chunks = table.column(column).chunks
    numbers = chunks[0] if chunks else pa.array([], table.schema.field(column).type)
    return numbers.to_numpy()  # type: ignore[no-any-return]


def _fixed(table: pa.Table, column: str) -> npt.NDArray[np.uint8]:
    """A column of fixed-size bytes as (n, size), without a copy."""
    width = table.schema.field(column).type.byte_width
    chunks = table.column(column).chunks
    return (fixed_bytes(chunks[0]) if chunks else np.zeros(0, np.uint8)).reshape(-1, width)


def _dictionary(table: pa.Table, column: str) -> tuple[npt.NDArray[np.int32], list[str]]:
    """Codes (n,) and the texts they stand for."""
    chunks = table.column(column).chunks
    if not chunks:
        return np.zeros(0, np.int32), []
    return chunks[0].indices.to_numpy(), chunks[0].dictionary.to_pylist()


def _looked_up(name: str, table: pa.Table, column: str, known: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The positions of the texts among the ``known`` ones."""
    codes, texts = _dictionary(table, column)
    if not set(texts) <= set(known):
        raise _refused(Refusal.VALUES, name, f"Its column {column} holds something this software does not know.")
    return np.array([known.index(text) for text in texts], np.uint8)[codes] if len(codes) else np.zeros(0, np.uint8)


def _labels(name: str, table: pa.Table) -> LabelColumn:
    codes, texts = _dictionary(table, "labels")
    if len(texts) > LABEL_SETS.value:
        raise _refused(Refusal.TOO_LARGE, name, "It has too many different sets of labels.")
    return LabelColumn(codes, tuple(_label_set(name, text) for text in texts))


def _label_set(name: str, text: str) -> tuple[str, ...]:
    labels = tuple(text.split(" ")) if text else ()
    try:
        sound = require_labels(labels) == labels
    except InputError:
        sound = False
    if not sound:
        raise _refused(Refusal.VALUES, name, "A set of labels is malformed.")
    return labels


def _require_rising(name: str, columns: Sequence[npt.NDArray[Any]]) -> None:
    """Each row must stand strictly after the one before it, by the first column, then the second, and so on."""
    ordered, once = strictly_rising(columns)
    if not ordered:
        raise _refused(Refusal.ORDER, name, "Its rows are not sorted.")
    if not once:
        raise _refused(Refusal.ORDER, name, "It has a row twice.")


def _refused(code: Refusal, name: str, what: str) -> EditionRefused:
    return EditionRefused(code, f"A file of the edition cannot be used. {what}", where=name)


def counts_of(edition: Edition) -> Mapping[str, int]:
    """Rows by scope and by algorithm, for people."""
    scopes = np.bincount(edition.urls.scopes, minlength=len(SCOPES))
    found = {scope.value: int(count) for scope, count in zip(SCOPES, scopes, strict=True) if count}
    return found | {name: len(columns.values) for name, columns in edition.hashes.items()}
