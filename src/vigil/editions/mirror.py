"""Publishing into a store: an edition folder copied to S3-compatible storage, so that readers see the old state or the new.

Files go up under names of their own first, ``timestamp.json`` last: it is the commit point there as it is on disk. What
neither this state nor the one before it needs is removed afterwards. Who holds the store can withhold, never alter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vigil.base.errors import InputError, UnavailableError, VigilError
from vigil.editions.fetch import Patience, store_errors, store_of
from vigil.editions.publish import kept_files
from vigil.editions.roles import METADATA_FOLDER, ROOT, TARGETS_FOLDER, TIMESTAMP_NAME, version_in

TIMESTAMP: Final = f"{METADATA_FOLDER}/{TIMESTAMP_NAME}"
LONGEST_PAUSE: Final = 300.0
"""Seconds: a store that was away for hours is found again within five minutes."""
FOREVER: Final = "private, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What a copy did: files sent and removed; both 0 where the store had everything."""

    sent: int
    removed: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A copy that did not come about: why, and how many have failed one after the other."""

    error: VigilError
    times: int


def mirrored_again(copy: Callable[[], Mirrored], every: float) -> Iterator[tuple[Mirrored | Failed, float]]:
    """Copy for ever: what became of each copy, and the seconds to wait before the next is asked for.

    ``every`` seconds after one that came about; twice as long after each that failed, up to :data:`LONGEST_PAUSE`. A mistake of
    the operator (InputError) ends it while nothing was ever copied; afterwards every error may pass, and the next copy is tried.
    """
    failures, begun = 0, False
    while True:
        try:
            done = copy()
        except VigilError as error:
            if isinstance(error, InputError) and not begun:
                raise
            failures += 1
            yield Failed(error, failures), max(every, min(every * 2**failures, LONGEST_PAUSE))
        else:
            failures, begun = 0, True
            yield done, every


def mirror(repository: Path, target: str, store: Any = None) -> Mirrored:
    """Bring ``target`` (``s3://BUCKET/PREFIX``) into the state of the edition folder.

    ``store`` is an fsspec file system; None: S3 with the credentials and the endpoint of the usual AWS variables.
    Raises InputError ``nothing_published``, ``target_unknown``; UnavailableError ``store_unreachable``.
    """
    if store is None and not target.startswith("s3://"):
        raise InputError("target_unknown", "A mirror is an S3 store.", mend="Write it as s3://BUCKET/PREFIX.")
    timestamp = repository / TIMESTAMP
    if not timestamp.is_file():
        raise InputError("nothing_published", "There is no edition in this folder.", where=str(repository))
    files, base = store or store_of(Patience()), target.rstrip("/")
    try:
        return _copied(repository, files, base)
    except store_errors() as error:
        raise UnavailableError(
            "store_unreachable",
            "The store cannot be written to.",
            where=type(error).__name__,
            mend="See AWS_ENDPOINT_URL, the credentials, and that the bucket is there.",
        ) from error


def _copied(repository: Path, files: Any, base: str) -> Mirrored:
    # Read first: what is copied belongs to this state, whatever is published meanwhile.
    committed = (repository / TIMESTAMP).read_bytes()
    names = _needed(repository)
    there = _stored(files, base)
    sent = 0
    for name in sorted(names - {TIMESTAMP}):
        path = repository / name
        if there.get(name) != path.stat().st_size:
            files.put_file(str(path), f"{base}/{name}", CacheControl=FOREVER)
            sent += 1
    if TIMESTAMP not in there or files.cat_file(f"{base}/{TIMESTAMP}") != committed:
        files.pipe_file(f"{base}/{TIMESTAMP}", committed, CacheControl="no-store")
        sent += 1
    stale = sorted(there.keys() - names)
    for name in stale:
        files.rm_file(f"{base}/{name}")
    return Mirrored(sent, len(stale))


def _needed(repository: Path) -> set[str]:
    metadata, targets = kept_files(repository)
    roots = (path.name for path in (repository / METADATA_FOLDER).iterdir())
    metadata |= {name for name in roots if (version_in(name) or ("", 0))[0] == ROOT}
    found = {*_below(METADATA_FOLDER, metadata), *_below(TARGETS_FOLDER, targets)}
    return {name for name in found if (repository / name).is_file()}


def _below(folder: str, names: Iterable[str]) -> set[str]:
    return {f"{folder}/{name}" for name in names}


def _stored(files: Any, base: str) -> dict[str, int]:
    """Names below the target, and their sizes. File names hold the digest or the version of what is in them."""
    root = files._strip_protocol(base)
    try:
        found = files.find(base, detail=True)
    except FileNotFoundError:  # nothing is there yet; where the bucket itself is missing, writing says so
        return {}
    return {path.removeprefix(f"{root}/"): int(about["size"]) for path, about in found.items()}
