"""Finding the pictures of a page, however the page is written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vigil.hotline.reports.fetcher import fetchable
from vigil.hotline.reports.pictures import PICTURES, pictures_of

URL = fetchable("http://gallery.example/room/7")


def found(page: bytes) -> list[str]:
    return [picture.text() for picture in pictures_of(page, URL)[0]]


def test_shown_and_linked_pictures_in_order() -> None:
    page = b'<img src="a.png"><a href=/b.JPG>b</a><a href="next">no picture</a><IMG alt="1 > 0" SRC=\'c.gif\'>'
    assert found(page) == [
        "http://gallery.example/room/a.png",
        "http://gallery.example/b.JPG",
        "http://gallery.example/room/c.gif",
    ]


def test_each_picture_once() -> None:
    assert found(b'<img src="a.png"><img src="./a.png"><a href="a.png#x">') == ["http://gallery.example/room/a.png"]


def test_base_moves_what_follows() -> None:
    assert found(b'<base href="http://store.example/p/"><img src="a.png">') == ["http://store.example/p/a.png"]


def test_character_references_are_read() -> None:
    assert found(b'<img src="a.png?x=1&amp;y=2">') == ["http://gallery.example/room/a.png?x=1&y=2"]


def test_no_more_than_the_limit() -> None:
    page = b"".join(b'<img src="%d.png">' % number for number in range(120))
    pictures, left_out = pictures_of(page, URL)
    assert (len(pictures), left_out) == (PICTURES.value, 120 - PICTURES.value)


def test_what_cannot_be_fetched_is_counted() -> None:
    page = b'<img src="data:image/png;base64,AAAA"><img src="http://[bad/"><img src="file:///etc/passwd">'
    assert pictures_of(page, URL) == ([], 3)


@given(st.binary(max_size=2000))
def test_any_bytes_are_survived(page: bytes) -> None:
    pictures_of(page, URL)


@given(st.text(alphabet="<img a base src=href='\"> /x\t&#;:[]", max_size=300))
def test_nearly_html_is_survived(page: str) -> None:
    pictures, _ = pictures_of(page.encode(), URL)
    assert all(picture.scheme in {"http", "https"} for picture in pictures)
