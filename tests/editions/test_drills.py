"""Drills: a key is lost, a key is stolen. Each ends with partners on our edition again, and nobody has touched a node.

The procedure for people is in ``docs/explain/keys.md``.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.editions.world import Hotline, page, some_contents
from tuf.api.metadata import Metadata, Root, Snapshot, Timestamp

from vigil.base.errors import InputError, RefusedError
from vigil.editions.build import build_edition
from vigil.editions.ceremony import Elsewhere, revoke_keys, rotate_keys
from vigil.editions.client import EditionClient, EditionRefused, EditionUnreachable
from vigil.editions.draft import publish_draft, read_draft, root_of, sign_draft, write_draft
from vigil.editions.keys import KeyRing, create_keys, describe_keys, signer_at
from vigil.editions.load import load_edition
from vigil.editions.model import EditionContents, HashEntry
from vigil.editions.publish import current_number, publish, recover
from vigil.editions.roles import canonical_bytes, read_metadata
from vigil.editions.verify import verify

ONLINE = ("targets", "release", "snapshot", "timestamp")
FORGED = EditionContents(some_contents().lists, (page(666),), ())


def root_keys(hotline: Hotline, *numbers: int) -> list[Path]:
    return [hotline.keys_folder / "offline" / f"root-{number}.pem" for number in numbers or (1, 2)]


def restart(hotline: Hotline) -> None:
    """The office starts again and so reads its keys anew."""
    hotline.keys = KeyRing.load(hotline.keys_folder)


def refusal(pulling: EditionClient, hotline: Hotline) -> str:
    with pytest.raises((EditionRefused, EditionUnreachable)) as found:
        pulling.pull(hotline.now)
    return found.value.code


@pytest.fixture
def node(hotline: Hotline, state: Path) -> EditionClient:
    """A node that was given the first root, once, and holds edition 1."""
    hotline.publish()
    pulling = EditionClient(str(hotline.repository), state, hotline.keys.roots[0])
    pulling.pull(hotline.now)
    return pulling


class Thief:
    """Somebody with a copy of what lay in the office: our folder and all online keys; never the offline ones."""

    def __init__(self, hotline: Hotline, folder: Path) -> None:
        self.hotline = hotline
        self.repository = hotline.copy(folder / "theirs")
        self.keys = KeyRing.load(shutil.copytree(hotline.keys_folder, folder / "stolen"))

    def publish(self, number: int, contents: EditionContents = FORGED) -> None:
        previous = current_number(self.repository)
        built = build_edition(contents, number=number, previous=previous, issued_at=self.hotline.now)
        publish(self.repository, built, self.keys, self.hotline.now)

    def hurry(self, role: str, version: int) -> None:
        """Sign the metadata of a role again with a version that is far ahead."""
        kind = {"snapshot": Snapshot, "timestamp": Timestamp}[role]
        folder = self.repository / "metadata"
        path = folder / ("1.snapshot.json" if role == "snapshot" else "timestamp.json")
        metadata: Metadata[Any] = read_metadata(path.read_bytes(), kind)
        metadata.signed.version = version
        metadata.sign(self.keys.signers[role][0])
        (folder / (f"{version}.snapshot.json" if role == "snapshot" else "timestamp.json")).write_bytes(
            canonical_bytes(metadata)
        )


class TestALostKey:
    """The key is gone, nobody has it: rotate; nodes follow by themselves."""

    @pytest.mark.parametrize("name", ONLINE)
    def test_partners_recover_without_hands(self, hotline: Hotline, node: EditionClient, name: str) -> None:
        (hotline.keys_folder / f"{name}.pem").unlink()
        change = rotate_keys(hotline.keys_folder, [name], root_keys(hotline), hotline.now)
        assert change.root_version == 2
        restart(hotline)
        hotline.publish()
        assert node.pull(hotline.now).number == 2
        assert verify(hotline.repository, root=hotline.keys.roots[0], now=hotline.now).problems == ()

    @pytest.mark.parametrize("name", ["snapshot", "timestamp"])
    def test_a_refresh_is_enough_for_keys_that_sign_no_edition(
        self, hotline: Hotline, node: EditionClient, name: str
    ) -> None:
        rotate_keys(hotline.keys_folder, [name], root_keys(hotline), hotline.now)
        restart(hotline)
        assert hotline.refresh()
        assert not hotline.refresh()
        assert not node.pull(hotline.now).fresh
        assert verify(hotline.repository, root=hotline.keys.roots[0], now=hotline.now).problems == ()

    def test_until_a_new_edition_is_signed_nodes_keep_the_old_one(self, hotline: Hotline, node: EditionClient) -> None:
        rotate_keys(hotline.keys_folder, ["targets"], root_keys(hotline), hotline.now)
        restart(hotline)
        with pytest.raises(RefusedError) as found:
            hotline.refresh()
        assert found.value.code == "edition_key_gone"
        assert not node.pull(hotline.now).fresh

    def test_a_lost_root_key_is_replaced_with_the_two_that_are_left(self, hotline: Hotline, node: EditionClient) -> None:
        root_keys(hotline, 3)[0].unlink()
        before = describe_keys(hotline.keys_folder).key_ids["root"]
        change = rotate_keys(hotline.keys_folder, ["root"], root_keys(hotline, 1, 2), hotline.now)
        after = describe_keys(hotline.keys_folder).key_ids["root"]
        assert (after[:2], len(set(after) - set(before))) == (before[:2], 1)
        # The new third key signs from now on, as one of two.
        rotate_keys(hotline.keys_folder, ["timestamp"], [*root_keys(hotline, 2), *change.written], hotline.now)
        restart(hotline)
        hotline.publish()
        assert node.pull(hotline.now).number == 2

    def test_a_node_that_slept_through_many_roots_follows(self, hotline: Hotline, node: EditionClient) -> None:
        for name in (*ONLINE, *ONLINE):
            hotline.clock.advance(days=20)
            rotate_keys(hotline.keys_folder, [name], root_keys(hotline), hotline.now)
        restart(hotline)
        hotline.publish()
        assert len(hotline.keys.roots) == 9
        assert node.pull(hotline.now).number == 2

    def test_a_power_cut_between_new_root_and_commit_heals_with_the_next_refresh(
        self, hotline: Hotline, node: EditionClient, state: Path
    ) -> None:
        rotate_keys(hotline.keys_folder, ["timestamp"], root_keys(hotline), hotline.now)
        restart(hotline)
        (hotline.repository / "metadata" / "2.root.json").write_bytes(hotline.keys.root)
        assert refusal(node, hotline) == "signature"
        assert load_edition(state).number == 1
        recover(hotline.repository)
        assert hotline.refresh()
        assert node.pull(hotline.now).number == 1


class TestAStolenKey:
    """Somebody else signs with it: revoke; nodes refuse the thief's editions and come back to ours."""

    def test_one_of_the_two_signers_is_not_enough(self, hotline: Hotline, node: EditionClient, tmp_path: Path) -> None:
        thief = Thief(hotline, tmp_path)
        for signer in thief.keys.signers["targets"]:
            thief.keys.signers["targets"] = (signer,)
            with pytest.raises(RefusedError) as found:
                thief.publish(2)
            assert found.value.code == "release_missing"
        # And where the thief's tools do not mind, nodes do.
        root = read_metadata(thief.keys.roots[0], Root)
        root.signed.roles["targets"].threshold = 1
        thief.keys = KeyRing((canonical_bytes(root),), thief.keys.signers)
        (thief.repository / "metadata" / "1.root.json").write_bytes(thief.keys.root)
        thief.publish(2)
        node._fetcher._folder = thief.repository  # type: ignore[union-attr]
        assert refusal(node, hotline) == "signature"

    @pytest.mark.parametrize("number", [2, 3, 2**62])
    def test_from_a_forged_edition_back_to_ours(
        self, hotline: Hotline, node: EditionClient, state: Path, tmp_path: Path, number: int
    ) -> None:
        """The thief's edition has our next number, a higher one, or one that we can never get above."""
        thief = Thief(hotline, tmp_path)
        thief.publish(number)
        node._fetcher._folder = thief.repository  # type: ignore[union-attr]
        assert node.pull(hotline.now).number == number
        assert load_edition(state).urls.entries.tolist() == [666]

        revoke_keys(hotline.keys_folder, ["targets", "release"], root_keys(hotline), hotline.now)
        restart(hotline)
        hotline.publish()
        node._fetcher._folder = hotline.repository  # type: ignore[union-attr]
        pulled = node.pull(hotline.now)
        assert (pulled.number, pulled.fresh) == (2, True)
        assert 666 not in load_edition(state).urls.entries.tolist()
        assert not node.pull(hotline.now).fresh

        thief.publish(number + 1)
        node._fetcher._folder = thief.repository  # type: ignore[union-attr]
        assert refusal(node, hotline) == "signature", "although the thief's host holds our new root back"
        shutil.copy(hotline.repository / "metadata" / "2.root.json", thief.repository / "metadata")
        assert refusal(node, hotline) == "signature"
        assert load_edition(state).number == 2

    def test_our_edition_replaces_a_forged_one_of_the_same_number_and_sizes(
        self, hotline: Hotline, node: EditionClient, state: Path, tmp_path: Path
    ) -> None:
        """A process that has compared the thief's files must not take them for ours: only their bytes differ."""

        def one(value: bytes) -> EditionContents:
            return EditionContents(some_contents().lists, (), (HashEntry(7, "pictures", "sha256", value * 2),))

        thief = Thief(hotline, tmp_path)
        thief.publish(2, one(bytes(range(16))))
        node._fetcher._folder = thief.repository  # type: ignore[union-attr]
        sizes = {path.name: path.stat().st_size for path in node.pull(hotline.now).folder.iterdir()}
        revoke_keys(hotline.keys_folder, ["targets", "release"], root_keys(hotline), hotline.now)
        restart(hotline)
        hotline.publish(one(bytes(range(100, 116))))
        node._fetcher._folder = hotline.repository  # type: ignore[union-attr]
        pulled = node.pull(hotline.now)
        assert {path.name: path.stat().st_size for path in pulled.folder.iterdir()} == sizes
        assert (pulled.number, pulled.fresh) == (2, True)
        assert load_edition(state).hashes["sha256"].values.tobytes() == bytes(range(100, 116)) * 2

    @pytest.mark.parametrize("role", ["snapshot", "timestamp"])
    def test_versions_pushed_far_ahead_are_forgotten(
        self, hotline: Hotline, node: EditionClient, tmp_path: Path, role: str
    ) -> None:
        """The fast-forward attack: nothing false is shown, but nodes would refuse our lower versions for ever."""
        thief = Thief(hotline, tmp_path)
        if role == "snapshot":
            thief.hurry("snapshot", 10**9)
            path = thief.repository / "metadata" / "timestamp.json"
            metadata = read_metadata(path.read_bytes(), Timestamp)
            metadata.signed.snapshot_meta.version = 10**9
            metadata.signed.snapshot_meta.length = metadata.signed.snapshot_meta.hashes = None
            path.write_bytes(canonical_bytes(metadata))
        thief.hurry("timestamp", 10**9)
        node._fetcher._folder = thief.repository  # type: ignore[union-attr]
        node.pull(hotline.now)
        node._fetcher._folder = hotline.repository  # type: ignore[union-attr]
        hotline.publish()
        assert refusal(node, hotline) == "rollback"
        revoke_keys(hotline.keys_folder, [role], root_keys(hotline), hotline.now)
        restart(hotline)
        assert hotline.refresh()
        assert node.pull(hotline.now).number == 2

    def test_a_rotation_alone_lifts_no_protection_from_what_is_still_signed(
        self, hotline: Hotline, node: EditionClient, state: Path, tmp_path: Path
    ) -> None:
        """New snapshot and timestamp keys make nodes forget versions, but not the number of the edition in force."""
        old = hotline.copy(tmp_path / "old")
        hotline.publish()
        node.pull(hotline.now)
        rotate_keys(hotline.keys_folder, ["snapshot", "timestamp"], root_keys(hotline), hotline.now)
        restart(hotline)
        shutil.rmtree(hotline.repository)
        shutil.copytree(old, hotline.repository)
        assert hotline.refresh()
        assert refusal(node, hotline) == "rollback"
        assert load_edition(state).number == 2

    def test_a_stolen_root_key_is_useless_alone_and_replaced_by_the_others(self, hotline: Hotline, tmp_path: Path) -> None:
        stolen = shutil.copytree(hotline.keys_folder, tmp_path / "stolen")
        with pytest.raises(RefusedError) as found:
            rotate_keys(stolen, ["targets"], [stolen / "offline" / "root-3.pem"] * 2, hotline.now)
        assert found.value.code == "root_keys_few"
        revoke_keys(hotline.keys_folder, ["root"], root_keys(hotline, 1, 2), hotline.now)
        with pytest.raises(RefusedError) as found:
            rotate_keys(
                hotline.keys_folder, ["targets"], [root_keys(hotline, 1)[0], stolen / "offline" / "root-3.pem"], hotline.now
            )
        assert found.value.code == "root_key_not_named"
        assert describe_keys(hotline.keys_folder).root_version == 2


class TestTheCeremony:
    """What is refused changes nothing; what is interrupted can be done again."""

    @pytest.mark.parametrize(
        ("names", "keys", "code"),
        [
            ([], (1, 2), "role_unknown"),
            (["zorblat"], (1, 2), "role_unknown"),
            (["targets"], (1,), "root_keys_few"),
            (["targets"], (2, 2), "root_keys_few"),
            (["root"], (1, 2, 3), "nothing_to_replace"),
            (["targets"], (1, 9), "key_unreadable"),
        ],
    )
    def test_refusals(self, hotline: Hotline, names: list[str], keys: tuple[int, ...], code: str) -> None:
        before = {path: path.read_bytes() for path in hotline.keys_folder.rglob("*") if path.is_file()}
        (hotline.keys_folder / "offline" / "root-9.pem").write_bytes(b"quimber")
        (hotline.keys_folder / "offline" / "root-9.pem").chmod(0o600)
        with pytest.raises((InputError, RefusedError)) as found:
            rotate_keys(hotline.keys_folder, names, root_keys(hotline, *keys), hotline.now)
        assert found.value.code == code
        (hotline.keys_folder / "offline" / "root-9.pem").unlink()
        assert {path: path.read_bytes() for path in hotline.keys_folder.rglob("*") if path.is_file()} == before

    def test_a_clock_that_went_back_signs_no_root(self, hotline: Hotline) -> None:
        hotline.clock.advance(days=-1)
        with pytest.raises(RefusedError) as found:
            rotate_keys(hotline.keys_folder, ["targets"], root_keys(hotline), hotline.now)
        assert found.value.code == "clock_backwards"

    def test_a_power_cut_at_any_step_leaves_keys_that_work(
        self, hotline: Hotline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class PowerCut(BaseException):
            pass

        versions = []
        for steps in range(100):
            folder = shutil.copytree(hotline.keys_folder, tmp_path / f"keys-{steps}")
            left = iter(range(steps))

            def sync(descriptor: int, left=left) -> None:  # type: ignore[no-untyped-def]
                if next(left, None) is None:
                    raise PowerCut

            paths = [folder / "offline" / f"root-{number}.pem" for number in (1, 2)]
            try:
                with monkeypatch.context() as patch:
                    patch.setattr(os, "fsync", sync)
                    revoke_keys(folder, ["targets"], paths, hotline.now)
            except PowerCut:
                versions.append(len(KeyRing.load(folder).roots))
                assert rotate_keys(folder, ["targets"], paths, hotline.now).root_version == versions[-1] + 1
                assert len(KeyRing.load(folder).signers["targets"]) == 2
            else:
                break
        assert set(versions) == {1, 2}
        assert versions == sorted(versions)

    def test_old_keys_go_and_new_ones_are_private(self, hotline: Hotline) -> None:
        revoke_keys(hotline.keys_folder, ["release"], root_keys(hotline), hotline.now)
        names = sorted(path.name for path in hotline.keys_folder.glob("*.pem"))
        assert names == ["release-2.pem", "snapshot-2.pem", "targets.pem", "timestamp-2.pem"]
        assert {path.stat().st_mode & 0o777 for path in hotline.keys_folder.glob("*.pem")} == {0o600}

    def test_a_key_of_another_signer(self, hotline: Hotline, node: EditionClient, tmp_path: Path) -> None:
        """A signer that securesystemslib reaches by its address; here a file, elsewhere PKCS#11 or a key service."""
        other = create_keys(tmp_path / "other", hotline.now).signers["timestamp"][0].public_key
        public = other._crypto_key().public_bytes(*_pem())  # type: ignore[attr-defined]
        elsewhere = Elsewhere(public, f"file2:{tmp_path / 'other' / 'timestamp.pem'}")
        change = rotate_keys(hotline.keys_folder, ["timestamp"], root_keys(hotline), hotline.now, elsewhere)
        assert [path.name for path in change.written] == ["timestamp-2.uri"]
        restart(hotline)
        hotline.publish()
        assert node.pull(hotline.now).number == 2
        change.written[0].write_text(f"{other.keyid} file2:/nowhere/zorblat.pem\n")
        with pytest.raises(InputError) as found:
            restart(hotline)
        assert found.value.code == "key_unreadable"


def _pem() -> tuple[object, object]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return Encoding.PEM, PublicFormat.SubjectPublicKeyInfo


class TestTwoSigners:
    """The build signs, the release person signs; one alone publishes nothing."""

    def test_a_release_key_that_lies_with_its_person(self, hotline: Hotline, node: EditionClient, tmp_path: Path) -> None:
        key = tmp_path / "release.pem"
        (hotline.keys_folder / "release.pem").rename(key)
        restart(hotline)
        with pytest.raises(RefusedError) as found:
            hotline.publish()
        assert found.value.code == "release_missing"
        assert not node.pull(hotline.now).fresh
        hotline.clock.advance(hours=13)
        assert hotline.refresh(), "what is published stays fresh without the person"

        write_draft(tmp_path / "draft", hotline.build(), hotline.keys, hotline.now)
        with pytest.raises(RefusedError):
            publish_draft(hotline.repository, tmp_path / "draft", hotline.keys, hotline.now)
        assert read_draft(tmp_path / "draft").number == 2
        root = root_of(hotline.keys.root)
        assert sign_draft(tmp_path / "draft", signer_at(key, root), root) == 2
        assert publish_draft(hotline.repository, tmp_path / "draft", hotline.keys, hotline.now) == 2
        assert node.pull(hotline.now).number == 2

    def test_a_draft_that_was_changed_is_not_signed(self, hotline: Hotline, tmp_path: Path) -> None:
        write_draft(tmp_path / "draft", hotline.build(), hotline.keys, hotline.now)
        with pytest.raises(RefusedError) as found:
            write_draft(tmp_path / "draft", hotline.build(), hotline.keys, hotline.now)
        assert found.value.code == "draft_exists"
        path = tmp_path / "draft" / "urls.parquet"
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
        root = root_of(hotline.keys.root)
        for act in (read_draft, lambda folder: sign_draft(folder, hotline.keys.signers["targets"][1], root)):
            with pytest.raises(InputError) as malformed:
                act(tmp_path / "draft")
            assert malformed.value.code == "draft_malformed"

    def test_a_draft_of_a_stranger_is_not_signed(self, hotline: Hotline, tmp_path: Path) -> None:
        stranger = create_keys(tmp_path / "stranger", hotline.now)
        write_draft(tmp_path / "draft", hotline.build(), stranger, hotline.now)
        root = root_of(hotline.keys.root)
        with pytest.raises(RefusedError) as found:
            sign_draft(tmp_path / "draft", hotline.keys.signers["targets"][1], root)
        assert found.value.code == "not_built_here"
        with pytest.raises(RefusedError) as found:
            sign_draft(tmp_path / "draft", hotline.keys.signers["snapshot"][0], root)
        assert found.value.code == "key_not_named"

    def test_a_folder_from_before_goes_on_with_one_signer_until_it_gets_a_second(
        self, hotline: Hotline, tmp_path: Path, state: Path
    ) -> None:
        """The root says how many; an old folder has a root that says one."""
        _one_signer(hotline)
        restart(hotline)
        assert describe_keys(hotline.keys_folder).threshold["targets"] == 1
        hotline.publish()
        node = EditionClient(str(hotline.repository), state, hotline.keys.roots[0])
        node.pull(hotline.now)
        rotate_keys(hotline.keys_folder, ["release"], root_keys(hotline), hotline.now)
        restart(hotline)
        assert describe_keys(hotline.keys_folder).threshold["targets"] == 2
        hotline.publish()
        assert node.pull(hotline.now).number == 2


def _one_signer(hotline: Hotline) -> None:
    """Turn the key folder into one as they were made before there were two signers."""
    path = hotline.keys_folder / "1.root.json"
    metadata = read_metadata(path.read_bytes(), Root)
    metadata.signed.roles["targets"].threshold = 1
    metadata.signed.revoke_key(metadata.signed.roles["targets"].keyids[1], "targets")
    metadata.signatures.clear()
    for key in root_keys(hotline):
        metadata.sign(signer_at(key, metadata.signed), append=True)
    path.write_bytes(canonical_bytes(metadata))
    (hotline.keys_folder / "release.pem").unlink()
