"""Another hotline's editions, pulled and verified like a node does it, as a source.

Hashes come as they are. Addresses come as the keys of the edition, which do not tell the address: a reported address is
looked up by its own keys. An edition is the full state, and signed: nothing in it is set aside, a damaged one is refused whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from vigil.base.errors import InputError, VigilError
from vigil.editions.client import EditionClient, EditionUnreachable
from vigil.editions.load import load_edition
from vigil.editions.model import Edition, HashColumns
from vigil.hotline.partners.sources.fingerprints import edition_key
from vigil.hotline.partners.sources.record import EDITION_KEY, Cursor, FeedBroken, Media, Page, Record, Vote
from vigil.hotline.partners.sources.transport import FetchError, retry_after
from vigil.match.hashing import ALGORITHMS
from vigil.match.urls import SCOPES

ROWS_A_PAGE: Final = 5000


class Editions:
    """One address of editions. ``state`` is the folder in which the trust in it is kept; ``root`` the root handed over.

    ``turn`` returns when the next file may be asked for.
    """

    whole_each_time = True

    def __init__(
        self, address: str, state: Path, root: bytes | None, token: str | None, turn: Callable[[], None] | None = None
    ) -> None:
        self._address, self._state, self._root, self._token, self._turn = address, state, root, token, turn

    def is_stale(self, cursor: Cursor, now: datetime) -> bool:
        """Never: an edition is the full state."""
        return False

    def pages(self, cursor: Cursor | None, now: datetime, *, stuck: bool = False) -> Iterator[Page]:
        """See :class:`.record.Feed`. Goes on in the middle of an edition only while it is the same one."""
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        client = EditionClient(self._address, self._state, self._root, self._token, turn=self._turn)
        try:
            edition = load_edition(client.pull(now).folder)
        except EditionUnreachable as error:
            raise FetchError(error.code, error.what, mend=error.mend, retry_after=retry_after(client.retry_after)) from error
        except VigilError as error:
            raise FeedBroken(error.code, error.what, mend=error.mend) from error
        rows = list(_parts(edition))
        done = int(cursor.get("part", 0)) if cursor and cursor.get("edition") == edition.number else 0
        done = done if done < len(rows) else 0
        if not rows:
            yield Page(f"edition {edition.number}", "", list, {"edition": edition.number, "part": 0})
        for place, (name, start, end) in enumerate(rows[done:], start=done + 1):
            onward = {"edition": edition.number, "part": place if place < len(rows) else 0}
            digest = hashlib.sha256(_bytes_of(edition, name, start, end)).hexdigest()
            title = f"{name} {start + 1} to {end} of edition {edition.number}"
            yield Page(title, digest, _reader(edition, name, start, end, now), onward)

    def vote(self, vote: Vote) -> None:
        """An edition takes no opinions."""
        raise InputError("vote_nowhere", "An edition takes no opinions.", mend="Send them to the hotline's partner door.")


def _parts(edition: Edition) -> Iterator[tuple[str, int, int]]:
    sizes = {"urls": len(edition.urls.keys)} | {name: len(columns.values) for name, columns in edition.hashes.items()}
    for name, size in sizes.items():
        for start in range(0, size, ROWS_A_PAGE):
            yield name, start, min(start + ROWS_A_PAGE, size)


def _bytes_of(edition: Edition, name: str, start: int, end: int) -> bytes:
    """What the rows hold, for telling whether they are the same as before."""
    columns = edition.urls if name == "urls" else edition.hashes[name]
    values = columns.values if isinstance(columns, HashColumns) else np.hstack(
        [columns.keys[start:end], columns.scopes[start:end, None]]
    )  # fmt: skip
    values = values[start:end] if isinstance(columns, HashColumns) else values
    labels = "\n".join(" ".join(columns.labels.of(row)) for row in range(start, end))
    names = " ".join(info.name for info in edition.lists)
    parts = (values, columns.entries[start:end], columns.lists[start:end], columns.expires[start:end])
    return b"".join(np.ascontiguousarray(each).tobytes() for each in parts) + f"{name}\0{names}\0{labels}".encode()


def _reader(edition: Edition, name: str, start: int, end: int, now: datetime) -> Callable[[], list[Record]]:
    return lambda: list(_records(edition, name, start, end, now))


def _records(edition: Edition, name: str, start: int, end: int, now: datetime) -> Iterator[Record]:
    columns = edition.urls if name == "urls" else edition.hashes[name]
    for row in range(start, end):
        listed = edition.lists[int(columns.lists[row])].name
        if isinstance(columns, HashColumns):
            value = columns.values[row].tobytes()
            known = ALGORITHMS.get(name)
            text = known.text(value) if known is not None and known.bits is not None else value.hex()
            pair = (name, text)
        else:
            pair = (EDITION_KEY, edition_key(SCOPES[int(columns.scopes[row])], columns.keys[row].tobytes()))
        expires = int(columns.expires[row])
        labels = tuple(columns.labels.of(row))
        yield Record(
            key=f"{listed}/{int(columns.entries[row])}/{pair[0]}",
            raw=f"{listed} {int(columns.entries[row])} {pair[0]} {pair[1]} {expires} {' '.join(labels)}",
            fingerprints=(pair,),
            withdrawn=0 < expires <= now.replace(tzinfo=UTC).timestamp(),
            media=Media.ADDRESS if pair[0] == EDITION_KEY else Media.OTHER,
            member=listed,
            labels=labels,
        )
