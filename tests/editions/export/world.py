"""Entries of every shape, addresses to ask about, and what an export must and must not cover."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from vigil.editions.export import Exported, Occasion, export_as
from vigil.editions.model import EditionContents, HashEntry, ListInfo, UrlEntry
from vigil.match.index.url_twin import ListedUrl, covers
from vigil.match.urls import CanonicalUrl, EntryFlag, Scope, canonical

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAGES = ListInfo("pages", "url", ("NL",))
SITES = ListInfo("sites", "domain", ("US-CA",))
PICTURES = ListInfo("pictures", "hash_csam", ("NL",), 24)
LISTS = (PAGES, SITES, PICTURES)

NAMES = (
    "zorblat.example", "a.zorblat.example", "b.a.zorblat.example", "www.zorblat.example", "quimber.test", "xn--bcher-kva.example",
    "zorblatxexample.test", "default", "example", "a_b.example", "x+y.example", "a*b.example", "zorblat.rpz-ip", "-o.example",
    "1.2.3.4.5.6.example",
)  # fmt: skip
ADDRESSES = ("192.0.2.7", "[2001:db8::1]")
PATHS = (
    "/", "/a", "/A", "/a/", "/a/b", "/a/b/", "/a/b/c/d/", "/a.b", "/aXb", "/(a)$", "/%20x", "/a^b", "/[1]", "/{2}|c", '/"q"',
    "/'s'", "/caf%C3%A9", "/%23%25zz", "/a+b", "/*", "/~user/", "/;x",
)  # fmt: skip
QUERIES = (None, "", "x=1", "x=1&y=2", "y=2&x=1", "q\\w", "p=(1)|[2]", "u'v\"", "X=1")
SCHEMES = ("http", "https")
PORTS = (None, 80, 443, 8080)

hosts = st.sampled_from(NAMES + ADDRESSES)
urls = st.builds(
    lambda scheme, host, port, path, query: canonical(
        f"{scheme}://{host}{'' if port is None else f':{port}'}{path}{'' if query is None else f'?{query}'}"
    ),
    st.sampled_from(SCHEMES), hosts, st.sampled_from(PORTS), st.sampled_from(PATHS), st.sampled_from(QUERIES),
)  # fmt: skip
FLAGS = (
    EntryFlag.NONE, EntryFlag.NONE, EntryFlag.NONE, EntryFlag.SCHEME_EXACT, EntryFlag.PORT_EXACT, EntryFlag.QUERY_SET,
    EntryFlag.EXACT_HOST, EntryFlag.HOST_ONLY_SKIPPED, EntryFlag.HOST_APPROVED, EntryFlag.SCHEME_EXACT | EntryFlag.PORT_EXACT,
)  # fmt: skip
EXPIRIES = (None, None, None, NOW + timedelta(days=1), NOW, NOW - timedelta(hours=1))
LABELS = ((), ("test",), ("ai", "canary"))


@st.composite
def url_entries(draw: st.DrawFn) -> UrlEntry:
    url, scope = draw(urls), draw(st.sampled_from(Scope))
    if scope is Scope.PREFIX and not url.path.endswith("/"):
        url = replace(url, path=f"{url.path}/")
    if scope is Scope.IP and not url.is_address():
        scope = Scope.HOST
    elif scope in (Scope.HOST, Scope.DOMAIN) and url.is_address():
        scope = Scope.IP
    place = draw(st.sampled_from((PAGES.name, SITES.name)))
    options = {"flags": draw(st.sampled_from(FLAGS)), "labels": draw(st.sampled_from(LABELS))}
    return UrlEntry(0, place, url, scope, expires=draw(st.sampled_from(EXPIRIES)), **options)  # type: ignore[arg-type]


@st.composite
def hash_entries(draw: st.DrawFn) -> HashEntry:
    algorithm, size = draw(st.sampled_from((("md5", 16), ("sha1", 20), ("sha256", 32), ("pdq", 32))))
    value = hashlib.sha512(b"quimber %d" % draw(st.integers(1, 9))).digest()[:size]
    return HashEntry(0, PICTURES.name, algorithm, value, draw(st.sampled_from(LABELS)), draw(st.sampled_from(EXPIRIES)))


@st.composite
def contents(draw: st.DrawFn, most: int = 6) -> EditionContents:
    """Entries with numbers of their own."""
    found = draw(st.lists(url_entries(), max_size=most))
    pictures = draw(st.lists(hash_entries(), max_size=3))
    return EditionContents(
        LISTS,
        tuple(replace(entry, entry=number) for number, entry in enumerate(found)),
        tuple(replace(entry, entry=number) for number, entry in enumerate(pictures, start=100)),
    )


probes = st.lists(urls, min_size=1, max_size=5)


def around(source: EditionContents, asked: Iterable[CanonicalUrl]) -> list[CanonicalUrl]:
    """The addresses asked for, and those that differ in one respect from an entry: there the mistakes are."""
    found = [*asked]
    for entry in source.urls:
        found += [entry.url, *(_canonical(each) for each in _neighbours(entry.url))]
    return list(dict.fromkeys(found))


def _neighbours(url: CanonicalUrl) -> Iterator[CanonicalUrl]:
    if not url.is_address():
        parent, joined = url.host.partition(".")[2], url.host.replace(".", "x", 1)
        for host in (f"www.{url.host}", f"a.b.{url.host}", f"x{url.host}", parent, joined, f"{url.host}.test"):
            if host and not host.startswith("."):
                yield replace(url, host=host)
    yield replace(url, host="elsewhere.test", path=f"/x.{url.host}/")
    below = f"{url.path}sub/deeper/down" if url.path.endswith("/") else f"{url.path}/"
    for path in (f"{url.path}x", below, url.path.swapcase(), url.path.replace(".", "X"), url.path[:-1] or "/", "/other"):
        yield replace(url, path=path)
        yield replace(url, path=path, query=None)
    for query in (None, "", "x=1", f"{url.query or 'y'}z", "&".join(reversed((url.query or "b=1&a=2").split("&")))):
        yield replace(url, query=query)
    for scheme in SCHEMES:
        for port in (None, 80, 443, 8080, 18080):
            yield replace(url, scheme=scheme, port=port)


def _canonical(url: CanonicalUrl) -> CanonicalUrl:
    return canonical(url.text())


def some_contents() -> EditionContents:
    """The entries of the golden files: each scope, each flag, a canary, a test entry, one that has expired, hashes."""
    lines = (
        (1, "pages", "http://zorblat.example/quimber/1.html", Scope.PAGE, {}),
        (2, "pages", "https://zorblat.example/Quimber/?page=2&x=(1)", Scope.URL, {}),
        (3, "pages", "http://zorblat.example/folder/a+b/", Scope.PREFIX, {}),
        (4, "pages", "http://192.0.2.7/a/b?c=1", Scope.URL, {"flags": EntryFlag.SCHEME_EXACT | EntryFlag.PORT_EXACT}),
        (5, "pages", "http://192.0.2.8/", Scope.IP, {}),
        (6, "pages", "http://zorblat.example/q?b=2&a=1", Scope.URL, {"flags": EntryFlag.QUERY_SET}),
        (7, "pages", "http://canary.zorblat.example/page", Scope.PAGE, {"labels": ("canary",)}),
        (8, "pages", "http://zorblat.example/old", Scope.PAGE, {"expires": NOW - timedelta(seconds=1)}),
        (9, "pages", "http://zorblat.example/soon", Scope.PAGE, {"expires": NOW + timedelta(days=3)}),
        (10, "sites", "http://quimber.test/", Scope.DOMAIN, {"labels": ("test",)}),
        (11, "sites", "http://www.quimber.test/", Scope.HOST, {}),
        (12, "sites", "http://host.zorblat.test/", Scope.HOST, {"flags": EntryFlag.HOST_APPROVED}),
        (13, "sites", "http://skipped.test/", Scope.DOMAIN, {"flags": EntryFlag.HOST_ONLY_SKIPPED}),
        (14, "sites", "https://xn--bcher-kva.test/", Scope.DOMAIN, {"flags": EntryFlag.EXACT_HOST}),
        (15, "sites", "http://shop.test:8080/", Scope.HOST, {"flags": EntryFlag.PORT_EXACT}),
    )  # fmt: skip
    listed = tuple(UrlEntry(number, name, canonical(text), scope, **more) for number, name, text, scope, more in lines)  # type: ignore[arg-type]
    pictures = tuple(
        HashEntry(number, "pictures", algorithm, hashlib.sha512(b"quimber %d" % number).digest()[:size])
        for number, algorithm, size in ((20, "md5", 16), (21, "sha1", 20), (22, "sha256", 32), (23, "pdq", 32))
    )
    return EditionContents(LISTS, listed, pictures)


def made(name: str, source: EditionContents, before: EditionContents | None = None, number: int = 7) -> Exported:
    return export_as(name, source, Occasion(number, NOW, before))


def living(source: EditionContents) -> list[UrlEntry]:
    return [entry for entry in source.urls if entry.expires is None or entry.expires > NOW]


def listed(entry: UrlEntry) -> ListedUrl:
    return ListedUrl(entry.url, entry.scope, entry.flags, entry.entry, 0)


def is_covered(entries: Iterable[UrlEntry], url: CanonicalUrl) -> bool:
    return any(covers(listed(entry), url) for entry in entries)


def whole_entries(source: EditionContents, export: Exported) -> list[UrlEntry]:
    """Living entries that the report does not name."""
    missing = {(each.list, each.entry) for each in export.left}
    return [entry for entry in living(source) if (entry.list, entry.entry) not in missing]


def check_cover(
    source: EditionContents, export: Exported, asked: Iterable[CanonicalUrl], is_listed: Callable[[CanonicalUrl], bool]
) -> None:
    """Never wider than the entries; and whatever the report does not name is covered whole."""
    for url in asked:
        found = is_listed(url)
        if found:
            assert is_covered(living(source), url), "wider than its entries"
        if is_covered(whole_entries(source, export), url):
            assert found, "an entry is missing and not in the report"


def host_rights(entry: UrlEntry) -> bool:
    """Written a second time, from the facts: host and domain entries, unless skipped or bound to scheme or port."""
    barred = EntryFlag.HOST_ONLY_SKIPPED | EntryFlag.SCHEME_EXACT | EntryFlag.PORT_EXACT
    return entry.scope in (Scope.HOST, Scope.DOMAIN) and not entry.flags & barred


def check_hosts(
    source: EditionContents, export: Exported, asked: Iterable[CanonicalUrl], is_listed: Callable[[str], bool]
) -> None:
    """The same for readers that see only the host."""
    rights = [entry for entry in living(source) if host_rights(entry)]
    for url in asked:
        found = is_listed(url.host)
        if found:
            assert is_covered(rights, url), "wider than its entries"
        if is_covered(whole_entries(source, export), url):
            assert found, "an entry is missing and not in the report"
