"""The registry reads hashes strictly and never repeats them in an error."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.match.hashing import ALGORITHMS, Kind, algorithm_named, md5, opaque, register, registry, sha1, sha256

# hash_alg of the data model
NAMES = {"md5", "sha1", "sha256", "photodna", "pdq", "tmk_pdqf", "vpdq", "ssvh", "netclean", "videntifier", "other"}
HEXADECIMAL = sorted(name for name, algorithm in ALGORITHMS.items() if algorithm.bits)


def test_names_are_the_enumeration_of_the_data_model() -> None:
    assert set(ALGORITHMS) == NAMES
    assert {name for name, algorithm in ALGORITHMS.items() if algorithm.kind is Kind.PERCEPTUAL} == {"pdq", "vpdq"}
    assert ALGORITHMS["pdq"].default_max_distance == 31


@pytest.mark.parametrize("name", HEXADECIMAL)
@given(data=st.data())
def test_values_go_to_text_and_back(name: str, data: st.DataObject) -> None:
    algorithm = ALGORITHMS[name]
    value = data.draw(st.binary(min_size=algorithm.key_bytes, max_size=algorithm.key_bytes))
    if len(set(value)) == 1:
        return
    assert algorithm.parse(algorithm.text(value)) == value
    assert algorithm.parse(f" {algorithm.text(value).upper()}\n") == value
    assert algorithm.key(value) == value


@pytest.mark.parametrize("name", HEXADECIMAL)
@pytest.mark.parametrize("change", ["", "a", "zz", "\nab", "٣٣", "ab ", "0x"])
def test_anything_but_the_whole_string_is_refused(name: str, change: str) -> None:
    algorithm = ALGORITHMS[name]
    digits = "a7" * algorithm.key_bytes
    with pytest.raises(InputError) as caught:
        algorithm.parse(change if not change else digits[:10] + change + digits[10:])
    assert caught.value.code == "hash_malformed"
    assert "a7a7" not in str(caught.value)


@pytest.mark.parametrize("name", ["md5", "sha1", "sha256"])
def test_the_digest_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        ALGORITHMS[name].parse(hashlib.new(name, b"").hexdigest())
    assert caught.value.code == "hash_constant"


@pytest.mark.parametrize("name", HEXADECIMAL)
@pytest.mark.parametrize("digit", "0f")
def test_constants_are_refused(name: str, digit: str) -> None:
    with pytest.raises(InputError) as caught:
        ALGORITHMS[name].parse(digit * 2 * ALGORITHMS[name].key_bytes)
    assert caught.value.code == "hash_constant"


def test_digests_are_those_of_hashlib() -> None:
    assert md5.digest(b"zorblat") == hashlib.md5(b"zorblat").digest()
    assert sha1.digest(b"zorblat") == hashlib.sha1(b"zorblat").digest()
    assert sha256.digest(b"zorblat") == hashlib.sha256(b"zorblat").digest()


def test_opaque_values_are_kept_as_written_and_keyed() -> None:
    photodna = ALGORITHMS["photodna"]
    value = photodna.parse(" 12,0,7,255 \n")
    assert (value, photodna.text(value)) == (b"12,0,7,255", "12,0,7,255")
    assert photodna.key(value) == hashlib.blake2b(value, digest_size=32).digest()
    for bad in ("", " \n", "00000", "a\nb", "\ud800", "x" * 70_000):
        with pytest.raises(InputError):
            photodna.parse(bad)


def test_unknown_names_are_refused_with_the_known_ones_named() -> None:
    with pytest.raises(InputError) as caught:
        algorithm_named("zorblat")
    assert "sha256" in caught.value.mend


def test_a_plug_in_registers_a_name_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_known", dict(ALGORITHMS))
    register(opaque.algorithm("quimber", bits=1152))
    assert algorithm_named("quimber").key_bytes == 144
    for bad in ("quimber", "pdq", "Zorblat", "", "a" * 33):
        with pytest.raises(InputError):
            register(opaque.algorithm(bad))
    for bits in (0, -8, 12):
        with pytest.raises(InputError):
            opaque.algorithm("zorblat", bits=bits)
