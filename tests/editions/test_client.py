"""Stories of a node, its hotline, and a host between them that may be dishonest, broken or slow."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from tests.editions.world import (
    Host,
    Hotline,
    altered,
    client,
    cut_after,
    endless,
    hosted,
    page,
    picture,
    send,
    some_contents,
    status,
)
from tuf.api.exceptions import SlowRetrievalError
from tuf.api.metadata import Metadata, TargetFile, Timestamp

from vigil.base.errors import InputError, VigilError
from vigil.editions import fetch
from vigil.editions.build import build_edition
from vigil.editions.client import EditionClient, EditionRefused, EditionUnreachable, number_in_force
from vigil.editions.fetch import HttpFetcher, Patience
from vigil.editions.keys import create_keys
from vigil.editions.load import load_edition
from vigil.editions.model import EditionContents
from vigil.editions.publish import publish
from vigil.editions.roles import canonical_bytes


def refused(pulling: EditionClient, hotline: Hotline) -> str:
    """Pull, expect a refusal, give its code."""
    with pytest.raises(EditionRefused) as found:
        pulling.pull(hotline.now)
    return found.value.code


def unreachable(pulling: EditionClient, hotline: Hotline) -> str:
    with pytest.raises(EditionUnreachable) as found:
        pulling.pull(hotline.now)
    return found.value.code


class TestGoodDays:
    def test_a_node_gets_the_newest_edition_once(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        pulling = client(host, hotline, state)
        first = pulling.pull(hotline.now)
        again = pulling.pull(hotline.now)
        assert (first.number, first.fresh) == (1, True)
        assert (again.number, again.fresh) == (1, False)
        assert load_edition(first.folder).number == 1
        assert host.fetched("urls.parquet") == 1

    def test_a_poll_without_news_asks_for_the_timestamp_only(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        pulling = client(host, hotline, state)
        pulling.pull(hotline.now)
        host.requests.clear()
        pulling.pull(hotline.now)
        assert host.requests == ["/editions/metadata/2.root.json", "/editions/metadata/timestamp.json"]

    def test_each_publication_arrives(self, hotline: Hotline, host: Host, state: Path) -> None:
        pulling = client(host, hotline, state)
        for number in range(1, 4):
            hotline.publish()
            hotline.clock.advance(hours=1)
            assert pulling.pull(hotline.now).number == number
            assert number_in_force(state) == number

    def test_a_folder_is_as_good_as_a_host(self, hotline: Hotline, state: Path) -> None:
        hotline.publish()
        assert client(hotline.repository, hotline, state).pull(hotline.now).fresh

    def test_what_was_pulled_is_what_was_published(self, hotline: Hotline, host: Host, state: Path) -> None:
        built = hotline.build()
        publish(hotline.repository, built, hotline.keys, hotline.now)
        folder = client(host, hotline, state).pull(hotline.now).folder
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == built.files

    def test_two_nodes_end_with_the_same_edition(self, hotline: Hotline, host: Host, tmp_path: Path) -> None:
        hotline.publish()
        folders = [client(host, hotline, tmp_path / name).pull(hotline.now).folder for name in ("one", "two")]
        one, two = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
        assert one == two

    def test_the_disk_of_a_node_stays_bounded(self, hotline: Hotline, host: Host, state: Path) -> None:
        pulling = client(host, hotline, state)
        for _ in range(5):
            hotline.publish()
            pulling.pull(hotline.now)
        assert sorted(path.name for path in (state / "editions").iterdir()) == ["4", "5"]

    def test_a_refreshed_timestamp_is_no_new_edition(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        pulling = client(host, hotline, state)
        pulling.pull(hotline.now)
        for _ in range(8):
            hotline.clock.advance(hours=13)
            assert hotline.refresh()
            assert not pulling.pull(hotline.now).fresh

    def test_the_root_may_be_left_out_once_it_is_in_the_state(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        client(host, hotline, state).pull(hotline.now)
        assert not EditionClient(host.address, state, None).pull(hotline.now).fresh

    def test_the_token_goes_to_the_host(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        client(host, hotline, state, token="t0ken").pull(hotline.now)
        assert set(host.tokens) == {"Bearer t0ken"}

    def test_a_kept_connection_that_was_closed_is_opened_again(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()

        def hang_up(handler, content):  # type: ignore[no-untyped-def]
            send(handler, content)
            handler.close_connection = True

        host.rules["timestamp.json"] = hang_up
        assert client(host, hotline, state).pull(hotline.now).fresh


class TestDishonestHosts:
    """Whatever a host does, the last good edition stays, also over a restart of the node."""

    @pytest.fixture
    def held(self, hotline: Hotline, host: Host, state: Path) -> int:
        """The node holds edition 2; nothing that follows may change that."""
        hotline.publish()
        hotline.publish()
        client(host, hotline, state).pull(hotline.now)
        return 2

    def still_held(self, state: Path) -> None:
        assert number_in_force(state) == 2
        assert load_edition(state).number == 2

    def test_rollback(self, hotline: Hotline, host: Host, state: Path, tmp_path: Path) -> None:
        hotline.publish()
        old = hotline.copy(tmp_path / "old")
        hotline.publish()
        client(host, hotline, state).pull(hotline.now)
        host.folder = old
        assert refused(client(host, hotline, state), hotline) == "rollback"
        self.still_held(state)

    def test_rollback_after_the_metadata_was_lost(self, hotline: Hotline, host: Host, state: Path, tmp_path: Path) -> None:
        hotline.publish()
        old = hotline.copy(tmp_path / "old")
        hotline.publish()
        client(host, hotline, state).pull(hotline.now)
        for path in (state / "metadata").glob("*.json"):
            path.unlink()
        host.folder = old
        assert refused(client(host, hotline, state), hotline) == "rollback"
        self.still_held(state)

    def test_freeze(self, hotline: Hotline, host: Host, state: Path, held: int) -> None:
        hotline.clock.advance(hours=25)
        assert refused(client(host, hotline, state), hotline) == "expired"
        self.still_held(state)

    def test_a_wrong_clock_is_told_from_a_freeze(self, hotline: Hotline, host: Host, state: Path, held: int) -> None:
        host.clock_error = timedelta(days=-365)
        hotline.clock.advance(days=365)
        assert refused(client(host, hotline, state), hotline) == "clock_skew"
        self.still_held(state)

    def test_an_edition_from_the_future_is_a_wrong_clock(self, hotline: Hotline, host: Host, state: Path, held: int) -> None:
        hotline.clock.advance(hours=2)
        hotline.publish()
        hotline.clock.advance(hours=-1)
        assert refused(client(host, hotline, state), hotline) == "clock_skew"
        self.still_held(state)

    def test_the_clock_of_the_system_plays_no_part(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.clock.advance(days=20000)
        hotline.keys = create_keys(hotline.keys_folder.with_name("later"), hotline.now)
        hotline.publish()
        assert client(host, hotline, state).pull(hotline.now).fresh

    @pytest.mark.parametrize("name", ["edition.json", "urls.parquet", "hosts.parquet", "hashes.parquet"])
    def test_tampered_file(self, hotline: Hotline, host: Host, state: Path, held: int, name: str) -> None:
        hotline.publish()
        host.rules[name] = altered(lambda content: content[:-1] + bytes([content[-1] ^ 1]))
        assert refused(client(host, hotline, state), hotline) == "digest"
        self.still_held(state)

    @pytest.mark.parametrize("name", ["edition.json", "urls.parquet"])
    def test_longer_file(self, hotline: Hotline, host: Host, state: Path, held: int, name: str) -> None:
        hotline.publish()
        host.rules[name] = altered(lambda content: content + b"\n")
        assert refused(client(host, hotline, state), hotline) == "length"
        self.still_held(state)

    @pytest.mark.parametrize("name", ["edition.json", "urls.parquet"])
    def test_shorter_file(self, hotline: Hotline, host: Host, state: Path, held: int, name: str) -> None:
        hotline.publish()
        host.rules[name] = altered(lambda content: content[:-1])
        assert refused(client(host, hotline, state), hotline) == "digest"
        self.still_held(state)

    def test_tampered_timestamp(self, hotline: Hotline, host: Host, state: Path, held: int) -> None:
        hotline.publish()
        host.rules["timestamp.json"] = altered(lambda content: content.replace(b'"version":3', b'"version":4'))
        assert refused(client(host, hotline, state), hotline) == "signature"
        self.still_held(state)

    def test_unreadable_timestamp(self, hotline: Hotline, host: Host, state: Path, held: int) -> None:
        host.rules["timestamp.json"] = altered(lambda content: b"{" * 900)
        assert refused(client(host, hotline, state), hotline) == "metadata"
        self.still_held(state)

    def test_timestamp_by_another_key(self, hotline: Hotline, host: Host, state: Path, held: int, tmp_path: Path) -> None:
        other = create_keys(tmp_path / "other", hotline.now)

        def sign_again(content: bytes) -> bytes:
            metadata = Metadata[Timestamp].from_bytes(content)
            metadata.signed.version += 1
            metadata.sign(other.signers["timestamp"][0])
            return canonical_bytes(metadata)

        host.rules["timestamp.json"] = altered(sign_again)
        assert refused(client(host, hotline, state), hotline) == "signature"
        self.still_held(state)

    def test_files_of_two_editions_mixed(
        self, hotline: Hotline, host: Host, state: Path, held: int, tmp_path: Path
    ) -> None:
        old = (hotline.repository / "metadata" / "2.snapshot.json").read_bytes()
        hotline.publish()
        host.rules["3.snapshot.json"] = altered(lambda content: old)
        assert refused(client(host, hotline, state), hotline) == "digest"
        self.still_held(state)

    def test_endless_data(self, hotline: Hotline, host: Host, state: Path, held: int) -> None:
        hotline.publish()
        host.rules["timestamp.json"] = endless(1 << 30)
        assert refused(client(host, hotline, state), hotline) == "length"
        self.still_held(state)

    def test_endless_file(self, hotline: Hotline, host: Host, state: Path, held: int) -> None:
        hotline.publish()
        host.rules["urls.parquet"] = endless(1 << 30)
        assert refused(client(host, hotline, state), hotline) == "length"
        self.still_held(state)

    def test_a_redirect_is_not_followed(self, hotline: Hotline, host: Host, state: Path, held: int) -> None:
        with hosted(hotline) as elsewhere:
            host.rules["timestamp.json"] = status(302, Location=f"{elsewhere.address}/metadata/timestamp.json")
            assert unreachable(client(host, hotline, state, token="t0ken"), hotline) == "http_error"
            assert elsewhere.requests == []
        self.still_held(state)

    def test_another_hotline_in_its_place(self, hotline: Hotline, host: Host, state: Path, held: int, tmp_path: Path) -> None:
        (tmp_path / "stranger").mkdir()
        stranger = Hotline(tmp_path / "stranger")
        for _ in range(3):
            stranger.publish()
        host.folder = stranger.repository
        assert refused(client(host, hotline, state), hotline) == "signature"
        self.still_held(state)

    def test_another_root_than_the_state_began_with(
        self, hotline: Hotline, host: Host, state: Path, held: int, tmp_path: Path
    ) -> None:
        other = create_keys(tmp_path / "other", hotline.now)
        assert refused(EditionClient(host.address, state, other.root), hotline) == "root_changed"
        self.still_held(state)

    def test_nothing_is_trusted_on_first_sight(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        assert refused(EditionClient(host.address, state, None), hotline) == "root_missing"
        assert host.requests == []

    def test_after_each_attack_an_honest_host_heals_the_node(
        self, hotline: Hotline, host: Host, state: Path, held: int
    ) -> None:
        hotline.publish()
        pulling = client(host, hotline, state)
        for name in ("timestamp.json", "3.snapshot.json", "3.targets.json", "edition.json", "hashes.parquet"):
            host.rules = {name: altered(lambda content: content[:-9])}
            with pytest.raises(VigilError):
                pulling.pull(hotline.now)
            self.still_held(state)
        host.rules = {}
        assert pulling.pull(hotline.now).number == 3


class TestBadLines:
    """Breaks, stalls and stops: nothing is lost, nothing is fetched twice."""

    def test_half_a_download_is_taken_up_again(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        host.rules["hashes.parquet"] = cut_after(100)
        assert unreachable(client(host, hotline, state), hotline) == "unreachable"
        assert number_in_force(state) is None
        host.rules = {}
        assert client(host, hotline, state).pull(hotline.now).number == 1
        assert host.fetched("urls.parquet") == 1
        assert host.fetched("hashes.parquet") == 2

    def test_half_written_files_are_fetched_again(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        host.rules["hashes.parquet"] = cut_after(0)
        unreachable(client(host, hotline, state), hotline)
        part = state / "editions" / ".part-1" / "urls.parquet"
        part.write_bytes(part.read_bytes()[:-5])
        host.rules = {}
        assert client(host, hotline, state).pull(hotline.now).number == 1
        assert load_edition(state).number == 1

    def test_a_download_of_an_older_edition_is_dropped(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        host.rules["hashes.parquet"] = cut_after(0)
        unreachable(client(host, hotline, state), hotline)
        host.rules = {}
        hotline.publish()
        client(host, hotline, state).pull(hotline.now)
        assert [path.name for path in (state / "editions").iterdir()] == ["2"]

    def test_power_cut_before_the_swap(
        self, hotline: Hotline, host: Host, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hotline.publish()
        client(host, hotline, state).pull(hotline.now)
        hotline.publish()

        class PowerCut(BaseException):
            pass

        def cut(self: Path, *arguments: object, **options: object) -> None:
            raise PowerCut

        with monkeypatch.context() as patch, pytest.raises(PowerCut):
            patch.setattr(Path, "symlink_to", cut)
            client(host, hotline, state).pull(hotline.now)
        assert load_edition(state).number == 1
        pulled = client(host, hotline, state).pull(hotline.now)
        assert (pulled.number, pulled.fresh) == (2, True)
        assert load_edition(state).number == 2

    def test_a_damaged_file_is_fetched_again_after_a_restart(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        folder = client(host, hotline, state).pull(hotline.now).folder
        content = (folder / "urls.parquet").read_bytes()
        (folder / "urls.parquet").write_bytes(content[:-1] + b"\0")
        with pytest.raises(EditionRefused):
            load_edition(state)
        client(host, hotline, state).pull(hotline.now)
        assert load_edition(state).number == 1
        assert [path.name for path in (state / "editions").iterdir()] == ["1"]

    def test_a_missing_file_is_fetched_again_at_once(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        pulling = client(host, hotline, state)
        (pulling.pull(hotline.now).folder / "hosts.parquet").unlink()
        pulling.pull(hotline.now)
        assert load_edition(state).number == 1

    def test_a_shortened_file_is_fetched_again_at_once(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        pulling = client(host, hotline, state)
        path = pulling.pull(hotline.now).folder / "urls.parquet"
        path.write_bytes(path.read_bytes()[:-1])
        pulling.pull(hotline.now)
        assert load_edition(state).number == 1

    def test_a_host_that_is_not_there(self, hotline: Hotline, state: Path) -> None:
        hotline.publish()
        with hosted(hotline) as host:
            pulling = client(host, hotline, state)
            pulling.pull(hotline.now)
        assert unreachable(pulling, hotline) == "unreachable"
        assert load_edition(state).number == 1

    def test_a_host_that_stalls(
        self, hotline: Hotline, host: Host, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hotline.publish()
        monkeypatch.setattr(fetch.Patience.__init__, "__defaults__", (5.0, 0.05, 20.0, 1024))
        host.rules["timestamp.json"] = lambda handler, content: host.ended.wait(10) and None
        assert unreachable(client(host, hotline, state), hotline) == "slow"
        host.ended.set()

    def test_an_edition_folder_without_an_edition(self, hotline: Hotline, host: Host, state: Path) -> None:
        assert unreachable(client(host, hotline, state), hotline) == "http_error"

    @pytest.mark.parametrize("code", [401, 403])
    def test_a_token_that_is_not_accepted(self, hotline: Hotline, host: Host, state: Path, code: int) -> None:
        hotline.publish()
        host.rules[".json"] = status(code)
        assert unreachable(client(host, hotline, state, token="old"), hotline) == "not_allowed"

    def test_one_client_at_a_time(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        inside, codes = threading.Event(), []

        def meanwhile(handler, content):  # type: ignore[no-untyped-def]
            if not inside.is_set():
                inside.set()
                codes.append(unreachable(client(hotline.repository, hotline, state), hotline))
            send(handler, content)

        host.rules["timestamp.json"] = meanwhile
        assert client(host, hotline, state).pull(hotline.now).fresh
        assert codes == ["state_busy"]

    def test_a_state_that_cannot_be_written(self, hotline: Hotline, host: Host, tmp_path: Path) -> None:
        hotline.publish()
        (tmp_path / "file").write_bytes(b"")
        assert unreachable(client(host, hotline, tmp_path / "file" / "state"), hotline) == "state_unwritable"


class TestSignedButUnusable:
    """A hotline's own mistake, well signed, does not replace an edition that works."""

    @pytest.mark.parametrize(
        ("before", "after", "code"),
        [
            (b'"canon": "1/', b'"canon": "9/', "canon_unknown"),
            (b'"schema": 1', b'"schema": 2', "manifest"),
            (b'"number": 2', b'"number": 7', "metadata"),
            (b'"rows": 6', b'"rows": 5', "counts"),
        ],
    )
    def test_it_is_refused(
        self, hotline: Hotline, host: Host, state: Path, before: bytes, after: bytes, code: str
    ) -> None:
        hotline.publish()
        pulling = client(host, hotline, state)
        pulling.pull(hotline.now)
        built = hotline.build()
        built.files["edition.json"] = built.files["edition.json"].replace(before, after, 1)
        publish(hotline.repository, built, hotline.keys, hotline.now)
        assert refused(pulling, hotline) == code
        assert load_edition(state).number == 1
        hotline.publish()
        assert pulling.pull(hotline.now).number == 3

    def test_another_digest_than_ours(
        self, hotline: Hotline, host: Host, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        described = TargetFile.from_data
        with monkeypatch.context() as patch:
            patch.setattr(TargetFile, "from_data", lambda name, data, kinds: described(name, data, ["sha256", "sha512"]))
            hotline.publish()
        assert refused(client(host, hotline, state), hotline) == "metadata"

    def test_an_edition_without_one_of_its_files(self, hotline: Hotline, host: Host, state: Path) -> None:
        built = hotline.build()
        del built.files["hashes.parquet"]
        publish(hotline.repository, built, hotline.keys, hotline.now)
        assert refused(client(host, hotline, state), hotline) == "missing"


class TestTheDoor:
    """The one door to the network."""

    @pytest.mark.parametrize(
        "source",
        [
            "ftp://b.example/",
            "http://",
            "http://u@b.example/",
            "http://b.example/?x",
            "http://b.example:99999/",
            "http://b.example/#x",
            "no-such-folder",
        ],
    )
    def test_sources_that_cannot_be(self, source: str, state: Path) -> None:
        with pytest.raises(InputError):
            EditionClient(source, state, None)

    @pytest.mark.parametrize("host", ["b.example", "192.0.2.1", "localhost.example"])
    def test_a_token_never_travels_in_clear(self, host: str, state: Path) -> None:
        with pytest.raises(InputError) as found:
            EditionClient(f"http://{host}/editions", state, None, "t0ken")
        assert found.value.code == "token_in_clear"

    @pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
    def test_but_may_within_the_machine(self, host: str, state: Path) -> None:
        assert EditionClient(f"http://{host}/editions", state, None, "t0ken")

    @pytest.mark.parametrize("token", ["", "a b", "a\nb", "\N{SNOWMAN}"])
    def test_tokens_that_cannot_be(self, token: str, state: Path) -> None:
        with pytest.raises(InputError):
            EditionClient("https://b.example/editions", state, None, token)

    def test_a_trickle_ends(self, hotline: Hotline, host: Host) -> None:
        """Bytes keep coming, but too few for the time that passes; the time is a clock of the test's own."""
        hotline.publish()
        elapsed = iter(range(0, 10_000, 3))
        patience = Patience(connect=5, gap=5, grace=20, bytes_per_second=100_000_000)
        fetcher = HttpFetcher(host.address, None, patience, lambda: float(next(elapsed)))
        host.rules["x"] = altered(lambda content: bytes(1 << 20))
        with pytest.raises(SlowRetrievalError), fetcher.download_file("x", 1 << 21):
            pass
        fetcher.close()

    def test_headers_that_trickle_end_too(self, hotline: Hotline, host: Host) -> None:
        elapsed = iter(range(0, 10_000, 30))
        fetcher = HttpFetcher(host.address, None, Patience(grace=20), lambda: float(next(elapsed)))
        with pytest.raises(SlowRetrievalError):
            fetcher.fetch("x")

    def test_errors_hold_neither_token_nor_entry(self, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish()
        host.rules["urls.parquet"] = altered(lambda content: content[:-1])
        with pytest.raises(EditionRefused) as found:
            client(host, hotline, state, token="t0ken").pull(hotline.now)
        assert "t0ken" not in f"{found.value}{found.value.problem()}"
        assert "zorblat" not in f"{found.value}{found.value.problem()}"


def test_no_address_stands_in_anything_published(hotline: Hotline, host: Host, state: Path) -> None:
    mark = "flibbertigibbet"
    entries = (page(1, f"http://{mark}.example/{mark}?{mark}"), page(2, f"http://sub.{mark}.test/{mark}/"))
    contents = EditionContents(some_contents().lists, entries, (picture(3),))
    publish(
        hotline.repository,
        build_edition(contents, number=1, previous=None, issued_at=hotline.now),
        hotline.keys,
        hotline.now,
    )
    client(host, hotline, state).pull(hotline.now)
    files = [path for folder in (hotline.repository, state) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not any(mark.encode() in path.read_bytes() for path in files)
