"""The specification is enough: a reader and a client that know nothing of our code end with exactly the same list.

Everything between the two marks below uses only the words of ``docs/spec/edition-format.md`` (and of
``docs/spec/canonical-url.md`` for the text that is digested), public libraries, and no module of ours.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tests.editions.world import Host, Hotline, some_contents
from tuf.ngclient import Updater

from vigil.base import limits as base_limits
from vigil.editions import limits
from vigil.editions.load import load_edition
from vigil.editions.manifest import Manifest
from vigil.editions.refusal import Refusal
from vigil.editions.wire import COLUMNS, DELTA_COLUMNS

SPECIFICATION = Path(__file__).parents[2] / "docs" / "spec" / "edition-format.md"


# ---- a reader of its own ---------------------------------------------------------------------------------------------
class PlainReader:
    """Fetches with a stock TUF client, reads with pyarrow."""

    def __init__(self, address: str, folder: Path, root: bytes) -> None:
        for name in ("metadata", "targets"):
            (folder / name).mkdir(parents=True)
        self.updater = Updater(
            str(folder / "metadata"),
            f"{address}/metadata/",
            str(folder / "targets"),
            f"{address}/targets/",
            bootstrap=root,
        )
        self.manifest = json.loads(self.file("edition.json"))

    def file(self, name: str) -> bytes:
        found = self.updater.get_targetinfo(name)
        assert found is not None
        return Path(self.updater.download_target(found)).read_bytes()

    def rows(self, name: str) -> list[dict[str, Any]]:
        data = self.file(name)
        assert hashlib.sha256(data).hexdigest() == self.manifest["files"][name]["sha256"]
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
        return rows

    def state(self) -> str:
        digest = hashlib.sha256()
        for name in sorted(self.manifest["files"]):
            rows = self.rows(name)
            digest.update(name.encode() + b"\0" + len(rows).to_bytes(8, "little"))
            for column in self.manifest["files"][name]["columns"]:
                for piece in pieces([row[column["name"]] for row in rows], column["type"]):
                    digest.update(piece)
        return digest.hexdigest()


def pieces(values: list[Any], kind: str) -> Iterator[bytes]:
    if kind in ("string", "bytes"):
        encoded = [value.encode() if kind == "string" else value for value in values]
        yield from (len(value).to_bytes(4, "little") for value in encoded)
        yield from encoded
    elif kind in ("bytes16", "bytes8"):
        yield from values
    else:
        size, signed = {"uint8": (1, False), "uint16": (2, False), "uint64": (8, False), "int64": (8, True)}[kind]
        yield from (value.to_bytes(size, "little", signed=signed) for value in values)


def key(scope: str, text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16, person=f"vigil {scope}".encode()).digest()


def host(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=8, person=b"vigil hostname").digest()


# ---- and ours --------------------------------------------------------------------------------------------------------


def test_an_independent_reader_ends_with_the_same_list(
    hotline: Hotline, host: Host, tmp_path: Path
) -> None:
    from vigil.base.clock import SystemClock

    hotline.clock.advance(seconds=(SystemClock().now() - hotline.now).total_seconds())
    contents = some_contents(12)
    hotline.publish(contents)
    reader = PlainReader(host.address, tmp_path / "plain", hotline.keys.root)
    ours = load_edition(hotline.repository)
    rows = reader.rows("urls.parquet")
    assert [row["key"] for row in rows] == [bytes(each) for each in ours.urls.keys]
    assert [row["entry"] for row in rows] == ours.urls.entries.tolist()
    hashes = {(row["algorithm"], row["value"], row["entry"]) for row in reader.rows("hashes.parquet")}
    assert hashes == {(entry.algorithm, entry.value, entry.entry) for entry in contents.hashes}
    assert reader.state() == reader.manifest["state"]["value"]


def test_keys_are_made_as_the_specification_says(hotline: Hotline) -> None:
    hotline.publish(some_contents(2))
    ours = load_edition(hotline.repository)
    keys = {bytes(each) for each in ours.urls.keys}
    assert keys == {
        key("prefix", "zorblat-1.example/quimber/1/"),
        key("page", "zorblat-2.example/quimber/2/"),
    }
    assert {bytes(each) for each in ours.hosts.keys} == {host("zorblat-1.example"), host("zorblat-2.example")}


def test_the_specification_names_all_there_is() -> None:
    text = SPECIFICATION.read_text()
    for name, columns in COLUMNS.items():
        section = text.split(f"### `{name}`")[1].split("\n#")[0]
        found = re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE)
        assert found == [(column.name, column.type) for column in columns], name
    section = text.split("## Deltas")[1].split("\n## ")[0]
    found = re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE)
    assert found == [(column.name, column.type) for column in DELTA_COLUMNS]
    section = text.split("## `edition.json`")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(Manifest.__struct_fields__)
    section = text.split("## Reasons for refusing")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == {code.value for code in Refusal}


def test_the_specification_names_the_limits() -> None:
    section = SPECIFICATION.read_text().split("## Limits")[1].split("\n## ")[0]
    named = {int(number.replace(",", "")) for number in re.findall(r"\| ([\d,]+) \|", section)}
    assert named == {
        limits.MANIFEST_BYTES.value,
        limits.ROWS.value,
        limits.ROW_GROUP_ROWS.value,
        limits.ROW_GROUP_BYTES.value,
        limits.LISTS.value,
        limits.LABELS.value,
        limits.LABEL_SETS.value,
        limits.NAME_BYTES.value,
        limits.DELTAS.value,
        limits.DELTA_BYTES.value,
        limits.DELTA_ROWS.value,
        limits.PARTNERS.value,
        limits.DIGEST_KEYS.value,
        base_limits.EDITION_FILE_BYTES.value,
        base_limits.METADATA_BYTES.value,
    }


