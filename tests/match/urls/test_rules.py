"""The rules one by one: forms of evasion, refusals, known folds, limits, confidentiality."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback

import pytest

from vigil.base.errors import InputError
from vigil.base.limits import CANONICAL_URL_BYTES, URL_BYTES
from vigil.match.urls import (
    CANON,
    CanonicalUrl,
    Refusal,
    UrlFlag,
    UrlRefused,
    canonical,
    canonical_from_person,
    forms_of_entry,
    second_pass,
)
from vigil.match.urls.canonical import slow
from vigil.match.urls.escapes import decode_fully, decode_once, fold_nested
from vigil.match.urls.fold import resolve_dots

# Section 3 of the specification: each row, the plain address, and the forms that must mean the same.
SAME = [
    ("case of scheme and host", "http://b.example/A", ["HTTP://B.eXAMPLE/A"]),
    ("default port", "http://b.example/a", ["http://b.example:80/a"]),
    ("default port of https", "https://b.example/a", ["https://b.example:443/a"]),
    ("default ports of web sockets", "wss://b.example/a", ["wss://b.example:443/a"]),
    ("empty port", "http://b.example/a", ["http://b.example:/a"]),
    ("zero-padded port", "http://b.example/a", ["http://b.example:0080/a"]),
    ("trailing dot on the host", "http://b.example/a", ["http://b.example./a", "http://b.example../a"]),
    ("leading and doubled dots", "http://b.example/a", ["http://.b..example/a"]),
    ("user name and password", "http://b.example/a", ["http://u:p@b.example/a", "http://c.example@b.example/a"]),
    ("fragment", "http://b.example/a", ["http://b.example/a#x", "http://b.example/a#?x#y"]),
    ("dot segments", "http://b.example/a", ["http://b.example/./a", "http://b.example/x/../a", "http://b.example/../a"]),
    ("escaped dot segments", "http://b.example/a", ["http://b.example/x/%2e%2E/a", "http://b.example/%2e/a"]),
    ("doubly escaped dot segments", "http://b.example/a", ["http://b.example/x/%252e%252e/a"]),
    ("hidden dot segments", "http://b.example/x/b", ["http://b.example/x/.a/../b"]),
    ("doubled slashes", "http://b.example/a/b", ["http://b.example//a///b", "http://b.example/a/%2Fb"]),
    ("backslash", "http://b.example/a/b", ["http:\\\\b.example\\a\\b", "http://b.example\\a/b"]),
    ("escape of a letter in the path", "http://b.example/a", ["http://b.example/%61"]),
    ("escape of a letter in the host", "http://b.example/a", ["http://%62.example/a"]),
    ("double escape", "http://b.example/a", ["http://b.example/%2561", "http://b.example/%25%32%35%36%31"]),
    ("TAB, CR, LF inside", "http://b.example/ab", ["ht\ttp://b.ex\nample/a\rb"]),
    ("spaces around", "http://b.example/a", ["  http://b.example/a ", "\x00\x1fhttp://b.example/a\x01"]),
    ("full-width letters", "http://b.example/a", ["http://\uff42.\uff45xample/a"]),
    ("ideographic dot", "http://b.example/a", ["http://b\u3002example/a", "http://b\uff0eexample/a"]),
    ("soft hyphen", "http://b.example/a", ["http://b.ex\u00adample/a"]),
    ("slashes after the scheme", "http://b.example/a", ["http:b.example/a", "http:///b.example/a", "http:/\\/b.example/a"]),
    (
        "IPv4 spellings",
        "http://192.0.2.1/a",
        ["http://3221225985/a", "http://0xC0000201/a", "http://0300.0.2.1/a", "http://192.513/a"],
    ),
    ("IPv6 with leading zeros", "http://[2001:db8::1]/a", ["http://[2001:0db8:0:0::0001]/a"]),
    ("IPv4 inside IPv6", "http://192.0.2.1/a", ["http://[::ffff:192.0.2.1]/a", "http://[64:ff9b::c000:201]/a"]),
    ("dot after an IPv4 address", "http://192.0.2.1/a", ["http://192.0.2.1./a", "http://192.0.2.1../a"]),
    ("IPv4 behind dots", "http://192.0.2.1/a", ["http://0xC0000201../a", "http://.3221225985../a"]),
    ("deviation character", "http://xn--fa-hia.example/a", ["http://fa\u00df.example/a"]),
    ("decomposed letters", "http://xn--tda.example/", ["http://u\u0308.example/", "http://\u00dc.example/"]),
    ("empty path", "http://b.example/?q", ["http://b.example?q"]),
    ("escapes in the query", "http://b.example/a?b=c", ["http://b.example/a?%62=%2563"]),
    ("bytes that are not UTF-8", "http://b.example/%FFa", ["http://b.example/%ffa"]),
]
DISTINCT = [
    ("http://b.example/a", "http://b.example/A"),
    ("http://b.example/a", "http://b.example/a;v=1"),
    ("http://b.example/a?x", "http://b.example/a?x&"),
    ("http://b.example/a?x=1&y=2", "http://b.example/a?y=2&x=1"),
    ("http://b.example/a?b+c", "http://b.example/a?b%20c"),
    ("http://b.example/a?", "http://b.example/a"),
    ("http://b.example/a/", "http://b.example/a"),
    ("http://b.example/a%3Fb", "http://b.example/a?b"),
    ("http://b.example/a%5Cb", "http://b.example/a\\b"),
    ("http://b.example:81/a", "http://b.example/a"),
    ("https://b.example/a", "http://b.example/a"),
    ("http://fass.example/", "http://fa\u00df.example/"),
]
REFUSED = [
    ("http://b.example:65536/", Refusal.PORT),
    ("http://b.example:80a/", Refusal.PORT),
    ("http://b.example:\u0664/", Refusal.PORT),
    ("http://:99999/", Refusal.PORT),
    ("http://b.exa%00mple/", Refusal.HOST_CODE_POINT),
    ("http://%20b.example/", Refusal.HOST_CODE_POINT),
    ("http://b.example%2fx/", Refusal.HOST_CODE_POINT),
    ("http://b.example%5C/", Refusal.HOST_CODE_POINT),
    ("http://a\u2100b.example/", Refusal.HOST_CODE_POINT),
    ("http://276.2.3/", Refusal.HOST_IPV4),
    ("http://1.2.3.4.5/", Refusal.HOST_IPV4),
    ("http://08.1.1.1/", Refusal.HOST_IPV4),
    ("http://b.example.0x/", Refusal.HOST_IPV4),
    ("http://[::1/", Refusal.HOST_IPV6),
    ("http://[::1%25eth0]/", Refusal.HOST_IPV6),
    ("http://[1::2::3]/", Refusal.HOST_IPV6),
    ("http://\ufdd0.example/", Refusal.HOST_IDNA),
    ("http://%80.example/", Refusal.HOST_IDNA),
    ("http://\u00fc.xn--a/", Refusal.HOST_IDNA),
    ("http://", Refusal.HOST_EMPTY),
    ("http://user@/", Refusal.HOST_EMPTY),
    ("http://:80/", Refusal.HOST_EMPTY),
    ("http://.../", Refusal.HOST_EMPTY),
    ("http://\u00ad/", Refusal.HOST_EMPTY),
    ("http://" + "a" * 64 + ".example/", Refusal.HOST_LENGTH),
    ("http://" + "a." * 124 + "example/", Refusal.HOST_LENGTH),
    ("http://" + "\u4e00\u4e01" * 700 + ".example/", Refusal.HOST_LENGTH),
    ("data:text/plain,x", Refusal.SCHEME),
    ("ftp://b.example/", Refusal.SCHEME),
    ("b.example/a", Refusal.SCHEME),
    ("", Refusal.SCHEME),
    ("http://b.example/\ud800", Refusal.SURROGATE),
    ("\udfffdata:", Refusal.SURROGATE),
    ("http://b.example/" + "a" * 65536, Refusal.TOO_LONG),
    ("http://b.example:x/" + "a" * 65536, Refusal.TOO_LONG),
]


@pytest.mark.parametrize(("plain", "form"), [(plain, form) for _, plain, forms in SAME for form in forms], ids=ascii)
def test_form_of_evasion_is_folded(plain: str, form: str) -> None:
    assert canonical(form) == canonical(plain)
    assert canonical(form).text() == plain
    assert canonical(form.encode()) == canonical(plain)


@pytest.mark.parametrize(("one", "other"), DISTINCT)
def test_different_pages_stay_different(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


@pytest.mark.parametrize(("text", "refusal"), REFUSED, ids=lambda value: ascii(value)[:40])
def test_refusal_names_the_class_of_the_first_rule(text: str, refusal: Refusal) -> None:
    with pytest.raises(UrlRefused) as caught:
        canonical(text)
    assert caught.value.refusal is refusal
    assert caught.value.code == refusal.value


def test_every_class_of_refusal_has_a_vector() -> None:
    assert {refusal for _, refusal in REFUSED} == set(Refusal)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("http://b.example/a%2Fb", "http://b.example/a/b"),
        ("http://b.example/?a%2Bb", "http://b.example/?a+b"),
        ("http://b.example/?a%26b%3Dc", "http://b.example/?a&b=c"),
        ("http://b.example/a//../b", "http://b.example/a/b"),
        ("http://b.example/a #x", "http://b.example/a%20"),
        ("http://b.example/a? #x", "http://b.example/a?%20"),
        ("http://b.example/a/.", "http://b.example/a/"),
        ("http://b.example/a/..", "http://b.example/"),
        ("http://b.example/<\">'", "http://b.example/<\">'"),
        ("http://b.example/\u00e9 \x7f", "http://b.example/%C3%A9%20%7F"),
        ("http://b.example/100%", "http://b.example/100%25"),
        ("http://b.example/%0a%09", "http://b.example/%0A%09"),
    ],
)
def test_known_fold(text: str, folded: str) -> None:
    assert canonical(text).text() == folded


def test_port_is_kept_and_port_zero_is_a_port() -> None:
    assert canonical("http://b.example:8080/").port == 8080
    assert canonical("http://b.example:0/").port == 0
    assert canonical("https://b.example/").effective_port() == 443


def test_invalid_a_label_with_port_and_path() -> None:
    url = canonical("https://u@Xn--A.example:0444\\x/..?q")
    assert url.text() == "https://xn--a.example:444/?q"
    assert url.flags == {UrlFlag.A_LABEL_INVALID}
    assert canonical("http://xn--a.example/").flags == {UrlFlag.A_LABEL_INVALID}


def test_bytes_that_are_not_utf8_become_escapes() -> None:
    assert canonical(b"http://b.example/\xff\xc3\xa9").text() == "http://b.example/%FF%C3%A9"


def test_long_query_is_cut_and_the_rest_still_matches() -> None:
    url = canonical("http://b.example/a?" + "q" * URL_BYTES.value)
    assert (url.text(), url.flags) == ("http://b.example/a", {UrlFlag.QUERY_CUT})
    assert canonical("http://b.example/a#" + "q" * 1_000_000).flags == frozenset()


@pytest.mark.parametrize("extra", [0, 1])
def test_limit_is_exact_and_in_bytes(extra: int) -> None:
    place = "http://b.example/"
    room = URL_BYTES.value - len(place) + extra
    for path in ("a" * room, "\u00e9" * (room // 2) + "a" * (room % 2)):
        if extra:
            with pytest.raises(UrlRefused, match="too long"):
                canonical(place + path)
        else:
            assert canonical(place + path).host == "b.example"


def test_escaping_may_triple_an_address_and_it_stays_canonical() -> None:
    url = canonical("http://b.example/" + "\x01" * 65_000 + "a")
    assert len(url.text()) > 190_000
    assert canonical(url.text()) == url
    with pytest.raises(UrlRefused):
        canonical("http://b.example/" + "%41" * 65_000)
    assert len(url.text()) <= CANONICAL_URL_BYTES.value + len("http://b.example")


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("b.example/x", "http://b.example/x"),
        ("b.example:8080/x", "http://b.example:8080/x"),
        ("b.example:8080", "http://b.example:8080/"),
        ("//b.example/x", "http://b.example/x"),
        (" \u00a0https://b.example/x\u200b\n", "https://b.example/x"),
        ("http%3A%2F%2Fb.example%2Fx%3Fy", "http://b.example/x?y"),
        ("HTTP%253a%252F%252Fb.example%252Fx", "http://b.example/x"),
        ("192.0.2.1/x", "http://192.0.2.1/x"),
        ("[2001:db8::1]/x", "http://[2001:db8::1]/x"),
        ("b.example/x?u=http://c.example/", "http://b.example/x?u=http://c.example/"),
        ("\u00fc.example", "http://xn--tda.example/"),
    ],
)
def test_people_may_leave_the_scheme_out(typed: str, text: str) -> None:
    assert canonical_from_person(typed).text() == text


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("/blah", "host_empty"),
        ("", "host_empty"),
        ("   ", "host_empty"),
        ("?q", "host_empty"),
        ("#ref", "host_empty"),
        (":80/x", "host_empty"),
        ("mailto:someone@b.example", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("ftp://b.example/x", "scheme"),
        ("tel:12345", "scheme"),
        ("\ud800", "surrogate"),
        ("b example", "host_code_point"),
        ("data%3Atext", "host_code_point"),
        ("b.example" + "/x" * 40_000, "too_long"),
    ],
)
def test_people_are_told_what_is_wrong(typed: str, code: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        canonical_from_person(typed)
    assert caught.value.code == code
    assert caught.value.mend


@pytest.mark.parametrize(
    ("address", "texts"),
    [
        ("http://b.example:99999/x", ["http://b.example/x"]),
        ("http://a@b.example\x00@c.example%00/x", ["http://c.example/x", "http://b.example%40c.example/x"]),
        ("http://b.example%2fx/y?q", ["http://b.example/x/y?q"]),
        ("http://[fe80::1%25eth0]:81/x", ["http://[fe80::1]:81/x"]),
        ("http://[::ffff:192.0.2.1%25x]/", ["http://192.0.2.1/"]),
        ("http://0x1c0.256.2.1/", ["http://192.0.2.1/", "http://0x1c0.256.2.1/"]),
        ("gopher://b.example/x", ["gopher://b.example/x"]),
        ("b.example:80/x", ["http://b.example/x"]),
        ("http://b..example:x/", ["http://b.example/"]),
        ("http://\u00fc .example/", ["http://%C3%BC%20.example/"]),
        ("http://\ud800b.example/", ["http://%ED%A0%80b.example/"]),
        (b"http://b.example:x/\xff", ["http://b.example/%FF"]),
        ("", []),
        ("http:///", []),
        ("http://b.example:x/a?" + "q" * 200_000, ["http://b.example/a"]),
        ("http://b.example/" + "a" * 200_000, []),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_second_pass(address: str | bytes, texts: list[str]) -> None:
    found = second_pass(address)
    assert [url.text() for url in found] == texts
    assert all(url.flags == {UrlFlag.SECOND_PASS} for url in found)


MARKER = "zorblatquimber"


@pytest.mark.parametrize(
    "text",
    [
        f"http://{MARKER}.example:99999/{MARKER}",
        f"{MARKER}://x",
        f"http://{MARKER}%00/",
        f"http://\ud800{MARKER}/",
        f"http://[{MARKER}]/",
        f"http://{MARKER}\ufdd0/",
        f"http://{MARKER}.1/",
        f"http://b.example/{MARKER}" + "a" * 70_000,
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_nothing_of_the_address_in_errors(text: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UrlRefused) as caught, caplog.at_level(logging.DEBUG):
        canonical(text)
    error: BaseException | None = caught.value
    printed = "".join(traceback.format_exception(caught.value)) + caplog.text
    while error is not None:
        printed += repr(error) + str(error) + repr(vars(error))
        error = error.__cause__ or error.__context__
    assert MARKER not in printed.replace(repr(text), "")


def test_canonical_url_hides_itself() -> None:
    url = canonical(f"http://{MARKER}.example/{MARKER}?{MARKER}")
    shown = f"{url} {url!r} {url:>10} {[url]} {url!s}"
    assert MARKER not in shown
    assert MARKER in url.text()


def test_canonical_url_is_a_value_and_no_string() -> None:
    url = canonical("http://b.example/a")
    assert url != "http://b.example/a"
    assert hash(url) == hash(canonical("http://B.example/a"))
    assert pickle.loads(pickle.dumps(url)) == copy.copy(url) == url
    assert CanonicalUrl("http", "b.example", None, "/a", None, frozenset({"query_cut"})) == url
    with pytest.raises(AttributeError):
        url.host = "c.example"  # type: ignore[misc]


def test_refusal_survives_a_process_border() -> None:
    refused = pickle.loads(pickle.dumps(UrlRefused(Refusal.PORT)))
    assert isinstance(refused, InputError)
    assert refused.code == "port"


def test_version_names_form_and_parser() -> None:
    import importlib.metadata

    assert f"1/can_ada-{importlib.metadata.version('can_ada')}" == CANON


def nest(bytes_long: int) -> bytes:
    """``%25`` opened again and again: each fold uncovers the next."""
    return b"%" + b"25" * ((bytes_long - 3) // 2) + b"41"


def test_nested_escapes_take_one_fold_for_each_three_bytes() -> None:
    for data in (nest(65_535), b"%25" * 21_000, b"%2525" * 13_000, b"%" * 65_000, b"%%32%35" * 9_000):
        assert fold_nested(data) == decode_fully(data)
        assert len(data) - len(fold_nested(data)) == 2 * folds_of(data)


def folds_of(data: bytes) -> int:
    """How often the stack folds: counted, not timed. Every fold takes two bytes away, so there are at most n/2."""
    stack: list[int] = []
    folds = 0
    for byte in data:
        stack.append(byte)
        while len(stack) > 2 and stack[-3] == 0x25 and all(digit in b"0123456789abcdefABCDEF" for digit in stack[-2:]):
            value = int(bytes(stack[-2:]), 16)
            del stack[-3:]
            stack.append(value)
            folds += 1
    assert folds <= len(data) // 2
    return folds


def in_rounds(data: bytes) -> bytes:
    """The slow obvious way: decode until nothing changes."""
    while (decoded := decode_once(data)) != data:
        data = decoded
    return data


@pytest.mark.parametrize(
    "data",
    [b"", b"%", b"%4", b"%41", b"%%41", b"%2541", b"%25%34%31", b"%%35%34", b"%2%35", b"%%%", nest(99), b"%zz%61"],
)
def test_stack_equals_rounds(data: bytes) -> None:
    assert decode_fully(data) == fold_nested(data) == in_rounds(data)


@pytest.mark.parametrize(
    "text",
    [
        "http://b.example/" + "/../" * 16_000,
        "http://b.example/" + "%2e%2e/" * 9_000,
        "http://b.example/" + "%25" * 21_000,
        "http://b.example/?" + "%25" * 21_000,
        "http://" + "a@" * 32_000 + "b.example/",
        "http://" + "\u4e00" * 20_000 + "/",
        "http://" + "." * 65_000 + "/",
        "http://" + "%62" * 20_000 + "/",
        "http://" + "xn--a." * 10_000 + "/",
        "http://[" + ":" * 65_000 + "]/",
        "http://" + "1." * 32_000 + "1/",
        "h" * 65_000,
        "http:" + "/" * 65_000 + "b.example",
        "http://b.example:" + "0" * 65_000 + "80/",
        "http://b.example:" + "9" * 65_000 + "/",
        "http://" + "a\u0315\u0300" * 13_000 + "/",
        "a." * 30_000 + ":x",
        "%2568ttp" * 8_000,
        "http://" + "9" * 60_000 + "/",
        "http://0x" + "f" * 60_000 + "/",
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_hostile_giants_end_in_an_answer(text: str) -> None:
    for whole in (text, text * 16):
        try:
            url = slow(whole)
            assert canonical(url.text()) == url
        except UrlRefused:
            assert len(second_pass(whole)) <= 4


def test_dots_are_resolved_before_slashes_collapse() -> None:
    assert resolve_dots(b"/a//../b") == b"/a/b"
    assert resolve_dots(b"/a/b/../..//") == b"/"
    assert resolve_dots(b"//") == b"/"
    assert resolve_dots(b"/...") == b"/..."
    assert resolve_dots(b"/.a/..b/") == b"/.a/..b/"


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("http://fa\u00df.example/a", ["xn--fa-hia.example", "fass.example"]),
        ("http://\u03b2\u03cc\u03bb\u03bf\u03c2.example/", ["xn--nxasmm1c.example", "xn--nxasmq6b.example"]),
        ("http://b.example/", ["b.example"]),
        ("http://\u00fc.example/", ["xn--tda.example"]),
        ("http://xn--a.example/", ["xn--a.example"]),
        ("http://192.0.2.1/", ["192.0.2.1"]),
        ("http://[2001:db8::1]/", ["[2001:db8::1]"]),
    ],
)
def test_entries_on_deviation_hosts_have_two_names(text: str, hosts: list[str]) -> None:
    url = canonical(text)
    forms = forms_of_entry(url)
    assert [form.host for form in forms] == hosts
    assert all(canonical(form.text()) == form and form.path == url.path for form in forms)
