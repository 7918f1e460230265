"""Versions of the zone: which names, which serials, what is kept."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.edge.world import Hotline, url_entry

from vigil.base.clock import FixedClock
from vigil.edge.enforced import enforce
from vigil.edge.journal import journal
from vigil.edge.rpz.candidates import digested, names_in, read_candidates
from vigil.edge.rpz.keeper import Keeper
from vigil.edge.rpz.wire import is_newer
from vigil.edge.rpz.zone import History, Step, Zone, next_serial, owners_of, step_between
from vigil.editions.export.names import Names
from vigil.editions.load import load_edition
from vigil.match.urls import Scope

Found = frozenset[str]
NAMES = st.frozensets(st.sampled_from([f"{label}.example" for label in ("a", "b", "c", "d", "e.a", "f.b", "g.e.a")]))


@contextmanager
def kept(hotline: Hotline, state: Path, clock: FixedClock) -> Iterator[Keeper]:
    """A keeper over the published edition, without a node."""
    names = state.parent / "names.txt"
    names.write_text("host.example\ndomain.example\n")
    edition = enforce(load_edition(hotline.repository), state / "indexes", (), "keep_urls")
    keeper = Keeper(state / "rpz", (names,), 10, lambda: edition, lambda zone: None, journal("n-1", io.StringIO()))
    keeper.round(clock.now(), 60)
    yield keeper


@given(st.none() | st.integers(0, 2**32 - 1), st.integers(1_700_000_000, 2**32 - 1))
def test_a_serial_only_rises(last: int | None, now: int) -> None:
    found = next_serial(last, now)
    assert 0 <= found < 2**32
    assert last is None or is_newer(found, last)


def test_serials_wrap() -> None:
    assert is_newer(3, 2**32 - 2) and not is_newer(2**32 - 2, 3)
    assert next_serial(2**32 - 1, 2**32 - 1) == 0


@given(NAMES, NAMES, NAMES, NAMES)
def test_a_step_leads_from_one_version_to_the_other(a: Found, b: Found, c: Found, d: Found) -> None:
    before, after = Zone(1, Names(a - b, b).sparse()), Zone(2, Names(c - d, d).sparse())
    step = step_between(before, after)
    owners = set(owners_of(before.names))
    assert set(step.removed) <= owners and not set(step.added) & owners
    assert owners - set(step.removed) | set(step.added) == set(owners_of(after.names))


def test_steps_are_found_from_each_known_version() -> None:
    history = History(2, [Step(n, n + 1, (), ()) for n in range(5)])
    assert history.since(2) is None
    assert [step.before for step in history.since(3) or ()] == [3, 4]
    assert history.since(5) is None and History(0, [Step(1, 2, (), ())]).steps == ()


def test_lines_of_names() -> None:
    lines = ["# x", "", "Host.Example.", "*.domain.example CNAME .", "a.example 0 IN A 192.0.2.1", "0.0.0.0 b.example", "@ NS x."]
    assert list(names_in(lines)) == ["host.example", "domain.example", "a.example", None]


def test_names_that_no_zone_can_hold_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    bad = ("bad;.example", f"{'a' * 64}.example", f"{'a.' * 120}example", "1.rpz-ip", "b\u00fccher.example", "192.0.2.1")
    path.write_text("\n".join(("good.example", *bad)))
    found = read_candidates((path,))
    assert (found.names, found.malformed) == (("good.example",), 6)


def test_digests_are_taken_over_from_the_names_before(tmp_path: Path, hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, "http://b.example/", Scope.HOST), url_entry(2, "http://d.example/", Scope.DOMAIN))
    edition = enforce(load_edition(hotline.repository), state / "indexes", (), "keep_urls")
    scopes = edition.host_scopes()
    path = tmp_path / "names.txt"
    path.write_text("c.example\nb.example\n")
    first = digested(read_candidates((path,)).names, scopes, None)
    path.write_text("a.example\nb.example\nd.example\n")
    names = read_candidates((path,)).names
    second, fresh = digested(names, scopes, first), digested(names, scopes, None)
    assert (second.digests == fresh.digests).all() and digested(names, scopes, second) is second
    assert second.listed(scopes, 0)[0] == Names(frozenset({"b.example"}), frozenset({"d.example"}))
