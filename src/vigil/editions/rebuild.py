"""Putting the next edition together from the one at hand and the deltas between them.

Never an authority: what comes out is read as strictly as an edition that came whole, and the digest of its sorted state
must be the signed one. Whatever goes wrong, the caller fetches the whole edition instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import TargetFile, Targets
from tuf.ngclient import Updater

from vigil.base.errors import VigilError
from vigil.base.files import write_atomically
from vigil.editions.cipher import KEYS_NAME, SUFFIX, Identity, encrypt
from vigil.editions.delta import apply_delta, steps_of
from vigil.editions.folder import REBUILT_NAME, Files, Stored, plain_files, read_limited, rebuilt_in, sealed_files
from vigil.editions.limits import DELTA_BYTES, DELTAS
from vigil.editions.load import edition_of, read_tables
from vigil.editions.manifest import MANIFEST_NAME, Manifest, decode_manifest
from vigil.editions.model import Edition
from vigil.editions.refusal import EditionRefused, Refusal
from vigil.editions.wire import COLUMNS, DELTA, encode_table

_SMALL: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """``edition``: what was put together, proven; None where the whole one is to be fetched, and ``refused`` says why."""

    edition: Edition | None = None
    steps: int = 0
    refused: str | None = None


NOT_TRIED: Final = Rebuilt()


class Rebuild:
    """One attempt. ``part``: folder of the coming edition; ``old``: folder of the one in force, None where there is none."""

    def __init__(self, updater: Updater, path: str, identity: Identity | None, part: Path, old: Path | None) -> None:
        self._updater, self._path, self._identity, self._part, self._old = updater, path, identity, part, old
        self._suffix = SUFFIX if identity else ""

    def by_deltas(self, role: Targets, before: int | None, targets: Mapping[str, TargetFile]) -> Rebuilt:
        """Try it; nothing that was refused is left behind."""
        if before is None or before >= role.version or self._old is None:
            return NOT_TRIED
        chain = self._chain(role, before)
        whole = sum(targets[name + self._suffix].length for name in COLUMNS)
        if not chain or sum(target.length for _, target in chain) >= whole:
            return NOT_TRIED
        try:
            return Rebuilt(self._put_together([target for _, target in chain], targets), len(chain))
        except (VigilError, RepositoryError, DownloadError, pa.ArrowException) as error:
            self._clear()
            return Rebuilt(refused=_code_of(error))

    def _chain(self, role: Targets, before: int) -> list[tuple[int, TargetFile]]:
        """The deltas from ``before`` to the version of the role, in order; none where they do not reach."""
        found = {}
        for name, target in role.targets.items():
            steps = steps_of(name.removeprefix(self._path).removesuffix(self._suffix))
            if steps is not None and target.length <= DELTA_BYTES.value:
                found[steps[0]] = (steps[1], target)
        chain: list[tuple[int, TargetFile]] = []
        at = before
        while at in found and len(chain) < DELTAS.value:
            chain.append(found[at])
            at = found[at][0]
        return chain if at == role.version else []

    def _put_together(self, chain: list[TargetFile], targets: Mapping[str, TargetFile]) -> Edition:
        """Apply the chain to the edition in force, compare the state with the signed one, write the files."""
        if self._old is None:
            raise _unfit()
        self._part.mkdir(parents=True, exist_ok=True)
        for name in (MANIFEST_NAME, *([KEYS_NAME] if self._identity else [])):
            self._download(targets[name + self._suffix], name + self._suffix)
        old, new = self._files(self._old), self._files(self._part)
        before, tables = read_tables(old.read, old.keys, old.rebuilt)
        manifest = decode_manifest(new.read(MANIFEST_NAME, _SMALL))
        if before.digest != manifest.digest:
            raise _unfit()
        for target in chain:
            tables = apply_delta(tables, self._delta(target), consume=True)
        if any(len(tables[name]) != manifest.files[name].rows for name in COLUMNS):
            raise EditionRefused(Refusal.STATE, "Deltas led to another number of rows than was signed.", where=MANIFEST_NAME)
        edition = edition_of(manifest, {name: as_read(tables[name]) for name in COLUMNS}, new.keys)
        self._write(manifest, tables)
        return edition

    def _files(self, folder: Path) -> Files:
        if self._identity is not None:
            return sealed_files(folder, self._identity)
        return Files(plain_files(folder), rebuilt=rebuilt_in(folder))

    def _delta(self, target: TargetFile) -> bytes:
        """A delta's bytes, decrypted; the file is not kept."""
        name = "delta"
        try:
            self._download(target, name)
            data = read_limited(self._part / name, DELTA_BYTES.value)
        finally:
            (self._part / name).unlink(missing_ok=True)
        return self._identity.decrypt(data, name) if self._identity else data

    def _download(self, target: TargetFile, name: str) -> None:
        path = str(self._part / name)
        if self._updater.find_cached_target(target, path) is None:
            self._updater.download_target(target, path)

    def _write(self, manifest: Manifest, tables: Mapping[str, pa.Table]) -> None:
        """The files, two at a time; notes where their bytes differ from the signed ones, as those of another writer do."""
        with ThreadPoolExecutor(len(COLUMNS)) as pool:
            encoded = dict(zip(COLUMNS, pool.map(lambda name: encode_table(name, tables[name]), COLUMNS), strict=True))
        notes = {}
        for name, data in encoded.items():
            kept = encrypt(data, [self._identity.recipient]) if self._identity else data
            write_atomically(self._part / (name + self._suffix), kept)
            digest = hashlib.sha256(data).hexdigest()
            if self._identity or digest != manifest.files[name].sha256:
                notes[name] = Stored(len(data), digest, len(kept), hashlib.sha256(kept).hexdigest())
        if notes:
            write_atomically(self._part / REBUILT_NAME, msgspec.json.encode(notes))

    def _clear(self) -> None:
        for name in (*(each + self._suffix for each in COLUMNS), REBUILT_NAME, "delta"):
            (self._part / name).unlink(missing_ok=True)


def as_read(table: pa.Table) -> pa.Table:
    """Text columns as dictionaries, as they come from a file."""
    columns = [
        column.dictionary_encode() if pa.types.is_string(column.type) else column
        for column in (table.column(name) for name in table.schema.names)
    ]
    return pa.table(columns, names=table.schema.names).unify_dictionaries().combine_chunks()


def _unfit() -> EditionRefused:
    return EditionRefused(Refusal.DELTA, "The edition at hand and the next one have different keys.", where=DELTA)


def _code_of(error: Exception) -> str:
    """The stable code of what was wrong with a delta."""
    return error.code if isinstance(error, VigilError) else Refusal.DELTA.value
