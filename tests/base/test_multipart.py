"""Forms with files: read as they were written, refused otherwise, never more than what is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.base.multipart import PARTS, is_multipart, parts_of

MARK = "zorblat-mark"
KIND = f"multipart/form-data; boundary={MARK}"


def form(*parts: tuple[str, bytes, bool]) -> bytes:
    body = b""
    for name, data, is_file in parts:
        file = '; filename="x"' if is_file else ""
        body += f'--{MARK}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + data + b"\r\n"
    return body + f"--{MARK}--\r\n".encode()


@given(st.lists(st.tuples(st.text("abcdef_", min_size=1), st.binary(max_size=200), st.booleans()), max_size=8))
def test_what_was_written_is_read(parts: list[tuple[str, bytes, bool]]) -> None:
    parts = [each for each in parts if b"\r\n--" + MARK.encode() not in each[1]]
    assert [(part.name, part.data, part.is_file) for part in parts_of(KIND, form(*parts))] == parts


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for content in (body, form(("a", body, True))[: len(body) + 40]):
        try:
            parts_of(KIND, content)
        except InputError as error:
            assert error.code == "multipart_malformed"


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="' + "z" * 71 + '"']
)
def test_no_boundary(kind: str) -> None:
    with pytest.raises(InputError):
        parts_of(kind, form(("a", b"", True)))


@pytest.mark.parametrize(
    "kind", [f'multipart/form-data; boundary="{MARK}"', f"MULTIPART/FORM-DATA; BOUNDARY={MARK}; charset=utf-8"]
)
def test_writings_of_the_boundary(kind: str) -> None:
    assert is_multipart(kind)
    assert parts_of(kind, b"preamble\r\n" + form(("photo", b"x", True)))[0].data == b"x"


def test_too_many_parts_and_a_head_without_end() -> None:
    with pytest.raises(InputError, match="more than"):
        parts_of(KIND, form(*[("a", b"", False)] * (PARTS.value + 1)))
    with pytest.raises(InputError):
        parts_of(KIND, f"--{MARK}\r\n".encode() + b"X: " + b"z" * 10_000)
