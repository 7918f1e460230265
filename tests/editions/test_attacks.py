"""The catalogue: each attack on The Update Framework's list, the wrong clocks and the full disk, against the client.

Names of the attacks: TUF specification, section 1.5.2. Each test asserts the same three things: the refusal has a code
that an operator can act on, what was good stays in force, and an honest host heals the node afterwards.

| Attack | Here |
|---|---|
| arbitrary software | ``test_arbitrary_files``, ``test_another_hotline`` |
| rollback | ``test_rollback`` (each role) |
| fast-forward | ``test_fast_forward``; recovery in ``test_drills.py`` |
| indefinite freeze | ``test_freeze``, ``test_freeze_at_one_role`` |
| endless data | ``test_endless_data`` (each file) |
| extraneous dependencies, wrong delegate | ``test_wrong_delegate``, ``test_a_file_that_does_not_belong`` |
| mix-and-match | ``test_mix_and_match`` |
| wrong software, malicious mirror | ``test_withheld_files`` |
| slow retrieval | ``test_slow_retrieval`` |
| vulnerable to key compromise, wrong threshold | ``test_wrong_threshold``; ``test_drills.py`` |
| clock an hour, a year off | ``TestClocks`` |
| full disk | ``TestFullDisk`` |
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.editions.world import Host, Hotline, altered, client, endless, some_contents, status
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from vigil.editions import fetch
from vigil.editions.client import EditionRefused, EditionUnreachable, number_in_force
from vigil.editions.keys import KeyRing, create_keys
from vigil.editions.load import load_edition
from vigil.editions.model import EditionContents
from vigil.editions.publish import publish
from vigil.editions.roles import canonical_bytes, read_metadata

KINDS: dict[str, Any] = {"root": Root, "targets": Targets, "snapshot": Snapshot, "timestamp": Timestamp}
FILES = ("edition.json", "urls.parquet", "hosts.parquet", "hashes.parquet")
METADATA = ("timestamp.json", "3.snapshot.json", "3.targets.json")


class Besieged:
    """A node that holds edition 2 while edition 3 is out. Whatever comes, it keeps 2, and in the end gets the next."""

    def __init__(self, hotline: Hotline, host: Host, state: Path, folder: Path) -> None:
        self.hotline, self.host, self.state, self.folder = hotline, host, state, folder
        hotline.publish()
        self.first = hotline.copy(folder / "first")
        hotline.publish()
        client(host, hotline, state).pull(hotline.now)
        hotline.clock.advance(hours=1)
        hotline.publish()

    def pull(self) -> str:
        """One pull by a node that was just started; the code of its refusal."""
        with pytest.raises((EditionRefused, EditionUnreachable)) as found:
            client(self.host, self.hotline, self.state).pull(self.hotline.now)
        assert found.value.mend or found.value.what
        assert number_in_force(self.state) == 2
        assert load_edition(self.state).number == 2
        return found.value.code

    def heals(self) -> None:
        """With the next edition: what was signed with our own keys may bind the node to the versions it has seen."""
        self.host.rules = {}
        self.host.folder = self.hotline.repository
        self.hotline.publish()
        assert client(self.host, self.hotline, self.state).pull(self.hotline.now).number == 4

    def file(self, name: str) -> Path:
        return self.hotline.repository / "metadata" / name

    def forge(self, name: str, change: Callable[[Any], None], keys: KeyRing | None = None) -> bytes:
        """Metadata changed and, with ``keys``, signed again by their keys for its role."""
        role = name.removesuffix(".json").split(".")[-1]
        metadata = read_metadata(self.file(name).read_bytes(), KINDS[role])
        change(metadata.signed)
        if keys is not None:
            metadata.signatures.clear()
            for signer in keys.signers[role]:
                metadata.sign(signer, append=True)
        return canonical_bytes(metadata)

    def serve(self, name: str, content: bytes) -> None:
        self.host.rules[name] = altered(lambda _: content)

    def chain(self, targets: bytes, keys: KeyRing) -> None:
        """Serve these targets with a snapshot and a timestamp that lead to them, signed with ``keys``."""
        snapshot = self.forge(
            "3.snapshot.json", lambda s: s.meta.update({"targets.json": MetaFile.from_data(3, targets, ["sha256"])}), keys
        )
        timestamp = self.forge(
            "timestamp.json", lambda s: setattr(s, "snapshot_meta", MetaFile.from_data(3, snapshot, ["sha256"])), keys
        )
        for name, content in (("3.targets.json", targets), ("3.snapshot.json", snapshot), ("timestamp.json", timestamp)):
            self.serve(name, content)


@pytest.fixture
def besieged(hotline: Hotline, host: Host, state: Path, tmp_path: Path) -> Iterator[Besieged]:
    siege = Besieged(hotline, host, state, tmp_path)
    yield siege
    siege.heals()


@pytest.mark.parametrize("name", FILES)
def test_arbitrary_files(besieged: Besieged, name: str) -> None:
    besieged.host.rules[name] = altered(lambda content: bytes(len(content)))
    assert besieged.pull() == "digest"


def test_another_hotline(besieged: Besieged) -> None:
    (besieged.folder / "stranger").mkdir()
    stranger = Hotline(besieged.folder / "stranger")
    for _ in range(4):
        stranger.publish()
    besieged.host.folder = stranger.repository
    assert besieged.pull() == "signature"


def test_rollback(besieged: Besieged) -> None:
    besieged.host.folder = besieged.first
    assert besieged.pull() == "rollback"


def test_rollback_of_the_snapshot_within_a_new_timestamp(besieged: Besieged) -> None:
    """Signed by our own keys: even a hotline's mistake takes no node back."""
    old = (besieged.first / "metadata" / "1.snapshot.json").read_bytes()
    meta = MetaFile.from_data(1, old, ["sha256"])
    forged = besieged.forge("timestamp.json", lambda s: setattr(s, "snapshot_meta", meta), besieged.hotline.keys)
    besieged.serve("timestamp.json", forged)
    assert besieged.pull() == "rollback"


def test_rollback_of_the_targets_within_a_new_snapshot(besieged: Besieged) -> None:
    old = (besieged.first / "metadata" / "1.targets.json").read_bytes()
    besieged.chain(old, besieged.hotline.keys)
    meta = {"targets.json": MetaFile.from_data(1, old, ["sha256"])}
    snapshot = besieged.forge("3.snapshot.json", lambda s: s.meta.update(meta), besieged.hotline.keys)
    besieged.serve("3.snapshot.json", snapshot)
    besieged.serve(
        "timestamp.json",
        besieged.forge(
            "timestamp.json",
            lambda s: setattr(s, "snapshot_meta", MetaFile.from_data(3, snapshot, ["sha256"])),
            besieged.hotline.keys,
        ),
    )
    assert besieged.pull() == "rollback"


@pytest.mark.parametrize("version", [4, 10**9, 2**63 - 1])
def test_fast_forward(besieged: Besieged, version: int) -> None:
    """Without the keys, no version can be pushed ahead; with them, see the drills."""
    besieged.serve("timestamp.json", besieged.forge("timestamp.json", lambda s: setattr(s, "version", version)))
    assert besieged.pull() == "signature"


def test_freeze(besieged: Besieged) -> None:
    besieged.hotline.clock.advance(hours=25)
    assert besieged.pull() == "expired"


@pytest.mark.parametrize("name", METADATA)
def test_freeze_at_one_role(besieged: Besieged, name: str) -> None:
    """A role whose signature ran out is refused, though all that lead to it are fresh and everything is signed."""
    keys, past = besieged.hotline.keys, besieged.hotline.now - timedelta(seconds=1)
    expired = {name: besieged.forge(name, lambda s: setattr(s, "expires", past), keys)}
    if name == "3.targets.json":
        besieged.chain(expired[name], keys)
    elif name == "3.snapshot.json":
        meta = MetaFile.from_data(3, expired[name], ["sha256"])
        besieged.serve(name, expired[name])
        besieged.serve("timestamp.json", besieged.forge("timestamp.json", lambda s: setattr(s, "snapshot_meta", meta), keys))
    else:
        besieged.serve(name, expired[name])
    assert besieged.pull() == "expired"


@pytest.mark.parametrize("name", [*METADATA, *FILES, "2.root.json"])
def test_endless_data(besieged: Besieged, name: str) -> None:
    besieged.host.rules[name] = endless(1 << 30)
    assert besieged.pull() == "length"
    held = sum(path.stat().st_size for path in besieged.state.rglob("*") if path.is_file())
    assert held < 1 << 20, "nothing of it stays on the disk"


@pytest.mark.parametrize("name", ["3.snapshot.json", "3.targets.json"])
def test_mix_and_match(besieged: Besieged, name: str) -> None:
    """Metadata of edition 2 among that of edition 3; all of it signed."""
    besieged.serve(name, besieged.file(name.replace("3", "2")).read_bytes())
    assert besieged.pull() == "digest"


@pytest.mark.parametrize("name", FILES)
def test_mix_and_match_of_files(besieged: Besieged, name: str) -> None:
    old = read_metadata(besieged.file("2.targets.json").read_bytes(), Targets).signed.targets[name].hashes["sha256"]
    content = (besieged.hotline.repository / "targets" / f"{old}.{name}").read_bytes()
    besieged.serve(name, content)
    assert besieged.pull() in {"digest", "length"}


@pytest.mark.parametrize("name", [*METADATA, *FILES])
def test_withheld_files(besieged: Besieged, name: str) -> None:
    besieged.host.rules[name] = status(404)
    assert besieged.pull() == "http_error"


@pytest.mark.parametrize("name", [*METADATA, *FILES])
def test_slow_retrieval(besieged: Besieged, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The headers come, then nothing for longer than the client waits."""
    monkeypatch.setattr(fetch.Patience.__init__, "__defaults__", (5.0, 0.05, 20.0, 1024))

    def stall(handler: Any, content: bytes | None) -> None:
        handler.send_response(200)
        assert content is not None
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:1])
        handler.wfile.flush()
        handler.close_connection = True
        besieged.host.ended.wait(10)

    besieged.host.rules[name] = stall
    assert besieged.pull() == "slow"
    besieged.host.ended.set()
    monkeypatch.undo()


@pytest.mark.parametrize("kept", [0, 1])
def test_wrong_threshold(besieged: Besieged, kept: int) -> None:
    """One of the two signers of an edition is not enough, nor is the same one twice."""
    signer = besieged.hotline.keys.signers["targets"][kept]
    one = KeyRing(besieged.hotline.keys.roots, besieged.hotline.keys.signers | {"targets": (signer, signer)})
    besieged.chain(besieged.forge("3.targets.json", lambda s: None, one), besieged.hotline.keys)
    assert besieged.pull() == "signature"


def test_wrong_threshold_of_a_new_root(besieged: Besieged) -> None:
    """A root with new keys, signed by one of the three that must agree by two."""
    other = create_keys(besieged.folder / "other", besieged.hotline.now)
    root = read_metadata(other.root, Root)
    root.signed.version = 2
    stolen = besieged.hotline.keys_folder / "offline" / "root-1.pem"
    signers = [
        _signer(path) for path in (stolen, *sorted((besieged.folder / "other" / "offline").iterdir()))
    ]
    root.signatures.clear()
    for signer in signers:
        root.sign(signer, append=True)
    besieged.serve("2.root.json", canonical_bytes(root))
    assert besieged.pull() == "signature"


def _signer(path: Path) -> Any:
    from vigil.editions.keys import signer_at

    return signer_at(path, Root())


def test_wrong_delegate(besieged: Besieged) -> None:
    """A delegation in our own targets lends nobody the right to an edition's files: they come from the top role only."""
    keys = besieged.hotline.keys
    stranger = create_keys(besieged.folder / "other", besieged.hotline.now).signers["targets"][0]
    role = DelegatedRole("zorblat", [stranger.public_key.keyid], 1, terminating=True, paths=["*"])

    def lend(targets: Targets) -> None:
        targets.delegations = Delegations({stranger.public_key.keyid: stranger.public_key}, {"zorblat": role})
        del targets.targets["urls.parquet"]

    built = besieged.hotline.build(some_contents())
    delegated = Targets(version=1, expires=besieged.hotline.now + timedelta(days=7))
    delegated.targets["urls.parquet"] = TargetFile.from_data("urls.parquet", built.files["urls.parquet"], ["sha256"])
    metadata = Metadata(delegated)
    metadata.sign(stranger)
    besieged.serve("1.zorblat.json", canonical_bytes(metadata))
    besieged.chain(besieged.forge("3.targets.json", lend, keys), keys)
    assert besieged.pull() in {"metadata", "missing"}


def test_a_key_of_another_role(besieged: Besieged) -> None:
    """The timestamp's key signs an edition, the snapshot's key a timestamp: a key counts for its role only."""
    signers = besieged.hotline.keys.signers
    wrong = KeyRing(besieged.hotline.keys.roots, signers | {"timestamp": signers["snapshot"]})
    besieged.serve("timestamp.json", besieged.forge("timestamp.json", lambda s: setattr(s, "version", 9), wrong))
    assert besieged.pull() == "signature"


def test_a_file_that_does_not_belong(hotline: Hotline, host: Host, state: Path) -> None:
    """A signed file more than the format has is not fetched."""
    built = hotline.build(EditionContents(some_contents().lists, (), ()))
    built.files["zorblat.exe"] = b"quimber"
    publish(hotline.repository, built, hotline.keys, hotline.now)
    folder = client(host, hotline, state).pull(hotline.now).folder
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert host.fetched("zorblat.exe") == 0


class TestClocks:
    """A clock that is wrong neither brings an old edition into force nor loses a good one, and is named as the cause."""

    @pytest.mark.parametrize("off", [timedelta(hours=-1), timedelta(hours=1), timedelta(hours=-23)])
    def test_an_hour_off(self, besieged: Besieged, off: timedelta) -> None:
        """Ahead by an hour nothing has expired; behind by more than five minutes, an edition is from the future."""
        now = besieged.hotline.now + off
        pulling = client(besieged.host, besieged.hotline, besieged.state)
        if off > timedelta(0):
            assert pulling.pull(now).number == 3
            return
        with pytest.raises(EditionRefused) as found:
            pulling.pull(now)
        assert found.value.code == "clock_skew"
        assert number_in_force(besieged.state) == 2

    @pytest.mark.parametrize("days", [365, 3650])
    def test_years_ahead(self, besieged: Besieged, days: int) -> None:
        """Everything looks expired, the root too; the host's own clock tells whose fault it is."""
        with pytest.raises(EditionRefused) as found:
            client(besieged.host, besieged.hotline, besieged.state).pull(besieged.hotline.now + timedelta(days=days))
        assert found.value.code == "clock_skew"
        assert load_edition(besieged.state).number == 2

    def test_a_year_behind(self, besieged: Besieged) -> None:
        with pytest.raises(EditionRefused) as found:
            client(besieged.host, besieged.hotline, besieged.state).pull(besieged.hotline.now - timedelta(days=365))
        assert found.value.code == "clock_skew"
        assert load_edition(besieged.state).number == 2

    def test_a_host_that_lies_about_the_time_gains_nothing(self, besieged: Besieged) -> None:
        """Its clock is used for words only: what has expired stays refused."""
        besieged.host.clock_error = timedelta(hours=-25)
        besieged.hotline.clock.advance(hours=25)
        assert besieged.pull() == "clock_skew"


class TestFullDisk:
    """No space left, at any step: the edition in force stays whole, the reason is named, space heals it."""

    def test_at_any_step(self, besieged: Besieged, monkeypatch: pytest.MonkeyPatch) -> None:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        codes = []
        for steps in range(200):
            left = iter(range(steps))

            def write(*arguments: Any, left: Iterator[int] = left, really: Any = None, **options: Any) -> Any:
                if next(left, None) is None:
                    raise full
                return really(*arguments, **options)

            with monkeypatch.context() as patch:
                for owner, name in ((os, "fsync"), (Path, "mkdir"), (Path, "symlink_to"), (tempfile, "NamedTemporaryFile")):
                    really = getattr(owner, name)
                    patch.setattr(owner, name, _bound(write, really))
                try:
                    pulled = client(besieged.host, besieged.hotline, besieged.state).pull(besieged.hotline.now)
                except EditionUnreachable as error:
                    codes.append(error.code)
                    assert "disk" in error.mend
                    assert "No space left" in error.where
                    assert load_edition(besieged.state).number in {2, 3}
                else:
                    assert pulled.number == 3
                    break
        assert set(codes) == {"state_unwritable"}
        assert len(codes) > 8

    def test_while_a_file_is_written(self, besieged: Besieged, monkeypatch: pytest.MonkeyPatch) -> None:
        """The disk fills in the middle of a file, as far as the client can tell: half a file, then the error."""
        from tuf.ngclient import Updater

        def half(self: Updater, target: TargetFile, path: str) -> str:
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(Updater, "download_target", half)
            assert besieged.pull() == "state_unwritable"


def _bound(write: Callable[..., Any], really: Any) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        return write(*arguments, really=really, **options)

    return call


