"""Lists alone and partners' copies: each partner reads its own and nobody else's, and can forge and name nothing of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tests.editions.world import LISTS, URL_LIST, Host, Hotline, altered, client, many, page, picture, some_contents
from tuf.api.metadata import MetaFile, Snapshot, TargetFile, Targets, Timestamp

from vigil.base.errors import InputError, RefusedError
from vigil.editions.cipher import Identity, new_identity
from vigil.editions.client import EditionClient, EditionRefused, number_in_force
from vigil.editions.load import load_edition
from vigil.editions.model import Edition, EditionContents
from vigil.editions.partners import digest_keys_of, partner_of_key, partners_of, rotate_partner
from vigil.editions.publish import publish, refresh, withdraw_partner
from vigil.editions.release import roles_in_force
from vigil.editions.roles import canonical_bytes, read_metadata
from vigil.editions.shares import Share, shares_by_list
from vigil.editions.verify import verify
from vigil.match.index.url import UrlHit, UrlIndex
from vigil.match.urls import Scope

KINDS: dict[str, Any] = {"snapshot": Snapshot, "timestamp": Timestamp}


@dataclass
class Partner:
    """A partner with an identity of its own and a node."""

    name: str
    identity: Identity
    state: Path

    def share(self, contents: EditionContents, **extra: bytes) -> Share:
        files = {name.replace("_", "."): data for name, data in extra.items()}
        return Share(self.name, contents, self.identity.recipient, files)

    def client(self, host: Host, hotline: Hotline, **options: Any) -> EditionClient:
        settings = {"part": f"partners/{self.name}", "identity": self.identity} | options
        return client(host, hotline, self.state, **settings)

    def edition(self) -> Edition:
        return load_edition(self.state, self.identity)


@pytest.fixture
def acme(tmp_path: Path) -> Partner:
    return Partner("p-acme", Identity(new_identity()), tmp_path / "acme")


@pytest.fixture
def brix(tmp_path: Path) -> Partner:
    return Partner("p-brix", Identity(new_identity()), tmp_path / "brix")


@pytest.fixture
def house(hotline: Hotline, acme: Partner, brix: Partner) -> Hotline:
    """A hotline that published its edition 1 with a copy for each of two partners."""
    hotline.publish(some_contents(), shares=[acme.share(some_contents(4)), brix.share(some_contents(2))])
    return hotline


def sound(hotline: Hotline) -> bool:
    report = verify(hotline.repository, root=hotline.keys.root, now=hotline.now)
    assert report.problems == ()
    return report.ok


def addresses(edition: Edition, *texts: str) -> list[bool]:
    secret = edition.digest_key.secret.open() if edition.digest_key else None
    index = UrlIndex.from_columns(edition.urls, edition.hosts, secret)
    return [isinstance(index.check(text), UrlHit) for text in texts]


class TestTheirOwn:
    def test_each_gets_its_own_entries_and_finds_its_addresses(
        self, house: Hotline, host: Host, acme: Partner, brix: Partner
    ) -> None:
        assert sound(house)
        for partner, count in ((acme, 4), (brix, 2)):
            assert partner.client(host, house).pull(house.now).number == 1
            edition = partner.edition()
            assert sorted(edition.urls.entries.tolist()) == list(range(1, count + 1))
            listed = addresses(edition, *(f"http://zorblat-{n}.example/quimber/{n}/" for n in (1, 2, 3)))
            assert listed == [n <= count for n in (1, 2, 3)]
        assert client(host, house, acme.state.with_name("whole")).pull(house.now).number == 1

    def test_the_same_address_has_another_key_for_each(self, house: Hotline, host: Host, acme: Partner, brix: Partner) -> None:
        for partner in (acme, brix):
            partner.client(host, house).pull(house.now)
        keys = [
            {bytes(key) for key in edition.urls.keys}
            for edition in (acme.edition(), brix.edition(), load_edition(house.repository))
        ]
        hosts = [{bytes(key) for key in edition.hosts.keys} for edition in (acme.edition(), brix.edition())]
        assert not keys[0] & keys[1] and not keys[1] & keys[2] and not keys[0] & keys[2] and not hosts[0] & hosts[1]

    def test_what_lies_on_the_node_is_encrypted_too(self, house: Hotline, host: Host, acme: Partner) -> None:
        folder = acme.client(host, house).pull(house.now).folder
        assert all(path.name.endswith(".age") for path in folder.iterdir())
        with pytest.raises(InputError) as found:
            load_edition(acme.state)
        assert found.value.code == "identity_missing"

    def test_further_files_come_along_encrypted_and_only_where_they_are_wanted(
        self, hotline: Hotline, host: Host, acme: Partner
    ) -> None:
        hotline.publish(some_contents(), shares=[acme.share(some_contents(), keywords_parquet=b"zorblat quimber")])
        assert sound(hotline)
        folder = acme.client(host, hotline, extra=("keywords.parquet", "absent.json")).pull(hotline.now).folder
        assert acme.identity.decrypt((folder / "keywords.parquet.age").read_bytes(), "") == b"zorblat quimber"
        stored = b"".join(path.read_bytes() for path in hotline.repository.rglob("*") if path.is_file())
        assert b"zorblat quimber" not in stored

    def test_further_files_that_are_wanted_later_or_cannot_be_used(self, hotline: Hotline, host: Host, acme: Partner) -> None:
        hotline.publish(some_contents(), shares=[acme.share(some_contents(), words_json=b"zorblat")])
        assert acme.client(host, hotline).pull(hotline.now).fresh
        wanting = acme.client(host, hotline, extra=("w*.json",))
        assert wanting.pull(hotline.now).fresh
        assert not wanting.pull(hotline.now).fresh

        def look(name: str, data: bytes) -> None:
            raise InputError("quimber", f"{name} {len(data)}")

        hotline.publish(some_contents(), shares=[acme.share(some_contents(), words_json=b"other")])
        with pytest.raises(EditionRefused, match="quimber") as found:
            acme.client(host, hotline, extra=("w*.json",), prove=look).pull(hotline.now)
        assert found.value.code == "values"
        assert acme.edition().number == 1

    @pytest.mark.parametrize("name", ["Keys.json", "edition.json", "keys.json", "urls.parquet", "a/b.json", "x.sh"])
    def test_further_files_cannot_take_the_place_of_others(self, hotline: Hotline, acme: Partner, name: str) -> None:
        share = Share(acme.name, some_contents(), acme.identity.recipient, {name: b""})
        with pytest.raises(InputError, match="further file"):
            hotline.publish(some_contents(), shares=[share])

    @pytest.mark.parametrize("partner", ["", "P", "a b", "../x", "a.b", "x" * 33])
    def test_names_that_no_folder_can_have(self, hotline: Hotline, acme: Partner, partner: str) -> None:
        with pytest.raises(InputError):
            hotline.publish(some_contents(), shares=[Share(partner, some_contents(), acme.identity.recipient)])
        with pytest.raises(InputError):
            hotline.publish(some_contents(), shares=[Share("p-1", some_contents(), "age1quimber")])

    def test_deltas_for_a_partner(self, hotline: Hotline, host: Host, acme: Partner, tmp_path: Path) -> None:
        for first in (1, 2, 3):
            shares = [acme.share(many(400, first))]
            hotline.publish(many(10, first), shares=shares, workshop=tmp_path / "workshop")
            pulled = acme.client(host, hotline).pull(hotline.now)
            assert (pulled.number, pulled.deltas, pulled.delta_refused) == (first, int(first > 1), None)
        assert sorted(acme.edition().hashes["md5"].entries.tolist()) == list(range(3, 403))
        assert not acme.client(host, hotline).pull(hotline.now).fresh
        assert sound(hotline)
        assert {path.stat().st_mode & 0o077 for path in (tmp_path / "workshop").rglob("*")} == {0}


class TestNotOfOthers:
    def test_nobody_reads_anothers(self, house: Hotline, host: Host, acme: Partner, brix: Partner) -> None:
        with pytest.raises(EditionRefused) as found:
            acme.client(host, house, part="partners/p-brix").pull(house.now)
        assert found.value.code == "key_missing"
        assert number_in_force(acme.state) is None

    def test_anothers_files_under_ones_own_names_are_refused(self, house: Hotline, host: Host, acme: Partner) -> None:
        acme.client(host, house).pull(house.now)
        house.publish(
            shares=[acme.share(some_contents(3)), Share("p-brix", some_contents(2), Identity(new_identity()).recipient)]
        )
        foreign = next((house.repository / "targets" / "partners" / "p-brix").glob("*.urls.parquet.age")).read_bytes()
        host.rules["urls.parquet.age"] = altered(lambda _: foreign)
        with pytest.raises(EditionRefused) as found:
            acme.client(host, house).pull(house.now)
        assert found.value.code in {"digest", "length"}
        assert number_in_force(acme.state) == acme.edition().number == 1
        host.rules = {}
        assert acme.client(host, house).pull(house.now).number == 2

    def test_a_partners_key_cannot_sign_for_another(self, house: Hotline, host: Host, acme: Partner, brix: Partner) -> None:
        """Whoever holds the online keys and one partner's key: its signature counts for no other role."""
        brix.client(host, house).pull(house.now)
        house.publish(shares=[acme.share(some_contents(3)), brix.share(some_contents(2))])
        path = next((house.keys_folder / "partners" / "p-acme").glob("signing-*.pem"))
        from vigil.editions.keys import signer_at
        from vigil.editions.roles import Root

        signer = signer_at(path, read_metadata(house.keys.root, Root).signed)
        forged = read_metadata((house.repository / "metadata" / "2.partner-p-brix.json").read_bytes(), Targets)
        forged.signed.targets["partners/p-brix/edition.json.age"] = TargetFile.from_data("x", b"quimber", ["sha256"])
        forged.signatures.clear()
        forged.sign(signer)
        host.rules["2.partner-p-brix.json"] = altered(lambda _: canonical_bytes(forged))
        with pytest.raises(EditionRefused) as found:
            brix.client(host, house).pull(house.now)
        assert found.value.code == "signature"
        assert brix.edition().number == 1

    def test_a_path_of_another_in_ones_own_role_counts_for_nobody(
        self, house: Hotline, host: Host, acme: Partner, brix: Partner
    ) -> None:
        """A whole hotline's chain in which p-acme's role also names p-brix's file: clients never look for it there."""
        house.publish(shares=[acme.share(some_contents(3)), brix.share(some_contents(2))])
        acmes = read_metadata((house.repository / "metadata" / "2.partner-p-acme.json").read_bytes(), Targets)
        evil = TargetFile.from_data("partners/p-brix/edition.json.age", b"quimber", ["sha256"])
        acmes.signed.targets["partners/p-brix/edition.json.age"] = evil
        acmes.signatures.clear()
        from vigil.editions.keys import signer_at
        from vigil.editions.roles import Root

        path = next((house.keys_folder / "partners" / "p-acme").glob("signing-*.pem"))
        acmes.sign(signer_at(path, read_metadata(house.keys.root, Root).signed))
        (house.repository / "metadata" / "2.partner-p-acme.json").write_bytes(canonical_bytes(acmes))
        assert brix.client(host, house).pull(house.now).number == 2
        assert brix.edition().number == 2

    def test_a_stranger_in_the_place_of_the_role_of_partners(self, house: Hotline, host: Host, acme: Partner) -> None:
        stranger = CryptoSigner.generate_ed25519()
        names = read_metadata((house.repository / "metadata" / "1.partners.json").read_bytes(), Targets)
        names.signatures.clear()
        names.sign(stranger)
        host.rules["1.partners.json"] = altered(lambda _: canonical_bytes(names))
        with pytest.raises(EditionRefused) as found:
            acme.client(host, house).pull(house.now)
        assert found.value.code == "signature"

    def test_a_rolled_back_role_is_refused(self, house: Hotline, host: Host, acme: Partner, tmp_path: Path) -> None:
        old = house.copy(tmp_path / "old")
        house.publish(shares=[acme.share(some_contents(3))])
        acme.client(host, house).pull(house.now)
        host.folder = old
        with pytest.raises(EditionRefused) as found:
            acme.client(host, house).pull(house.now)
        assert found.value.code == "rollback"
        assert acme.edition().number == 2


class TestKeys:
    def test_a_rotated_key_counts_for_48_hours_more(self, house: Hotline, host: Host, acme: Partner, brix: Partner) -> None:
        acme.client(host, house).pull(house.now)
        old = acme.edition().digest_key
        rotate_partner(house.keys_folder, "p-acme", house.now)
        shares = [acme.share(some_contents(4)), brix.share(some_contents(2))]
        house.publish(shares=shares)
        acme.client(host, house).pull(house.now)
        new = acme.edition().digest_key
        assert old is not None and new is not None and old.key_id != new.key_id
        assert set(self.keys(acme)) == {old.key_id, new.key_id}
        house.clock.advance(hours=47)
        house.publish(shares=shares)
        acme.client(host, house).pull(house.now)
        assert set(self.keys(acme)) == {old.key_id, new.key_id}
        house.clock.advance(hours=2)
        house.publish(shares=shares)
        acme.client(host, house).pull(house.now)
        assert set(self.keys(acme)) == {new.key_id}
        assert set(digest_keys_of(house.keys_folder, "p-acme")) == {old.key_id, new.key_id}
        assert partner_of_key(house.keys_folder, old.key_id) == "p-acme"
        assert partner_of_key(house.keys_folder, "0" * 16) is None
        assert sound(house)

    def test_another_public_key_takes_over_within_48_hours(
        self, house: Hotline, host: Host, acme: Partner, brix: Partner
    ) -> None:
        newer = Partner("p-acme", Identity(new_identity()), acme.state.with_name("newer"))
        for hours, readers in ((0, (acme, newer)), (49, (newer,))):
            house.clock.advance(hours=hours)
            house.publish(shares=[newer.share(some_contents(4)), brix.share(some_contents(2))])
            for reader in readers:
                reader.client(host, house).pull(house.now)
        house.publish(shares=[newer.share(some_contents(4)), brix.share(some_contents(2))])
        with pytest.raises(EditionRefused) as found:
            acme.client(host, house).pull(house.now)
        assert found.value.code == "key_missing"
        assert acme.edition().number == 2

    def test_a_key_that_is_ended_reads_nothing_from_the_next_edition_on(
        self, house: Hotline, host: Host, acme: Partner, brix: Partner
    ) -> None:
        """The node goes on in its own state folder: what it has is under the old key, what comes under the new one alone."""
        acme.client(host, house).pull(house.now)
        old, new = acme.identity, Identity(new_identity())
        shares = [
            Share("p-acme", some_contents(4), new.recipient, ended=frozenset({old.recipient})),
            brix.share(some_contents(2)),
        ]
        for _ in range(2):
            house.publish(shares=shares)
            with pytest.raises(EditionRefused) as found:
                acme.client(host, house).pull(house.now)
            assert found.value.code == "key_missing" and acme.edition().number == 1
        acme.identity = new
        acme.client(host, house).pull(house.now)
        assert acme.edition().number == 3 and sound(house)

    def test_a_key_that_overlaps_ends_at_once_where_that_was_decided_later(
        self, house: Hotline, host: Host, acme: Partner
    ) -> None:
        old, new = acme.identity, Identity(new_identity())
        house.publish(shares=[Share("p-acme", some_contents(4), new.recipient)])
        acme.client(host, house).pull(house.now)
        house.publish(shares=[Share("p-acme", some_contents(4), new.recipient, ended=frozenset({old.recipient}))])
        with pytest.raises(EditionRefused) as found:
            acme.client(host, house).pull(house.now)
        assert found.value.code == "key_missing"

    @staticmethod
    def keys(partner: Partner) -> dict[str, Any]:
        from vigil.editions.folder import files_of

        return dict(files_of(partner.state, partner.identity).keys)

    def test_keys_are_private(self, house: Hotline) -> None:
        folder = house.keys_folder / "partners" / "p-acme"
        assert {path.stat().st_mode & 0o077 for path in (folder, folder.parent, *folder.iterdir())} == {0}
        (folder / "partner.json").chmod(0o644)
        with pytest.raises(RefusedError) as found:
            digest_keys_of(house.keys_folder, "p-acme")
        assert found.value.code == "keys_open"


class TestTheKillSwitch:
    def test_at_once_and_without_a_new_edition(self, house: Hotline, host: Host, acme: Partner, brix: Partner) -> None:
        for partner in (acme, brix):
            partner.client(host, house).pull(house.now)
        withdraw_partner(house.repository, house.keys, "p-acme", house.now)
        assert sound(house)
        with pytest.raises(EditionRefused) as found:
            acme.client(host, house).pull(house.now)
        assert found.value.code == "withdrawn"
        assert acme.edition().number == 1
        assert not brix.client(host, house).pull(house.now).fresh
        assert not list(house.repository.rglob("*p-acme*/*"))
        assert partners_of(house.keys_folder) == ("p-brix",)
        assert not list((house.keys_folder / "partners" / "p-acme").glob("*.pem"))
        assert digest_keys_of(house.keys_folder, "p-acme")
        with pytest.raises(InputError, match="no delegation"):
            withdraw_partner(house.repository, house.keys, "p-acme", house.now)

    def test_a_partner_without_a_share_is_withdrawn_with_the_next_edition(
        self, house: Hotline, host: Host, acme: Partner, brix: Partner
    ) -> None:
        acme.client(host, house).pull(house.now)
        house.publish(shares=[brix.share(some_contents(2))])
        assert sound(house)
        with pytest.raises(EditionRefused) as found:
            acme.client(host, house).pull(house.now)
        assert found.value.code == "withdrawn"

    def test_a_partner_may_come_back_under_new_keys(self, house: Hotline, host: Host, acme: Partner, brix: Partner) -> None:
        acme.client(host, house).pull(house.now)
        before = acme.edition().digest_key
        house.publish(shares=[brix.share(some_contents(2))])
        house.publish(shares=[brix.share(some_contents(2)), acme.share(some_contents(4))])
        assert acme.client(host, house).pull(house.now).number == 3
        assert acme.edition().digest_key != before
        assert sound(house)

    def test_the_last_partner_may_go(self, house: Hotline, host: Host, acme: Partner, brix: Partner) -> None:
        for partner in ("p-acme", "p-brix"):
            withdraw_partner(house.repository, house.keys, partner, house.now)
        house.publish()
        assert sound(house)
        assert client(host, house, acme.state).pull(house.now).number == 2


class TestTheFolder:
    def test_it_stays_sound_for_weeks(self, house: Hotline, acme: Partner, brix: Partner) -> None:
        shares = [acme.share(some_contents(4)), brix.share(some_contents(2))]
        for day in range(1, 9):
            for _ in range(2):
                house.clock.advance(hours=12)
                refresh(house.repository, house.keys, house.now)
                assert sound(house), day
            if day % 4 == 0:
                house.publish(shares=shares)
        assert roles_in_force(house.repository)["partners"].expires - house.now > timedelta(days=2)

    def test_nothing_of_it_can_be_altered_unnoticed(self, house: Hotline) -> None:
        for path in sorted(house.repository.rglob("*")):
            if path.is_file() and ("partner" in path.as_posix()):
                content = path.read_bytes()
                path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
                assert not verify(house.repository, root=house.keys.root, now=house.now).ok, path
                path.write_bytes(content)
        (house.repository / "targets" / "partners" / "p-acme" / "quimber").write_bytes(b"")
        assert [each.code for each in verify(house.repository, root=house.keys.root, now=house.now).problems] == ["stray"]

    def test_plain_folders_go_on_and_may_get_partners_later_and_lose_them(
        self, hotline: Hotline, host: Host, state: Path, acme: Partner
    ) -> None:
        plain = client(host, hotline, state)
        for shares in ([], [acme.share(some_contents())], [], [acme.share(some_contents())]):
            hotline.publish(shares=shares)
            assert plain.pull(hotline.now).fresh
            assert sound(hotline)
            if shares:
                acme.client(host, hotline).pull(hotline.now)

    def test_names_of_partners_stand_once(self, hotline: Hotline, acme: Partner) -> None:
        with pytest.raises(InputError, match="twice"):
            hotline.publish(shares=[acme.share(some_contents()), acme.share(some_contents())])


class TestListsAlone:
    @pytest.fixture
    def both(self, hotline: Hotline) -> Iterator[EditionContents]:
        contents = EditionContents(LISTS, tuple(page(n) for n in range(1, 5)), tuple(picture(n) for n in range(5, 9)))
        hotline.publish(contents, lists=shares_by_list(contents))
        assert sound(hotline)
        yield contents
        assert sound(hotline)

    def test_one_list_is_pulled_without_the_others(
        self, hotline: Hotline, host: Host, state: Path, both: EditionContents
    ) -> None:
        assert client(host, hotline, state, part="lists/pages").pull(hotline.now).number == 1
        edition = load_edition(state)
        assert edition.lists == (URL_LIST,)
        assert not edition.hashes
        assert sorted(edition.urls.entries.tolist()) == [1, 2, 3, 4]
        assert addresses(edition, "http://zorblat-1.example/quimber/1/") == [True]

    def test_a_list_that_is_offered_no_more_is_withdrawn(
        self, hotline: Hotline, host: Host, state: Path, both: EditionContents
    ) -> None:
        node = client(host, hotline, state, part="lists/pages")
        node.pull(hotline.now)
        hotline.publish(both)
        with pytest.raises(EditionRefused) as found:
            node.pull(hotline.now)
        assert found.value.code == "withdrawn"
        assert load_edition(state).number == 1

    def test_both_signers_are_needed(self, hotline: Hotline, both: EditionContents) -> None:
        one = type(hotline.keys)(hotline.keys.roots, hotline.keys.signers | {"targets": hotline.keys.signers["targets"][:1]})
        with pytest.raises(RefusedError) as found:
            publish(hotline.repository, hotline.build(both), one, hotline.now, lists=shares_by_list(both))
        assert found.value.code == "release_missing"

    def test_a_name_that_no_folder_can_have(self, hotline: Hotline, both: EditionContents) -> None:
        from dataclasses import replace

        share = replace(shares_by_list(both)[0], name="a:b")
        with pytest.raises(InputError, match="name that no folder can have"):
            hotline.publish(both, lists=[share])


def test_scope_is_kept(hotline: Hotline, host: Host, acme: Partner) -> None:
    """Host keys are digested under the same key: whole hosts are found too."""
    entry = page(1, "http://zorblat.example/", Scope.HOST)
    hotline.publish(shares=[acme.share(EditionContents(LISTS, (entry,)))])
    acme.client(host, hotline).pull(hotline.now)
    assert addresses(acme.edition(), "http://zorblat.example/any", "http://other.example/any") == [True, False]


def test_metadata_of_the_snapshot_stays_small(house: Hotline) -> None:
    snapshot = read_metadata((house.repository / "metadata" / "1.snapshot.json").read_bytes(), Snapshot).signed
    assert snapshot.meta["partner-p-acme.json"] == MetaFile(1)
