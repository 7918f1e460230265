"""Public keys of partners, looked at strictly before anything is encrypted for them."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.editions.cipher import Identity, encrypt, new_identity, require_recipient

LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
ORDER_EIGHT = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"  # RFC 7748, section 6.1: not contributory


def bech32(prefix: str, numbers: list[int]) -> str:
    """BIP 173, written down once more and slowly."""

    def checksum(values: list[int]) -> int:
        state = 1
        for value in values:
            top, state = state >> 25, (state & 0x1FFFFFF) << 5 ^ value
            for bit, mask in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                state ^= mask if top >> bit & 1 else 0
        return state

    expanded = [ord(letter) >> 5 for letter in prefix] + [0] + [ord(letter) & 31 for letter in prefix]
    total = checksum([*expanded, *numbers, 0, 0, 0, 0, 0, 0]) ^ 1
    ends = [total >> 5 * (5 - place) & 31 for place in range(6)]
    return prefix + "1" + "".join(LETTERS[number] for number in [*numbers, *ends])


def recipient(point: bytes, padding: int = 0, prefix: str = "age") -> str:
    bits = int.from_bytes(point, "big") << 4 | padding
    return bech32(prefix, [bits >> 5 * (51 - place) & 31 for place in range(52)])


GOOD = Identity(new_identity()).recipient


@given(st.binary(min_size=32, max_size=32))
def test_what_is_accepted_can_be_encrypted_for(point: bytes) -> None:
    try:
        accepted = require_recipient(recipient(point))
    except InputError:
        return
    assert encrypt(b"quimber", [accepted])


def test_each_key_that_an_identity_has_is_accepted() -> None:
    for _ in range(20):
        text = Identity(new_identity()).recipient
        assert require_recipient(text) == text
    assert require_recipient(recipient(secrets.token_bytes(31) + b"\x11"))


@pytest.mark.parametrize(
    "wrong",
    {
        "nothing": "",
        "another letter": GOOD[:-1] + ("q" if GOOD[-1] != "q" else "p"),
        "two letters changed over": GOOD[:20] + GOOD[21] + GOOD[20] + GOOD[22:] if GOOD[20] != GOOD[21] else GOOD[:-2],
        "capital letters": GOOD.upper(),
        "some capital letters": GOOD[:10] + GOOD[10:].upper(),
        "blank behind": GOOD + " ",
        "line end": GOOD + "\n",
        "cut": GOOD[:-1],
        "two in one": GOOD + GOOD,
        "another prefix": recipient(secrets.token_bytes(32), prefix="agf"),
        "stray bits": recipient(secrets.token_bytes(32), padding=5),
        "too short": bech32("age", [1] * 50),
        "a key of SSH": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA",
        "the point zero": recipient(bytes(32)),
        "the point one": recipient(b"\x01" + bytes(31)),
        "a point of order eight": recipient(bytes.fromhex(ORDER_EIGHT)),
        "another sign": "аge1" + GOOD[4:],
    }.items(),
    ids=lambda each: each[0],
)  # fmt: skip
def test_what_is_no_key_is_refused_before_anything_is_encrypted(wrong: tuple[str, str]) -> None:
    """To the points of small order the library would end the whole process, in the middle of an edition."""
    with pytest.raises(InputError) as found:
        require_recipient(wrong[1])
    assert found.value.code == "recipient_malformed" and (not wrong[1] or wrong[1] not in str(found.value))


def test_a_secret_identity_is_told_from_a_public_key_and_not_repeated() -> None:
    secret = new_identity()
    for text in (secret, f" {secret.lower()}\n"):
        with pytest.raises(InputError) as found:
            require_recipient(text)
        assert found.value.code == "recipient_secret" and secret.lower() not in str(found.value).lower()


@given(st.text(max_size=80))
def test_no_text_ends_in_anything_but_a_refusal(text: str) -> None:
    with pytest.raises(InputError):
        require_recipient(text)
