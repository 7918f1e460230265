"""The index of URL entries against its obvious twin, its scopes and flags, and hostile columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.match.index.url import EntryTable, HostTable, UrlHit, UrlIndex, UrlRecord, UrlUnknown, record_of
from vigil.match.index.url_twin import ListedUrl, UrlIndexTwin
from vigil.match.urls import EntryFlag, Scope, canonical, entry_key, host_key, require_entry

NONE = EntryFlag.NONE
KEY = b"a key of a partner"


def record(text: str, scope: Scope, entry: int, flags: EntryFlag = NONE, **more: int) -> UrlRecord:
    return record_of(
        canonical(text), scope, flags, entry, list_number=more.get("list", 0), expires=more.get("expires", 0), digest_key=KEY
    )


def index(*records: UrlRecord) -> UrlIndex:
    return UrlIndex.build(records, KEY)


def found(urls: UrlIndex, address: str, now: int | None = None) -> int | str | None:
    answer = urls.check(address, now)
    assert urls.check_many([address], now) == [answer]
    if isinstance(answer, UrlHit):
        return answer.entry
    return answer.reason if isinstance(answer, UrlUnknown) else None


@pytest.mark.parametrize(
    ("scope", "entry", "inside", "outside"),
    [
        (
            Scope.URL,
            "http://b.example/a?q",
            ["https://B.example:81/a?q#x"],
            ["http://b.example/a", "http://b.example/a?q&", "http://www.b.example/a?q"],
        ),
        (Scope.URL, "http://b.example/a", ["http://b.example/a?"], ["http://b.example/a?x", "http://b.example/a/"]),
        (Scope.PAGE, "http://b.example/a?q", ["http://b.example/a", "http://b.example/a?x=1"], ["http://b.example/a/b"]),
        (
            Scope.PREFIX,
            "http://b.example/a/",
            ["http://b.example/a/", "http://b.example/a/b/c?d"],
            ["http://b.example/a", "http://b.example/ab/"],
        ),
        (Scope.PREFIX, "http://b.example/", ["http://b.example", "http://b.example/a/b/c/d/e"], ["http://x.b.example/"]),
        (Scope.HOST, "http://b.example/", ["http://b.example/a/b?c"], ["http://www.b.example/", "http://bb.example/"]),
        (
            Scope.DOMAIN,
            "http://b.example/",
            ["http://b.example/a", "http://x.y.b.example/?z"],
            ["http://bb.example/", "http://example/"],
        ),
        (
            Scope.IP,
            "http://192.0.2.1/",
            ["http://3221225985/a", "http://[::ffff:192.0.2.1]/"],
            ["http://192.0.2.2/", "http://b.192.0.2.1/"],
        ),
        (Scope.IP, "http://[2001:db8::1]/", ["https://[2001:db8:0::1]:444/x"], ["http://[2001:db8::2]/"]),
    ],
)
def test_scope_covers_what_it_says_and_no_more(scope: Scope, entry: str, inside: list[str], outside: list[str]) -> None:
    urls = index(record(entry, scope, 7))
    assert [found(urls, address) for address in inside] == [7] * len(inside)
    assert 7 not in [found(urls, address) for address in outside]


def test_most_specific_entry_answers() -> None:
    texts = [
        (Scope.DOMAIN, "http://example.test/"), (Scope.DOMAIN, "http://b.example.test/"), (Scope.HOST, "http://b.example.test/"),
        (Scope.PREFIX, "http://b.example.test/"), (Scope.PREFIX, "http://b.example.test/a/"), (Scope.PAGE, "http://b.example.test/a/x"),
        (Scope.URL, "http://b.example.test/a/x?q"),
    ]  # fmt: skip
    records = [record(text, scope, number) for number, (scope, text) in enumerate(texts)]
    for count in range(len(records), 0, -1):
        assert found(index(*records[:count]), "http://b.example.test/a/x?q") == count - 1


def test_first_list_in_order_answers_among_equals() -> None:
    urls = index(record("http://b.example/a", Scope.URL, 1, list=3), record("http://b.example/a", Scope.URL, 2, list=1))
    answer = urls.check("http://b.example/a")
    assert isinstance(answer, UrlHit)
    assert (answer.entry, answer.list, answer.row) == (2, 1, 1)


def test_flags_are_respected() -> None:
    exact = index(record("https://b.example:444/a", Scope.URL, 1, EntryFlag.SCHEME_EXACT | EntryFlag.PORT_EXACT))
    assert found(exact, "https://b.example:444/a") == 1
    assert found(exact, "http://b.example:444/a") is None
    assert found(exact, "https://b.example/a") is None
    own = index(record("https://b.example/a", Scope.URL, 1, EntryFlag.PORT_EXACT))
    assert found(own, "http://b.example:443/a") == 1
    assert found(own, "http://b.example/a") is None
    alone = index(record("https://b.example/", Scope.DOMAIN, 1, EntryFlag.EXACT_HOST))
    assert (found(alone, "http://b.example/x"), found(alone, "http://www.b.example/")) == (1, None)


def test_query_set_ignores_order_and_tracking() -> None:
    urls = index(record("http://b.example/a?id=1&x=2&utm_source=z", Scope.URL, 1, EntryFlag.QUERY_SET))
    assert found(urls, "http://b.example/a?x=2&id=1") == 1
    assert found(urls, "http://b.example/a?gclid=9&x=2&&id=1") == 1
    assert found(urls, "http://b.example/a?x=2&id=1&y") is None
    assert found(urls, "http://b.example/a?x=2") is None
    plain_entry = index(record("http://b.example/a?id=1&x=2", Scope.URL, 1))
    assert found(plain_entry, "http://b.example/a?x=2&id=1") is None


def test_a_skipped_entry_lets_the_next_one_answer() -> None:
    urls = index(
        record("http://b.example/a", Scope.URL, 1, EntryFlag.SCHEME_EXACT),
        record("http://b.example/a", Scope.URL, 2, list=1),
        record("http://b.example/", Scope.HOST, 3),
    )
    assert found(urls, "http://b.example/a") == 1
    assert found(urls, "https://b.example/a") == 2


def test_expired_entries_do_not_count() -> None:
    urls = index(record("http://b.example/a", Scope.URL, 1, expires=100), record("http://b.example/", Scope.DOMAIN, 2))
    assert [found(urls, "http://b.example/a", now) for now in (None, 99, 100)] == [1, 1, 2]


def test_refused_addresses_hit_by_the_second_pass_or_are_unknown() -> None:
    urls = index(record("http://b.example/a", Scope.URL, 1), record("http://20.2.0.3/", Scope.IP, 2))
    hit = urls.check("http://b.example:99999/a")
    assert isinstance(hit, UrlHit)
    assert (hit.entry, hit.second_pass) == (1, True)
    assert found(urls, "http://276.2.3/") == 2
    assert found(urls, "http://c.example:99999/a") == "port"
    assert found(urls, "http://c.example/" + "a" * 70_000) == "too_long"
    assert found(urls, "http://b.example/" + "a" * 70_000) == "too_long"
    assert found(urls, "http://" + "a." * 126 + "example/") == "host_length"


def test_long_query_is_no_way_round() -> None:
    urls = index(record("http://b.example/a", Scope.PAGE, 1))
    assert found(urls, "http://b.example/a?" + "q" * 70_000) == 1
    assert found(urls, "http://c.example/a?" + "q" * 70_000) is None


def test_lookup_by_host_alone_sees_only_what_it_may_enforce() -> None:
    urls = index(
        record("http://b.example/a", Scope.URL, 1, EntryFlag.HOST_APPROVED),
        record("http://c.example/", Scope.DOMAIN, 2),
        record("http://d.example/", Scope.DOMAIN, 3, EntryFlag.HOST_ONLY_SKIPPED),
        record("http://e.example/", Scope.HOST, 4),
        record("http://192.0.2.1/", Scope.IP, 5),
        record("https://f.example/", Scope.HOST, 6, EntryFlag.SCHEME_EXACT),
    )
    hosts = ["b.example", "x.c.example", "c.example", "d.example", "e.example", "x.e.example", "192.0.2.1", "f.example"]
    hits = [urls.lookup_host(host) for host in hosts]
    assert [hit.entry if hit else None for hit in hits] == [None, 2, 2, None, 4, None, None, None]


def test_keys_differ_by_scope_key_and_query_set() -> None:
    url = canonical("http://b.example/a/?b")
    keys = {entry_key(scope, url, key) for scope in Scope for key in (None, KEY)} | {
        entry_key(Scope.URL, url, KEY, EntryFlag.QUERY_SET)
    }
    assert len(keys) == 13
    assert {len(key) for key in keys} == {16}
    assert len(host_key("b.example")) == 8
    assert host_key("b.example") != host_key("b.example", KEY)
    assert entry_key(Scope.URL, canonical("http://b.example/?")) == entry_key(Scope.URL, canonical("https://b.example:81/"))


def test_an_index_with_another_key_finds_nothing() -> None:
    urls = UrlIndex.build([record("http://b.example/a", Scope.URL, 1)], b"another key")
    assert urls.check("http://b.example/a") is None


@pytest.mark.parametrize(
    ("text", "scope", "code"),
    [
        ("http://b.example/a", Scope.PREFIX, "prefix_without_slash"),
        ("http://b.example/" + "a/" * 17, Scope.PREFIX, "prefix_too_deep"),
        ("http://b.example/", Scope.IP, "scope_and_host"),
        ("http://192.0.2.1/", Scope.HOST, "scope_and_host"),
        ("http://[2001:db8::1]/", Scope.DOMAIN, "scope_and_host"),
    ],
)
def test_entry_whose_address_does_not_fit_its_scope_is_refused(text: str, scope: Scope, code: str) -> None:
    with pytest.raises(InputError) as caught:
        require_entry(scope, canonical(text))
    assert caught.value.code == code


def test_deepest_prefix_is_reachable() -> None:
    text = "http://b.example/" + "a/" * 16
    assert found(index(record(text, Scope.PREFIX, 1)), text + "b/c/d") == 1


NAMES = ["b.example", "www.b.example", "x.www.b.example", "c.example", "example", "192.0.2.1", "[2001:db8::1]"]
PATHS = ["/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c/d"]
QUERIES = ["", "?", "?x=1", "?x=1&y=2", "?y=2&x=1", "?x=1&utm_source=q"]
ADDRESS = st.builds(
    lambda scheme, name, port, path, query: f"{scheme}://{name}{port}{path}{query}",
    st.sampled_from(["http", "https", "ws"]),
    st.sampled_from(NAMES),
    st.sampled_from(["", ":81", ":443", ":99999"]),
    st.sampled_from(PATHS),
    st.sampled_from(QUERIES),
)
FLAGS = st.sets(st.sampled_from([EntryFlag.SCHEME_EXACT, EntryFlag.PORT_EXACT, EntryFlag.QUERY_SET, EntryFlag.EXACT_HOST])).map(
    lambda flags: EntryFlag(sum(flags))
)


@st.composite
def listed(draw: st.DrawFn) -> list[ListedUrl]:
    entries = []
    for number in range(draw(st.integers(0, 8))):
        url = canonical(draw(ADDRESS.map(lambda text: text.replace(":99999", ""))))
        scope = draw(
            st.sampled_from([Scope.URL, Scope.PAGE, Scope.PREFIX, Scope.IP if url.is_address() else Scope.HOST, Scope.DOMAIN])
        )
        if scope is Scope.PREFIX:
            url = replace(url, path=url.path.rpartition("/")[0] + "/")
        if scope is Scope.DOMAIN and url.is_address():
            scope = Scope.IP
        entries.append(ListedUrl(url, scope, draw(FLAGS), number, draw(st.integers(0, 2)), draw(st.sampled_from([0, 0, 5, 9]))))
    return entries


@settings(max_examples=400, deadline=None)
@given(listed(), st.lists(ADDRESS, min_size=1, max_size=8), st.sampled_from([None, 4, 7]))
def test_index_equals_its_twin(entries: list[ListedUrl], addresses: list[str], now: int | None) -> None:
    twin = UrlIndexTwin(entries)
    urls = UrlIndex.build([record_of(e.url, e.scope, e.flags, e.entry, list_number=e.list, expires=e.expires) for e in entries])
    answers = urls.check_many(addresses, now)
    for address, answer in zip(addresses, answers, strict=True):
        assert urls.check(address, now) == answer
        expected = twin.check(address, now)
        if isinstance(answer, UrlHit):
            assert isinstance(expected, ListedUrl)
            assert (answer.entry, answer.list, answer.scope) == (expected.entry, expected.list, expected.scope)
            assert answer.row == entries.index(expected)
        else:
            assert expected == (answer.reason if isinstance(answer, UrlUnknown) else None)


def big(count: int) -> tuple[EntryTable, HostTable, list[str]]:
    addresses = [f"http://h{number}.b{number % 97}.example/p{number}" for number in range(count)]
    records = [record_of(canonical(text), Scope.URL, NONE, number, list_number=0) for number, text in enumerate(addresses)]
    keys = np.frombuffer(b"".join(r.key for r in records), np.uint8).reshape(-1, 16)
    hosts = np.frombuffer(b"".join(r.host_key for r in records), np.uint8).reshape(-1, 8)
    zero = np.zeros(count, np.uint16)
    table = EntryTable(
        keys,
        zero.astype(np.uint8),
        zero,
        zero,
        zero.astype(np.uint8),
        np.arange(count, dtype=np.uint64),
        zero,
        zero.astype(np.int64),
    )
    return table, HostTable(hosts, zero.astype(np.uint8)), addresses


def test_every_entry_is_found_at_every_size() -> None:
    for count in (0, 1, 2, 3, 4, 7, 8, 64, 1023, 1024, 1025, 5000):
        table, hosts, addresses = big(count)
        urls = UrlIndex.from_columns(table, hosts)
        assert len(urls) == count
        answers = urls.check_many([*addresses, "http://none.example/"])
        assert [hit.entry if isinstance(hit, UrlHit) else hit for hit in answers] == [*range(count), None]


def test_equal_entries_are_all_kept() -> None:
    same = [record("http://b.example/a", Scope.URL, number, expires=number + 1) for number in range(1025)]
    urls = index(*same)
    assert [found(urls, "http://b.example/a", now) for now in (0, 500, 1024, 1025)] == [0, 500, 1024, None]


def test_memory_is_a_few_dozen_bytes_an_entry() -> None:
    table, hosts, _ = big(5000)
    assert UrlIndex.from_columns(table, hosts).nbytes() / 5000 < 96


def test_a_batch_takes_text_and_bytes_and_anything() -> None:
    table, hosts, addresses = big(10)
    urls = UrlIndex.from_columns(table, hosts)
    batch = [
        addresses[3],
        addresses[4].encode(),
        b"\xff",
        "",
        "\n",
        "http://b.example/\nhttp://b.example/",
        "\ud800",
        "http://:1/",
        "http://c.example\n",
    ]
    assert urls.check_many(batch) == [urls.check(address) for address in batch]
    assert urls.check_many([]) == []
    for _ in range(2):
        assert urls.check_many(addresses) == [urls.check(address) for address in addresses]


def test_memory_of_hosts_that_are_not_listed_stays_bounded() -> None:
    table, hosts, _ = big(3)
    urls = UrlIndex.from_columns(table, hosts)
    for start in range(0, 140_000, 35_000):
        urls.check_many([f"http://h{number}.test/" for number in range(start, start + 35_000)])
    assert len(urls._cache) <= 2 * 65_536
    assert found(urls, "http://h1.b1.example/p1") == 1


def test_a_listed_host_whose_hash_is_that_of_an_unlisted_one_is_found() -> None:
    """The memory of unlisted hosts compares more than Python's hash, of which any two may share one."""
    table, hosts, _ = big(3)
    urls = UrlIndex.from_columns(table, hosts)
    assert found(urls, "http://h1.test/") is None
    [remembered] = urls._cache.values()
    urls._cache[hash("h1.b1.example")] = remembered
    assert found(urls, "http://h1.b1.example/p1") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keys", np.zeros((3, 15), np.uint8)),
        ("keys", np.zeros((3, 16), np.int8)),
        ("scopes", np.full(3, 6, np.uint8)),
        ("schemes", np.full(3, 5, np.uint8)),
        ("flags", np.full(3, 64, np.uint16)),
        ("ports", np.zeros(2, np.uint16)),
        ("entries", np.zeros(3, np.int64)),
        ("entries", np.full(3, np.nan)),
        ("expires", np.full(3, -1, np.int64)),
        ("lists", np.zeros((3, 1), np.uint16)),
    ],
)
def test_lying_columns_are_refused(name: str, value: np.ndarray) -> None:  # type: ignore[type-arg]
    table, hosts, _ = big(3)
    with pytest.raises(InputError) as caught:
        UrlIndex.from_columns(replace(table, **{name: value}), hosts)
    assert caught.value.code == "url_columns"


@pytest.mark.parametrize(
    "hosts",
    [
        HostTable(np.zeros((3, 7), np.uint8), np.zeros(3, np.uint8)),
        HostTable(np.zeros((3, 8), np.uint8), np.zeros(4, np.uint8)),
        HostTable(np.zeros((3, 8), np.uint8), np.full(3, 17, np.uint8)),
    ],
)
def test_lying_hosts_are_refused(hosts: HostTable) -> None:
    with pytest.raises(InputError):
        UrlIndex.from_columns(big(3)[0], hosts)


@pytest.mark.parametrize(
    "change",
    [{"key": b"short"}, {"host_key": b""}, {"depth": 17}, {"depth": -1}, {"scheme": "ftp"}, {"flags": 1 << 16}, {"list": -1}],
)
def test_lying_records_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        index(replace(record("http://b.example/a", Scope.URL, 1), **change))  # type: ignore[arg-type]
