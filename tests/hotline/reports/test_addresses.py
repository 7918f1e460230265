"""What people type is read, or kept as it is with the class why it could not be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.hotline.reports.addresses import Doubt, bare_text, read_address, registrable_domain, top_level
from vigil.match.urls import canonical


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("gallery.example/room/7", "http://gallery.example/room/7"),
        ("  HTTPS://Gallery.Example/Room \n", "https://gallery.example/Room"),
        ("https%3A%2F%2Fgallery.example%2Froom", "https://gallery.example/room"),
        ("http://zorblatzorblatzorblat.onion/a", "http://zorblatzorblatzorblat.onion/a"),
        ("http://192.0.2.7/x", "http://192.0.2.7/x"),
    ],
)
def test_readable(typed: str, text: str) -> None:
    reading = read_address(typed)
    assert reading.url is not None
    assert reading.url.text() == text
    assert not reading.refusal


@pytest.mark.parametrize(
    ("typed", "refusal"),
    [
        ("the quimber group", "host_code_point"),
        ("quimber", Doubt.NO_DOT),
        ("a.example\n\nb.example", Doubt.SEVERAL_LINES),
        ("magnet:?xt=urn:zorblat", "scheme"),
        ("", "host_empty"),
        ("\ud800.example", "surrogate"),
    ],
)
def test_doubtful(typed: str, refusal: str) -> None:
    reading = read_address(typed)
    assert reading.url is None
    assert reading.refusal == refusal
    assert typed not in repr(reading) or not typed


@given(st.text())
def test_every_text_has_a_reading(text: str) -> None:
    reading = read_address(text)
    assert (reading.url is None) == bool(reading.refusal)


@given(st.binary())
def test_stray_bytes_stay_recognisable(data: bytes) -> None:
    text = bare_text(data)
    text.encode("utf-8")
    try:
        assert text == data.decode("utf-8")
    except UnicodeDecodeError:
        assert "%" in text


def test_a_stray_byte_is_written_as_a_browser_would() -> None:
    assert bare_text(b"http://a.example/\xff\xc3\xa9") == "http://a.example/%FFé"


@pytest.mark.parametrize(
    ("address", "domain", "tld"),
    [
        ("http://a.b.zorblat.co.uk/", "zorblat.co.uk", "uk"),
        ("http://deep.gallery.example/", "gallery.example", "example"),
        ("http://192.0.2.7/", "192.0.2.7", ""),
        ("http://co.uk/", "co.uk", "uk"),
    ],
)
def test_domain_parts(address: str, domain: str, tld: str) -> None:
    url = canonical(address)
    assert (registrable_domain(url), top_level(url)) == (domain, tld)
