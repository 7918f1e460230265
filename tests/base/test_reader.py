"""The cursor over hostile bytes never leaves its frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.base.reader import BoundedReader


def test_it_reads_fields_in_order_and_accepts_the_end() -> None:
    reader = BoundedReader(b"\x02\x00head\r\nrest", "a message")
    assert reader.unsigned(2, "version") == 2
    assert reader.take_until(b"\r\n", 10, "head line") == b"head"
    assert reader.take(reader.remaining, "rest") == b"rest"
    reader.finish()


def test_it_complains_about_leftovers() -> None:
    reader = BoundedReader(b"abc", "a message")
    reader.take(2, "field")
    with pytest.raises(InputError, match="1 bytes too many"):
        reader.finish()


@pytest.mark.parametrize(("data", "limit", "code"), [(b"abc", 10, "truncated"), (b"a" * 50, 10, "too_long")])
def test_a_missing_mark_is_truncation_or_too_long(data: bytes, limit: int, code: str) -> None:
    with pytest.raises(InputError) as caught:
        BoundedReader(data, "a message").take_until(b"\n", limit, "line")
    assert caught.value.code == code


@given(st.binary(max_size=40), st.lists(st.integers(-3, 50), max_size=8))
def test_whatever_is_asked_it_gives_bytes_of_the_frame_or_refuses(data: bytes, wishes: list[int]) -> None:
    reader = BoundedReader(data, "a message")
    given_out = b""
    for wish in wishes:
        try:
            given_out += reader.take(wish, "field")
        except InputError:
            assert wish < 0 or wish > reader.remaining
    assert data.startswith(given_out)
    assert reader.position == len(given_out)
