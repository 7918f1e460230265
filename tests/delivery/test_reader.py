"""An independent reader: a plain TUF client, DuckDB, and what ``docs/spec/edition-format.md`` says. No module of ours.

It ends with exactly the same list as our own client: whole, from a partner's encrypted copy, and across deltas.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import pyrage
from tests.editions.world import Host, Hotline, client, many
from tuf.ngclient import Updater

from vigil.editions.cipher import Identity, new_identity
from vigil.editions.load import load_edition
from vigil.editions.model import Edition
from vigil.editions.shares import Share

FILES = ("urls", "hosts", "hashes")
NAMES = {"urls": ("key", "list", "entry"), "hosts": ("host",), "hashes": ("algorithm", "value", "list", "entry")}
KEY = {"urls": "key", "hosts": "host", "hashes": "value"}


class Reader:
    """Fetches with a stock TUF client, decrypts with age, reads and merges with SQL."""

    def __init__(self, address: str, folder: Path, root: bytes, part: str = "", identity: str = "") -> None:
        self.address, self.folder, self.root, self.part = address, folder, root, part
        self.identity = pyrage.x25519.Identity.from_str(identity) if identity else None
        self.sql = duckdb.connect()
        (folder / "files").mkdir(parents=True)
        (folder / "metadata").mkdir()
        self.number = 0

    def refresh(self) -> None:
        """A new look at the host; one updater serves one look."""
        self.updater = Updater(
            str(self.folder / "metadata"),
            f"{self.address}/metadata/",
            str(self.folder / "files"),
            f"{self.address}/targets/",
            bootstrap=self.root if not self.number else None,
        )
        self.manifest = json.loads(self.fetch("edition.json").read_bytes())

    def fetch(self, name: str) -> Path:
        found = self.updater.get_targetinfo(self.part + name + (".age" if self.identity else ""))
        assert found is not None, name
        data = Path(self.updater.download_target(found)).read_bytes()
        path = self.folder / name
        path.write_bytes(pyrage.decrypt(data, [self.identity]) if self.identity else data)
        return path

    def whole(self) -> None:
        """All files, as tables."""
        self.refresh()
        for name in FILES:
            path = self.fetch(f"{name}.parquet")
            assert hashlib.sha256(path.read_bytes()).hexdigest() == self.manifest["files"][path.name]["sha256"]
            self.sql.execute(f"create or replace table {name} as select * from read_parquet('{path}')")
        self.number = self.manifest["number"]

    def step(self) -> None:
        """From the edition at hand to the one after it, by its delta."""
        before, self.number = self.number, self.number + 1
        self.refresh()
        assert self.manifest["number"] == self.number
        path = self.fetch(f"delta-{before}-{self.number}.parquet")
        self.sql.execute(f"create or replace table delta as select * from read_parquet('{path}')")
        for name in FILES:
            same = " and ".join(f"d.{'key' if part == KEY[name] else part} = t.{part}" for part in NAMES[name])
            columns = [each["name"] for each in self.manifest["files"][f"{name}.parquet"]["columns"]]
            chosen = ", ".join(f"{'key' if each == KEY[name] else each} as {each}" for each in columns)
            wanted = f"file = '{name}'"
            self.sql.execute(
                f"create or replace table {name} as select * from {name} t"
                f" where not exists (select 1 from delta d where d.{wanted} and {same})"
                f" union all by name select {chosen} from delta where {wanted} and op <> 'remove'"
            )

    def rows(self, name: str) -> list[tuple[Any, ...]]:
        columns = [each["name"] for each in self.manifest["files"][f"{name}.parquet"]["columns"]]
        order = ", ".join(NAMES[name])
        return self.sql.execute(f"select {', '.join(columns)} from {name} order by {order}").fetchall()

    def state(self) -> str:
        """The digest of the sorted state, by the words of the specification."""
        digest = hashlib.sha256()
        for name in sorted(FILES):
            rows, file = self.rows(name), f"{name}.parquet"
            digest.update(file.encode() + b"\0" + len(rows).to_bytes(8, "little"))
            for place, column in enumerate(self.manifest["files"][file]["columns"]):
                values = [row[place] for row in rows]
                digest.update(laid_out(values, column["type"]))
        return digest.hexdigest()


def laid_out(values: list[Any], kind: str) -> bytes:
    if kind in ("string", "bytes"):
        encoded = [value.encode() if kind == "string" else bytes(value) for value in values]
        return b"".join(len(value).to_bytes(4, "little") for value in encoded) + b"".join(encoded)
    if kind.startswith("bytes"):
        return b"".join(bytes(value) for value in values)
    size, signed = {"uint8": (1, False), "uint16": (2, False), "uint64": (8, False), "int64": (8, True)}[kind]
    return b"".join(value.to_bytes(size, "little", signed=signed) for value in values)


def same(reader: Reader, edition: Edition) -> None:
    """Row by row, and by the digest that was signed."""
    assert reader.state() == reader.manifest["state"]["value"]
    assert [bytes(row[0]) for row in reader.rows("urls")] == [bytes(key) for key in edition.urls.keys]
    assert [row[5] for row in reader.rows("urls")] == edition.urls.entries.tolist()
    assert [bytes(row[0]) for row in reader.rows("hosts")] == [bytes(key) for key in edition.hosts.keys]
    found = [(row[0], bytes(row[1]), row[2]) for row in reader.rows("hashes")]
    ours = [
        (name, bytes(value), entry)
        for name, columns in sorted(edition.hashes.items())
        for value, entry in zip(columns.values, columns.entries.tolist(), strict=True)
    ]
    assert found == ours


def test_whole_and_across_deltas(hotline: Hotline, host: Host, state: Path, tmp_path: Path) -> None:
    reader, node = Reader(host.address, tmp_path / "reader", hotline.keys.root), client(host, hotline, state)
    for number in (1, 2, 3):
        hotline.publish(many(400, number))
        reader.whole() if number == 1 else reader.step()
        node.pull(hotline.now)
        same(reader, load_edition(state))


def test_a_partners_copy_and_across_its_deltas(hotline: Hotline, host: Host, state: Path, tmp_path: Path) -> None:
    text = new_identity()
    identity = Identity(text)
    reader = Reader(host.address, tmp_path / "reader", hotline.keys.root, "partners/p-acme/", text)
    node = client(host, hotline, state, part="partners/p-acme", identity=identity)
    for number in (1, 2):
        share = Share("p-acme", many(400, number), identity.recipient)
        hotline.publish(many(10, number), shares=[share], workshop=tmp_path / "workshop")
        reader.whole() if number == 1 else reader.step()
        assert node.pull(hotline.now).deltas == number - 1
        edition = load_edition(state, identity)
        same(reader, edition)
    keys = json.loads(reader.fetch("keys.json").read_bytes())["keys"]
    secret = next(bytes.fromhex(key["key"]) for key in keys if key["id"] == reader.manifest["digest"]["key_id"])
    address = b"zorblat-4.example/quimber/4/"
    made = hashlib.blake2b(address, digest_size=16, key=secret, person=b"vigil page").digest()
    assert made in {bytes(row[0]) for row in reader.rows("urls")}
