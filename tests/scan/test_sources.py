"""Every item of every kind of source has a result; what cannot be hashed is unknown, with its reason."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer
from tests.hma.world import site
from tests.scan.conftest import Look, Samples

from vigil.base.errors import InputError
from vigil.base.limits import Limit
from vigil.scan import archives, buckets
from vigil.scan.model import Item, Unreadable
from vigil.scan.sources import FileReader


def test_a_folder(samples: Samples, look: Look, tmp_path: Path) -> None:
    wanted = samples.spread(tmp_path / "in" / "deep" / "down")
    (tmp_path / "in" / "link").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "in" / "pipe")
    (tmp_path / "in" / os.fsdecode(b"\xff\xfe.png")).write_bytes(samples.listed)
    found = look(tmp_path / "in")
    assert {name: found[f"deep/down/{name}"].verdict for name in wanted} == wanted
    assert {name: found[name].reason for name in ("link", "pipe")} == {"link": "link", "pipe": "not_a_file"}
    assert found["\N{REPLACEMENT CHARACTER}" * 2 + ".png"].verdict == "listed"
    assert len(found) == len(wanted) + 3
    reasons = {name: found[f"deep/down/{name}"].reason for name in ("flat.png", "text", "empty")}
    assert reasons == {"flat.png": "low_quality", "text": "not_an_image", "empty": "empty"}
    listed = found["deep/down/near.jpg"]
    assert (listed.list, listed.entry, listed.signal) == ("pictures", 5, "pdq") and listed.distance is not None


def test_a_file_that_went_away_has_a_result(look: Look, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="unreadable"):
        FileReader(str(tmp_path)).read(Item("gone", ("gone",)))


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def tarred(path: Path, members: dict[str, bytes], mode: str) -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)


def members(samples: Samples) -> dict[str, bytes]:
    many = {f"many/{number}.png": samples.other for number in range(70)}
    return {"a/listed.png": samples.listed, "flat.png": samples.flat, "text": b"quimber", "inner.zip": b"PK", **many}


def test_a_zip(samples: Samples, look: Look, tmp_path: Path) -> None:
    zipped(tmp_path / "x.zip", members(samples))
    found = look(tmp_path / "x.zip")
    assert found["x.zip!a/listed.png"].verdict == "listed"
    assert found["x.zip!inner.zip"].reason == "nested_archive"
    assert len(found) == 74


@pytest.mark.parametrize(("name", "mode"), [("x.tar", "w"), ("x.tar.gz", "w:gz"), ("x.tgz", "w:gz"), ("x.tar.xz", "w:xz")])
def test_a_tar(samples: Samples, look: Look, tmp_path: Path, name: str, mode: str) -> None:
    tarred(tmp_path / name, members(samples), mode)
    found = look(tmp_path / name)
    assert found[f"{name}!a/listed.png"].verdict == "listed"
    assert found[f"{name}!link"].reason == "link"
    assert {found[f"{name}!many/{number}.png"].verdict for number in range(70)} == {"not_listed"}
    assert len(found) == 75


def test_archives_in_a_folder_are_opened(samples: Samples, look: Look, tmp_path: Path) -> None:
    samples.spread(tmp_path / "in")
    zipped(tmp_path / "in" / "x.zip", {"listed.png": samples.listed})
    assert look(tmp_path / "in")["x.zip!listed.png"].verdict == "listed"


def test_bombs_cost_one_member(look: Look, samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped(tmp_path / "x.zip", {"bomb": bytes(20_000_000), "listed.png": samples.listed})
    found = look(tmp_path / "x.zip")
    assert (found["x.zip!bomb"].reason, found["x.zip!listed.png"].verdict) == ("archive_bomb", "listed")
    monkeypatch.setattr(archives, "MEMBERS", Limit(5, "members", "test"))
    zipped(tmp_path / "many.zip", {str(number): b"x" for number in range(10)})
    found = look(tmp_path / "many.zip")
    assert found["many.zip!"].reason == "archive_bomb" and len(found) == 6


def test_a_member_that_lies_about_its_size(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory says little, the stream goes on: reading ends at the bound."""
    zipped(tmp_path / "x.zip", {"liar": bytes(3000)})
    raw = (tmp_path / "x.zip").read_bytes().replace((3000).to_bytes(4, "little"), (30).to_bytes(4, "little"))
    (tmp_path / "x.zip").write_bytes(raw)
    assert look(tmp_path / "x.zip")["x.zip!liar"].verdict == "unknown"


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz"])
@pytest.mark.parametrize("cut", [0, 30, 2000])
def test_damaged_archives_are_said_to_be_damaged(samples: Samples, look: Look, tmp_path: Path, name: str, cut: int) -> None:
    if name == "x.zip":
        zipped(tmp_path / name, {"listed.png": samples.listed, "other.png": samples.other}, zipfile.ZIP_STORED)
    else:
        tarred(tmp_path / name, {"listed.png": samples.listed, "other.png": samples.other}, "w:gz" if "gz" in name else "w")
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:cut])
    found = look(tmp_path / name)
    assert found and all(result.verdict == "unknown" for result in found.values())
    assert {result.reason for result in found.values()} <= {"archive_damaged"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3-compatible server on loopback."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_bucket(samples: Samples, look: Look, tmp_path: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", "zorblat"), ("AWS_SECRET_ACCESS_KEY", "zorblat"),
                        ("AWS_DEFAULT_REGION", "us-east-1")):  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(buckets, "S3_PAGE", Limit(3, "keys", "several pages"))
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="scanned")
    wanted = samples.spread(tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        client.put_object(Bucket="scanned", Key=f"media/{path.name}", Body=path.read_bytes())
    client.put_object(Bucket="scanned", Key="elsewhere/listed.png", Body=samples.listed)
    found = look("s3://scanned/media/")
    assert {name: found[f"media/{name}"].verdict for name in wanted} == wanted
    assert len(found) == len(wanted)


def test_a_bucket_without_an_endpoint_is_refused(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    buckets._store.cache_clear()
    with pytest.raises(InputError, match="endpoint"):
        look("s3://zorblat/")


def test_parquet(samples: Samples, look: Look, tmp_path: Path) -> None:
    data = [samples.listed, samples.flat, None, b"", *[samples.other] * 100]
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"id": range(len(data)), "file": pa.array(data, pa.binary())}), path, row_group_size=30)
    found = look(path)
    assert [found[f"x.parquet#{row}"].verdict for row in range(5)] == ["listed", "unknown", "unknown", "unknown", "not_listed"]
    assert len(found) == len(data)
    assert found["x.parquet#2"].reason == "empty"
    with pytest.raises(InputError, match="column"):
        pq.write_table(pa.table({"id": [1]}), tmp_path / "y.parquet")
        look(tmp_path / "y.parquet")


def test_addresses_of_hosts_that_the_operator_owns(look: Look, tmp_path: Path) -> None:
    with site() as base:
        lines = [f"{base}/picture", f"{base}/absent", f"{base}/away", "http://quimber.example/", "zorblat", "x" * 70_000]
        (tmp_path / "list").write_text("\n".join(lines) + "\n")
        host = base.removeprefix("http://")
        found = look(f"urls:{tmp_path / 'list'}", hosts=(host,), networks=("127.0.0.0/8",))
        table = pa.table({"at": [f"{base}/picture", None]})
        pq.write_table(table, tmp_path / "at.parquet")
        by_table = look(tmp_path / "at.parquet", "at", hosts=(host,), networks=("127.0.0.0/8",))
        unnamed = look(f"urls:{tmp_path / 'list'}")
    assert [found[f"list#{line}"].reason for line in range(1, 7)] == [
        None, "fetch_failed", "fetch_refused", "fetch_refused", "fetch_refused", "address_too_long",
    ]  # fmt: skip
    assert found["list#1"].verdict == "not_listed"
    assert [by_table[f"at.parquet#{row}"].verdict for row in (0, 1)] == ["not_listed", "unknown"]
    assert unnamed["list#1"].reason == "fetch_off"
    assert not any("127.0.0.1" in result.item for result in found.values())


def test_a_source_that_is_not_there(look: Look, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        look(tmp_path / "absent")
