"""The quick reader of hash sharing pages says what the parser says, or nothing at all; and pages are fetched one ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vigil.hotline.partners.sources import ncmec
from vigil.hotline.partners.sources.ahead import Ahead, Pages
from vigil.hotline.partners.sources.documents import Unreadable, xml
from vigil.hotline.partners.sources.keeping import Reading
from vigil.hotline.partners.sources.ncmec_pages import NAMESPACE, plain
from vigil.hotline.partners.sources.record import Page, Record

HEX = "ab" * 16
PLAIN = (
    '<image><member id="42">Zorblat</member><timestamp>2026-11-01T00:00:00Z</timestamp><id>e1</id><classification>A1'
    f"</classification><fingerprints><md5>{HEX}</md5><foo>Quimber</foo></fingerprints></image>"
)


def document(entries: str, paging: str = "<paging/>") -> str:
    return f'<queryResult xmlns="{NAMESPACE}"><images count="1" maxTimestamp="">{entries}</images><videos/>{paging}</queryResult>'


texts = st.text(st.sampled_from("aZ9 -._&<>]\"'\\\t\n\r\x85\x00\x1fé\ufffe\u2028;"), max_size=6)
odd = st.one_of(texts, st.sampled_from(["&amp;", "&#65;", "<!-- x -->", "<![CDATA[x]]>", "]]>", "<x/>", "Zorblat", HEX]))


more = st.sampled_from(["", "<n:x>1</n:x>", "<md5/>"])
pagings = st.sampled_from(
    [
        "<paging/>", "<paging><next>/v2/entries?a=1&amp;b=2</next></paging>", "<paging><next>&x</next></paging>", "<p>"
    ]
)  # fmt: skip


@st.composite
def entries(draw: st.DrawFn) -> str:
    """An entry in about the usual form: any part may be missing, doubled, out of place or hold anything."""
    kind = draw(st.sampled_from(["image", "video", "deletedImage", "deletedVideo", "picture"]))
    number = draw(st.sampled_from(["42", "007", "", "x", "9" * 19]))
    parts = [
        f'<member id="{number}">{draw(odd)}</member>',
        f"<timestamp>{draw(st.sampled_from(['2026-11-01T00:00:00Z', '', 'quimber']) | odd)}</timestamp>",
        f"<id>{draw(st.sampled_from(['e1', ' e2 ', '']) | odd)}</id>",
        *(f"<classification>{draw(odd)}</classification>" for _ in range(draw(st.integers(0, 2)))),
        f"<fingerprints><md5>{draw(odd)}</md5><pdq> {draw(odd)} </pdq>{draw(more)}</fingerprints>",
    ]
    if draw(st.booleans()):
        parts = draw(st.permutations(parts))[: draw(st.integers(0, len(parts)))]
    space = draw(st.sampled_from(["", "\n  ", "\r\n", "\x0b"]))
    return f"<{kind}>{space}{space.join(parts)}{space}</{kind}>"


pages = st.builds(
    lambda some, paging, cut: document("".join(some), paging)[:cut],
    st.lists(st.just(PLAIN) | entries(), max_size=3),
    pagings,
    st.sampled_from([None, None, None, -1, 40]),
)


@given(pages)
@example(document(PLAIN))
@example(document(PLAIN.replace("Zorblat", "Zör\u2028blat")))
@example(document(PLAIN.replace("image>", "deletedImage>")))
def test_what_is_read_without_a_tree_is_what_the_parser_says(page: str) -> None:
    body = page.encode()
    found = plain(body)
    if found is not None:
        assert found == list(ncmec.parsed(body, "page"))


@given(st.binary(max_size=200), st.integers(0, len(document(PLAIN))))
def test_damage_is_left_to_the_parser(damage: bytes, place: int) -> None:
    whole = document(PLAIN).encode()
    body = whole[:place] + damage + whole[place:]
    found = plain(body)
    if found is not None:
        xml(body)
        assert found == list(ncmec.parsed(body, "page"))


def test_the_usual_form_is_read_without_a_tree() -> None:
    """Otherwise nothing above would ever compare anything, and a million entries would take their time."""
    found = plain(document(PLAIN * 3, "<paging><next>/v2/entries?a=1&amp;b=2</next></paging>").encode())
    assert found is not None and len(found) == 3
    assert found[0].fingerprints == (("md5", HEX), ("foo", "Quimber")) and found[0].labels == ("A1",) and found[0].raw == PLAIN
    assert plain(document(PLAIN).encode("utf-8-sig")) is not None
    with pytest.raises(Unreadable):
        xml(document(PLAIN)[:-1].encode())
    assert plain(document(PLAIN)[:-1].encode()) is None


def page(number: int) -> Page:
    return Page(f"page {number}", "", lambda: [Record(f"e{number}", "")], {"at": number})


def test_the_next_page_is_read_while_the_one_before_is_kept() -> None:
    both = threading.Barrier(2, timeout=10)

    def read(page: Page) -> Reading:
        if page.name == "page 2":
            both.wait()
        return Reading({}, [])

    with Pages(iter([page(1), page(2)]), read, lambda: None) as coming:
        coming.ahead = Ahead.READ
        for each in coming:
            if each.page.name == "page 1":
                both.wait()  # ends only because page 2 is read at this moment
            each.reading()


def test_a_known_page_is_fetched_only_and_a_failure_comes_in_its_place() -> None:
    read: list[str] = []

    def feed() -> Iterator[Page]:
        yield page(1)
        yield page(2)
        raise Unreadable(ncmec.Flaw.PAGE, "quimber")

    def reading(page: Page) -> Reading:
        read.append(page.name)
        raise ValueError("broken inside")

    kept: list[str] = []

    def keep_all() -> None:
        with Pages(feed(), reading, lambda: None) as coming:
            for each in coming:
                kept.append(each.page.name)

    with pytest.raises(Unreadable):
        keep_all()
    assert kept == ["page 1", "page 2"] and not read
    with Pages(feed(), reading, lambda: None) as coming, pytest.raises(ValueError, match="broken inside"):
        coming.ahead = Ahead.READ
        for each in coming:
            each.reading()


def test_where_a_page_goes_on_is_found_wherever_it_stands() -> None:
    """Usually at the end; comments behind it, however long, hide nothing. The digest leaves out what differs between requests."""
    head, rest = b"<queryResult><images>zorblat</images>", b"</queryResult>"
    for behind in (b"", b"<!--" + b"x" * 3 * ncmec.TAIL_BYTES + b"-->"):
        one, other = (head + b"<paging><next>/v2/entries?page=%d</next></paging>" % page + behind + rest for page in (1, 2))
        assert (ncmec._next_of(one), ncmec._next_of(other)) == ("/v2/entries?page=1", "/v2/entries?page=2")
        assert ncmec._digest(one) == ncmec._digest(other)
    assert ncmec._next_of(head + b"<paging/>" + rest) == ""
    assert ncmec._digest(head + rest) != ncmec._digest(head.replace(b"zor", b"quim") + rest)
