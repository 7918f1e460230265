"""Case references: every slip of one sign and every swap of two is noticed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.hotline.reports.references import ALPHABET, LENGTH, POWERS, RANDOM_BYTES, read_reference, reference_of

randomness = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


SAID = "This is not a reference of ours. Compare it with your note, sign by sign."


def refused(text: str) -> bool:
    try:
        read_reference(text)
    except InputError as error:
        assert error.code == "reference_malformed"
        assert str(error) == SAID, "the words are the same whatever was typed"
        return True
    return False


def test_the_generator_reaches_the_whole_field() -> None:
    assert sorted(POWERS) == list(range(1, 32))


@given(randomness)
def test_what_was_made_is_read(data: bytes) -> None:
    reference = reference_of(data)
    assert read_reference(reference) == reference
    assert len(reference.replace("-", "")) == LENGTH
    assert not set("ILOU") & set(reference)


@given(randomness, st.data())
def test_one_wrong_sign_is_noticed(data: bytes, choose: st.DataObject) -> None:
    signs = list(reference_of(data).replace("-", ""))
    place = choose.draw(st.integers(0, LENGTH - 1))
    signs[place] = choose.draw(st.sampled_from([sign for sign in ALPHABET if sign != signs[place]]))
    assert refused("".join(signs))


@given(randomness)
def test_every_swap_of_two_signs_is_noticed(data: bytes) -> None:
    signs = list(reference_of(data).replace("-", ""))
    for left, right in itertools.combinations(range(LENGTH), 2):
        swapped = list(signs)
        swapped[left], swapped[right] = swapped[right], swapped[left]
        assert swapped == signs or refused("".join(swapped))


def test_people_type_it_in_many_ways() -> None:
    reference = reference_of(bytes(RANDOM_BYTES))
    assert reference == "0000-0000-0000"
    assert read_reference(" oooo 0o0o ----OOOO\n") == reference
    assert read_reference("٠٠٠٠ ۰۰۰۰ ００００") == reference
    sample = reference_of(b"\x01\x23\x45\x67\x89\xab\xcd")
    assert read_reference(sample.lower().replace("-", "").replace("1", "l").replace("0", "o")) == sample


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    assert refused(text) or read_reference(text)


@pytest.mark.parametrize("size", [0, RANDOM_BYTES - 1, RANDOM_BYTES + 1])
def test_the_wrong_amount_of_randomness_is_a_mistake_in_the_code(size: int) -> None:
    with pytest.raises(ValueError, match="7 bytes"):
        reference_of(bytes(size))
