"""An S3-compatible store, by moto's own server: published into and pulled from."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tests.editions.world import Hotline, client, many

from vigil.base.errors import InputError, UnavailableError
from vigil.editions import mirror as mirroring
from vigil.editions.client import EditionRefused, EditionUnreachable
from vigil.editions.load import load_edition
from vigil.editions.mirror import Failed, Mirrored, mirror, mirrored_again

BUCKET = "zorblat"
TARGET = f"s3://{BUCKET}/editions"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    served = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    served.start()
    _, port = served.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    served.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in (
        ("AWS_ENDPOINT_URL", server),
        ("AWS_ACCESS_KEY_ID", "made-up"),
        ("AWS_SECRET_ACCESS_KEY", "made-up"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    store = boto3.resource("s3")
    bucket = store.create_bucket(Bucket=BUCKET)
    yield bucket
    bucket.objects.all().delete()
    bucket.delete()


def names(bucket: Any) -> set[str]:
    return {each.key.removeprefix("editions/") for each in bucket.objects.all()}


def files(hotline: Hotline) -> set[str]:
    return {path.relative_to(hotline.repository).as_posix() for path in hotline.repository.rglob("*") if path.is_file()}


def test_published_into_a_store_and_pulled_from_it(hotline: Hotline, bucket: Any, state: Path) -> None:
    node = client(Path("/"), hotline, state)
    node = type(node)(TARGET, state, hotline.keys.root)
    for first in (1, 2):
        hotline.publish(many(400, first))
        done = mirror(hotline.repository, TARGET)
        assert done.sent > 0
        assert names(bucket) == files(hotline)
        pulled = node.pull(hotline.now)
        assert (pulled.number, pulled.deltas) == (first, first - 1)
        assert load_edition(state).number == first
    assert mirror(hotline.repository, TARGET) == mirroring.Mirrored(0, 0)
    assert not node.pull(hotline.now).fresh


def test_what_is_not_needed_any_more_goes(hotline: Hotline, bucket: Any) -> None:
    removed = 0
    for first in (1, 2, 3):
        hotline.publish(many(20, first))
        removed += mirror(hotline.repository, TARGET).removed
    assert removed > 0
    assert names(bucket) == files(hotline)


def test_an_interrupted_copy_leaves_the_old_state(
    hotline: Hotline, bucket: Any, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hotline.publish(many(20))
    mirror(hotline.repository, TARGET)
    hotline.publish(many(20, 2))

    class BrokenError(Exception):
        pass

    real = mirroring.store_of(mirroring.Patience())
    sent: list[str] = []

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def put_file(self, source: str, target: str, **options: str) -> None:
            sent.append(target)
            if len(sent) > 2:
                raise BrokenError
            real.put_file(source, target, **options)

    with pytest.raises(BrokenError):
        mirror(hotline.repository, TARGET, Dying())
    node = type(client(Path("/"), hotline, state))(TARGET, state, hotline.keys.root)
    assert node.pull(hotline.now).number == 1
    mirror(hotline.repository, TARGET)
    assert node.pull(hotline.now).number == 2


def test_a_store_that_alters_or_withholds_is_found_out(hotline: Hotline, bucket: Any, state: Path) -> None:
    hotline.publish(many(20))
    mirror(hotline.repository, TARGET)
    node = type(client(Path("/"), hotline, state))(TARGET, state, hotline.keys.root)
    node.pull(hotline.now)
    hotline.publish(many(20, 2))
    mirror(hotline.repository, TARGET)
    name = next(name for name in names(bucket) if name.endswith("urls.parquet") and (hotline.repository / name).exists())
    for each in names(bucket):
        if each.endswith("urls.parquet"):
            bucket.Object(f"editions/{each}").put(Body=b"zorblat")
    assert name
    with pytest.raises(EditionRefused) as found:
        node.pull(hotline.now)
    assert found.value.code in {"digest", "length"}
    for each in names(bucket):
        if each.endswith("urls.parquet"):
            bucket.Object(f"editions/{each}").delete()
    with pytest.raises(EditionUnreachable) as missing:
        node.pull(hotline.now)
    assert missing.value.code == "http_error"
    assert load_edition(state).number == 1


def test_nobody_who_named_no_credentials_gets_into_a_store(
    hotline: Hotline, bucket: Any, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hotline.publish(many(20))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UnavailableError) as found:
        mirror(hotline.repository, TARGET)
    assert (found.value.code, found.value.where) == ("store_unreachable", "NoCredentialsError")
    node = type(client(Path("/"), hotline, state))(TARGET, state, hotline.keys.root)
    with pytest.raises(EditionUnreachable):
        node.pull(hotline.now)


def test_a_store_that_is_not_there(hotline: Hotline, bucket: Any, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hotline.publish(many(20))
    with pytest.raises(UnavailableError) as found:
        mirror(hotline.repository, "s3://quimber/editions")
    assert found.value.code == "store_unreachable"
    node = type(client(Path("/"), hotline, state))("s3://quimber/editions", state, hotline.keys.root)
    with pytest.raises(EditionUnreachable):
        node.pull(hotline.now)
    with pytest.raises(InputError, match="S3 store"):
        mirror(hotline.repository, "ftp://quimber.example/")
    with pytest.raises(InputError, match="no edition"):
        mirror(state, TARGET)


def test_copying_for_ever_goes_on_with_longer_pauses() -> None:
    """Twice as long after each failure up to five minutes, and as agreed again after the first copy that comes about."""
    away, well = UnavailableError("store_unreachable", "x"), Mirrored(1, 0)
    outcomes = iter([away, well, away, away, away, InputError("nothing_published", "x"), *[away] * 5, well, well])

    def copy() -> Mirrored:
        if isinstance(found := next(outcomes), Exception):
            raise found
        return found

    found = list(islice(mirrored_again(copy, 10.0), 13))
    assert [pause for _, pause in found] == [20, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 10, 10]
    assert [done.times if isinstance(done, Failed) else done for done, _ in found] == [1, well, *range(1, 10), well, well]
    slow = mirrored_again(lambda: _raise(away), 900.0)
    assert [next(slow)[1] for _ in range(3)] == [900.0] * 3, "never sooner than agreed"


def _raise(error: Exception) -> Any:
    raise error


def test_a_mistake_of_the_operator_ends_it_before_the_first_copy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no edition"):
        next(mirrored_again(lambda: mirror(tmp_path, TARGET), 1.0))
    with pytest.raises(InputError, match="S3 store"):
        next(mirrored_again(lambda: mirror(tmp_path, "elsewhere"), 1.0))


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_outlives_its_store(hotline: Hotline, tmp_path: Path, as_json: bool) -> None:
    """The store is not there when the command starts, then is; the command says both and the edition arrives."""
    hotline.publish(many(20, 1))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "made-up",
                   "AWS_SECRET_ACCESS_KEY": "made-up", "AWS_DEFAULT_REGION": "us-east-1", "PYTHONUNBUFFERED": "1"}  # fmt: skip
    command = [sys.executable, "-m", "vigil.cli", "edition", "mirror", str(hotline.repository), TARGET, "--every", "0.2"]
    told, failed = tmp_path / "told", tmp_path / "failed"
    with told.open("w") as out, failed.open("w") as err:
        running = subprocess.Popen([*command, *(["--json"] if as_json else [])], env=environment, stdout=out, stderr=err)
    try:
        _until(lambda: "trying again in" in failed.read_text())
        assert running.poll() is None
        served = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
        served.start()
        try:
            made = boto3.resource(
                "s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id="x", aws_secret_access_key="x",
                region_name="us-east-1",
            ).create_bucket(Bucket=BUCKET)  # fmt: skip
            wanted = '"sent"' if as_json else "Files sent"
            _until(lambda: wanted in told.read_text())
            assert names(made) == files(hotline)
            made.objects.all().delete()
            made.delete()
        finally:
            served.stop()
    finally:
        running.terminate()
        running.wait(30)
    if as_json:
        lines = [json.loads(line) for line in told.read_text().splitlines()]
        assert lines[0] == {"error": "store_unreachable", "failed": 1, "again_in": 0.4}
    assert "Traceback" not in failed.read_text()


def _until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that")
