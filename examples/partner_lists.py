"""A partner's program: fetch the lists that were agreed on, check them, and look addresses and hashes up. No node is needed.

    python partner_lists.py https://hotline.example/editions STATE 1.root.json --part partners/p-3f9k --identity identity.txt

Reads questions from standard input, one a line: an address, or ``md5 …``, ``sha1 …``, ``sha256 …`` with hexadecimal digits.
Answers ``listed LIST ENTRY`` or ``not listed``. A token for the host is read from VIGIL_EDITION_TOKEN.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from vigil.base.errors import UnavailableError, VigilError
from vigil.editions.cipher import Identity
from vigil.editions.client import EditionClient, number_in_force
from vigil.editions.load import load_edition
from vigil.editions.model import Edition
from vigil.match.index.url import UrlHit, UrlIndex


def newest(source: str, state: Path, root: Path, part: str, identity: Identity | None) -> Edition:
    """Pull, then load what is in force: the new edition, or the last good one where the host cannot be reached.

    Whatever is wrong with what the host offers (VigilError), the last good edition stays; without any there is none to load.
    """
    token = os.environ.get("VIGIL_EDITION_TOKEN")
    client = EditionClient(source, state, root.read_bytes(), token, part=part, identity=identity)
    try:
        pulled = client.pull(datetime.now(UTC))
        print(f"edition {pulled.number} is in force", file=sys.stderr)
    except UnavailableError as error:
        if number_in_force(state) is None:
            raise
        print(f"the last good edition stays: {error}", file=sys.stderr)
    return load_edition(state, identity)


class Lists:
    """What an edition says about an address or a hash. Entries that have expired do not count."""

    def __init__(self, edition: Edition) -> None:
        self._edition = edition
        secret = edition.digest_key.secret.open() if edition.digest_key else None
        self._urls = UrlIndex.from_columns(edition.urls, edition.hosts, secret)

    def address(self, text: str) -> str:
        now = int(datetime.now(UTC).timestamp())
        found = self._urls.check(text, now)
        return self._listed(found.list, found.entry) if isinstance(found, UrlHit) else "not listed"

    def digest(self, algorithm: str, value: bytes) -> str:
        columns = self._edition.hashes.get(algorithm)
        if columns is None:
            return "not listed"
        rows = np.flatnonzero((columns.values == np.frombuffer(value, np.uint8)).all(axis=1))
        now = int(datetime.now(UTC).timestamp())
        alive = [row for row in rows.tolist() if not columns.expires[row] or columns.expires[row] > now]
        return self._listed(int(columns.lists[alive[0]]), int(columns.entries[alive[0]])) if alive else "not listed"

    def _listed(self, place: int, entry: int) -> str:
        return f"listed {self._edition.lists[place].name} {entry}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Look addresses and hashes up in the lists of a hotline.")
    parser.add_argument("source")
    parser.add_argument("state", type=Path)
    parser.add_argument("root", type=Path)
    parser.add_argument("--part", default="")
    parser.add_argument("--identity", type=Path)
    given = parser.parse_args()
    try:
        identity = Identity(given.identity.read_text()) if given.identity else None
        lists = Lists(newest(given.source, given.state, given.root, given.part, identity))
    except VigilError as error:
        print(error, file=sys.stderr)
        return 2
    for line in sys.stdin:
        words = line.split()
        known = len(words) == 2 and words[0] in {"md5", "sha1", "sha256"}
        print(lists.digest(words[0], bytes.fromhex(words[1])) if known else lists.address(line.strip()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
