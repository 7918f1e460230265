"""What must hold for every address: one answer by both paths, stable, typed refusals only, and the parsers agree."""

from __future__ import annotations

import ada_url
import can_ada
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from vigil.match.urls import CanonicalUrl, UrlRefused, canonical, canonical_from_person, second_pass
from vigil.match.urls.canonical import slow
from vigil.match.urls.escapes import decode_fully, decode_once, fold_nested
from vigil.match.urls.fold import fold_path, fold_query
from vigil.match.urls.parse import clean, parse
from vigil.match.urls.plain import HOST_OF, hosts_of_plain, plain

FRAGMENTS = [
    "http://", "https://", "http:", "HTTP:\\\\", "ws:", "b.example", "b", "..", ".", "/", "//", "\\", "/./",
    "/../", "%2e", "%2F",
    "%5c", "%25", "%2525", "%3F", "%23", "%00", "%", "%zz", "%C3%A9", "%ff", "@", ":", ":80", ":0080",
    ":99999", "?", "??", "#", "&", "=",
    " ", "\t", "\r\n", "\x00", "\x7f", "\u00e9", "\u00df", "\u3002", "\uff42", "\u00ad", "\ud800",
    "\U0001f600", "xn--", "xn--a", "0x7f.1",
    "192.0.2.1", "256", "1.2.3.4.5", "08", "[::1]", "[::ffff:c000:201]", "[", "]", "a", "A", "+", ";v=1",
    "~", "'", '"', "<", "|", "^",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=14).map("".join)
BEHIND_A_HOST = st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(lambda parts: "http://b.example/" + "".join(parts))
LABEL = st.text("abcxyz019-", min_size=1, max_size=8)
NEAR_PLAIN = st.builds(
    lambda scheme, labels, top, port, path, query, mutation: scheme + ".".join([*labels, top]) + port + path + query + mutation,
    st.sampled_from(["http://", "https://", "http://", "https://", "Http://"]),
    st.lists(LABEL | st.sampled_from(["xn--a", "www"]), min_size=1, max_size=3),
    st.sampled_from(["example", "test", "invalid", "0x1", "e1"]),
    st.sampled_from(["", "", "", ":80", ":443", ":8080", ":"]),
    st.lists(st.sampled_from(["/a", "/B1", "/_~-", "/a.b", "/", "/.", "/%41"]), max_size=4).map("".join),
    st.text("aB1_~.-/=&", max_size=8).map(lambda query: query and "?" + query),
    st.sampled_from(["", "", "", "", "#", " ", "\n", "@", "?", "+"]),
)
ANY = HOSTILE | BEHIND_A_HOST | NEAR_PLAIN
SCHEMES = ("http", "https", "ws", "wss")


def outcome(text: str | bytes) -> CanonicalUrl | str:
    try:
        return canonical(text)
    except UrlRefused as refused:
        return refused.code


def slow_outcome(text: str) -> CanonicalUrl | str:
    try:
        return slow(text)
    except UrlRefused as refused:
        return refused.code


@settings(max_examples=600, deadline=None)
@given(ANY)
def test_canonical_is_idempotent(text: str) -> None:
    url = outcome(text)
    assume(isinstance(url, CanonicalUrl))
    assert isinstance(url, CanonicalUrl)
    again = canonical(url.text())
    assert again == url
    assert again.text() == url.text()
    assert url.text().isascii()


@settings(max_examples=600, deadline=None)
@given(NEAR_PLAIN | HOSTILE)
@example("http://b.example\n")
@example("http://b.0x1/")
@example("http://" + "a" * 64 + ".example/")
@example("http://" + "a." * 125 + "example/")
def test_fast_path_equals_slow_path(text: str) -> None:
    fast = plain(text)
    if fast is not None:
        assert slow(text) == fast
        assert slow(text).text() == fast.text()
        assert slow(text).flags == fast.flags


@settings(max_examples=400, deadline=None)
@given(NEAR_PLAIN)
def test_host_of_a_batch_is_the_host_of_the_slow_path(text: str) -> None:
    found = HOST_OF(text)
    if found is not None and len(found[1]) < 254:
        assert slow(text).host == found[1]


@settings(max_examples=300, deadline=None)
@given(st.lists(NEAR_PLAIN | st.sampled_from(["", "\n", "http://b.example/\n", "http://b.example/\r"]), min_size=1, max_size=6))
def test_hosts_of_joined_lines_are_those_of_each_line(texts: list[str]) -> None:
    matches = [HOST_OF(text) for text in texts]
    assert hosts_of_plain(texts) == [found[1] if found else "" for found in matches]


def test_the_near_plain_generator_reaches_the_fast_path() -> None:
    taken = []

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(NEAR_PLAIN)
    def collect(text: str) -> None:
        taken.append(plain(text) is not None)

    collect()
    assert sum(taken) > len(taken) // 20


@settings(max_examples=400, deadline=None)
@given(st.text() | st.binary() | ANY | ANY.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_nothing_but_typed_refusals_ever_comes_out(address: str | bytes) -> None:
    outcome(address)
    candidates = second_pass(address)
    assert len(candidates) <= 4
    for url in candidates:
        assert url.host and url.path.startswith("/") and url.text().isascii()
    if isinstance(address, str):
        try:
            canonical_from_person(address)
        except UrlRefused:
            return


@settings(max_examples=250, deadline=None)
@given(ANY)
def test_bytes_and_text_give_the_same(text: str) -> None:
    assume(not any("\ud800" <= character <= "\udfff" for character in text))
    assert outcome(text.encode()) == outcome(text)


@settings(max_examples=250, deadline=None)
@given(ANY)
def test_a_person_may_write_whatever_the_wire_accepts(text: str) -> None:
    url = outcome(text)
    if isinstance(url, CanonicalUrl):
        assert canonical_from_person(text) == url


@settings(max_examples=600, deadline=None)
@given(HOSTILE | BEHIND_A_HOST | NEAR_PLAIN)
def test_first_layer_equals_two_whatwg_parsers(text: str) -> None:
    """Host and port exactly, path and query after the fold, against can_ada and ada-url."""
    assume(not any("\ud800" <= character <= "\udfff" for character in text))
    try:
        parsed = parse(clean(text))
    except UrlRefused as refused:
        assume(refused.code not in {"scheme", "host_length"})
        assert not can_ada.can_parse(text)
        assert not ada_url.check_url(text)
        return
    if parsed.invalid_label:
        assert ada_url.URL(text).hostname == parsed.host
        return
    for found in (can_ada.parse(text), ada_url.URL(text)):
        assert (found.protocol[:-1], found.hostname) == (parsed.scheme, parsed.host)
        assert found.port == ("" if parsed.port is None else str(parsed.port))
        # They escape different sets in the path (`^`), and one leaves a dot segment: the fold makes them one.
        assert fold_path(found.pathname) == fold_path(parsed.path)
        assert fold_query(found.search[1:]) == fold_query(parsed.query or "")


def in_rounds(data: bytes) -> bytes:
    while (decoded := decode_once(data)) != data:
        data = decoded
    return data


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from([b"%", b"2", b"5", b"4", b"1", b"%25", b"a", b"\xff", b"3", b"0"]), max_size=30).map(b"".join))
def test_one_pass_decoder_equals_rounds(data: bytes) -> None:
    assert decode_fully(data) == fold_nested(data) == in_rounds(data)


@settings(max_examples=200, deadline=None)
@given(ANY)
def test_refused_addresses_with_a_good_host_keep_it_in_the_second_pass(text: str) -> None:
    """An address that canonical accepts gives, when its port is broken, a candidate with the same host."""
    url = outcome(text)
    assume(isinstance(url, CanonicalUrl) and url.port is None and not url.host.startswith("["))
    assert isinstance(url, CanonicalUrl)
    broken = f"{url.scheme}://{url.host}:99999{url.path}"
    assert outcome(broken) == "port"
    assert url.host in {candidate.host for candidate in second_pass(broken)}
