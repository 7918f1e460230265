"""Deltas on their way: a client goes by them, ends with the very same edition, and fetches it whole when anything is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.editions.world import Answer, Host, Hotline, altered, client, cut_after, endless, many, status

from vigil.editions import rebuild
from vigil.editions.client import EditionClient, Pulled, number_in_force
from vigil.editions.delta import steps_of
from vigil.editions.load import load_edition
from vigil.editions.verify import verify
from vigil.editions.wire import encode_table

COUNT = 400


def deltas_in(folder: Path) -> list[tuple[int, int]]:
    names = (path.name.partition(".")[2] for path in (folder / "targets").iterdir())
    return sorted(steps for steps in map(steps_of, names) if steps)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def node(hotline: Hotline, host: Host, state: Path) -> EditionClient:
    """A node that holds edition 1; editions 2 and 3 are out, each with a delta."""
    hotline.publish(many(COUNT))
    node = client(host, hotline, state)
    node.pull(hotline.now)
    for first in (2, 3):
        hotline.publish(many(COUNT, first))
    host.requests.clear()
    return node


def test_a_node_goes_by_deltas_and_ends_with_the_same_files(
    node: EditionClient, hotline: Hotline, host: Host, tmp_path: Path
) -> None:
    pulled = node.pull(hotline.now)
    assert (pulled.number, pulled.deltas, pulled.delta_refused) == (3, 2, None)
    assert not host.fetched(".hashes.parquet")
    whole = client(host, hotline, tmp_path / "other").pull(hotline.now)
    assert files_in(pulled.folder) == files_in(whole.folder)
    assert not node.pull(hotline.now).fresh


def test_the_chain_is_as_long_as_promised_and_no_longer(hotline: Hotline, monkeypatch: pytest.MonkeyPatch) -> None:
    from vigil.editions import shares

    monkeypatch.setattr(shares, "DELTAS", type(shares.DELTAS)(3, "", ""))
    for first in range(1, 7):
        hotline.publish(many(COUNT, first))
    assert deltas_in(hotline.repository) == [(2, 3), (3, 4), (4, 5), (5, 6)]  # that of the edition before is kept too
    assert verify(hotline.repository, root=hotline.keys.root, now=hotline.now).problems == ()


def test_a_node_that_was_off_for_too_long_fetches_the_whole_edition(
    hotline: Hotline, host: Host, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vigil.editions import shares

    monkeypatch.setattr(shares, "DELTAS", type(shares.DELTAS)(2, "", ""))
    node = client(host, hotline, state)
    for first in range(1, 5):
        hotline.publish(many(COUNT, first))
        if first == 1:
            node.pull(hotline.now)
    pulled = node.pull(hotline.now)
    assert (pulled.number, pulled.deltas, pulled.delta_refused) == (4, 0, None)


def test_a_change_of_everything_has_no_delta_and_the_chain_begins_anew(hotline: Hotline) -> None:
    hotline.publish(many(COUNT))
    hotline.publish(many(COUNT, 2))
    hotline.publish(many(COUNT, 10_000))
    hotline.publish(many(COUNT, 10_001))
    report = verify(hotline.repository, root=hotline.keys.root, now=hotline.now)
    assert report.ok, report.problems
    assert deltas_in(hotline.repository) == [(3, 4)]


def test_the_same_editions_give_the_same_deltas(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        hotline = Hotline(tmp_path / name)
        hotline.publish(many(COUNT))
        hotline.publish(many(COUNT, 2))
        found.append([path.name for path in (hotline.repository / "targets").iterdir() if "delta" in path.name])
    assert found[0] == found[1] != []


def swapped(host: Host) -> Answer:
    """The delta of another step under this one's name: reordered."""
    return altered(lambda _: next((host.folder / "targets").glob("*.delta-2-3.parquet")).read_bytes())


ATTACKS: dict[str, Callable[[Host], Answer]] = {
    "truncated": lambda host: altered(lambda content: content[:-40]),
    "cut": lambda host: cut_after(100),
    "reordered": swapped,
    "foreign": lambda host: altered(lambda content: bytes(len(content))),
    "withheld": lambda host: status(404),
    "oversized": lambda host: endless(20_000_000),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_bad_delta_is_discarded_and_the_whole_edition_fetched(
    attack: str, node: EditionClient, hotline: Hotline, host: Host, tmp_path: Path
) -> None:
    host.rules["delta-1-2.parquet"] = ATTACKS[attack](host)
    pulled = node.pull(hotline.now)
    assert (pulled.number, pulled.deltas, pulled.delta_refused) == (3, 0, "delta")
    whole = client(host, hotline, tmp_path / "other").pull(hotline.now)
    assert files_in(pulled.folder) == files_in(whole.folder)


def test_a_signed_delta_that_leads_elsewhere_is_discarded(
    hotline: Hotline, host: Host, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even the hotline's own mistake: the signed digest of the whole state decides."""
    from vigil.editions import shares

    hotline.publish(many(COUNT))
    node = client(host, hotline, state)
    node.pull(hotline.now)
    honest = shares.make_delta
    monkeypatch.setattr(shares, "make_delta", lambda old, new: honest(old, {**new, "urls.parquet": old["urls.parquet"]}))
    hotline.publish(many(COUNT, 2))
    pulled = node.pull(hotline.now)
    assert (pulled.number, pulled.deltas, pulled.delta_refused) == (2, 0, "state")
    assert load_edition(state).number == 2


def test_damage_on_the_disk_of_the_node_is_not_built_upon(node: EditionClient, hotline: Hotline, state: Path) -> None:
    (state / "current" / "hashes.parquet").write_bytes(b"quimber")
    pulled = node.pull(hotline.now)
    assert (pulled.number, pulled.deltas) == (3, 0)
    assert pulled.delta_refused == "length"


class TestAnotherWriter:
    """A node whose version of the writer packs otherwise ends with other bytes and the same state."""

    @pytest.fixture
    def pulled(self, node: EditionClient, hotline: Hotline, monkeypatch: pytest.MonkeyPatch) -> Pulled:
        def other(name: str, table: object) -> bytes:
            data = encode_table(name, table)  # type: ignore[arg-type]
            return data.replace(b"parquet-cpp-arrow version", b"parquet-cpp-arrow sesquip")

        monkeypatch.setattr(rebuild, "encode_table", other)
        return node.pull(hotline.now)

    def test_it_is_read_and_stays_in_force_over_a_restart(
        self, pulled: Pulled, hotline: Hotline, host: Host, state: Path
    ) -> None:
        assert pulled.deltas == 2
        assert (pulled.folder / "rebuilt.json").is_file()
        assert load_edition(state).number == 3
        host.requests.clear()
        assert not client(host, hotline, state).pull(hotline.now).fresh
        assert not host.fetched(".parquet")

    def test_it_is_built_upon(self, pulled: Pulled, hotline: Hotline, host: Host, state: Path) -> None:
        hotline.publish(many(COUNT, 4))
        assert client(host, hotline, state).pull(hotline.now).deltas == 1

    def test_damage_to_it_is_noticed_and_healed(self, pulled: Pulled, hotline: Hotline, host: Host, state: Path) -> None:
        path = pulled.folder / "hashes.parquet"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        client(host, hotline, state).pull(hotline.now)
        assert load_edition(state).number == number_in_force(state) == 3
        assert not (pulled.folder / "rebuilt.json").exists()
