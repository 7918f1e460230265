"""Arrays in one file: what was written is what is mapped, and every altered byte is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vigil.base.errors import InputError
from vigil.match.index.columns import open_columns, verify_columns, write_columns
from vigil.match.index.url import UrlIndex, record_of
from vigil.match.urls import EntryFlag, Scope, canonical

COLUMNS = {
    "numbers": np.arange(1000, dtype=np.uint64),
    "keys": np.arange(160, dtype=np.uint8).reshape(10, 16),
    "none": np.zeros(0, np.int32),
}


def test_what_was_written_is_what_is_mapped(tmp_path: Path) -> None:
    write_columns(tmp_path / "c", "zorblat", COLUMNS, {"shift": 3})
    found, notes = open_columns(tmp_path / "c", "zorblat")
    assert notes == {"shift": 3}
    assert set(found) == set(COLUMNS)
    for name, column in COLUMNS.items():
        assert found[name].dtype == column.dtype
        assert np.array_equal(found[name], column)
        assert not found[name].flags.writeable
    verify_columns(tmp_path / "c")


def test_every_altered_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "c"
    write_columns(path, "zorblat", {"numbers": np.arange(20, dtype=np.uint16)})
    whole = path.read_bytes()
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= 0x41
        path.write_bytes(altered)
        with pytest.raises(InputError):
            open_columns(path, "zorblat")
            verify_columns(path)
    for cut in (0, 5, 20, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError):
            open_columns(path, "zorblat")


def test_another_kind_and_other_types_are_refused(tmp_path: Path) -> None:
    write_columns(tmp_path / "c", "zorblat", COLUMNS)
    with pytest.raises(InputError):
        open_columns(tmp_path / "c", "quimber")
    with pytest.raises(InputError):
        write_columns(tmp_path / "d", "zorblat", {"floats": np.zeros(3)})


def test_a_mapped_index_answers_as_the_one_in_memory(tmp_path: Path) -> None:
    addresses = [f"http://site{n}.example/page/{n % 7}/" for n in range(500)]
    scopes = (Scope.URL, Scope.PAGE, Scope.HOST, Scope.PREFIX)
    records = [
        record_of(canonical(address), scopes[n % 4], EntryFlag.NONE, n, list_number=n % 3) for n, address in enumerate(addresses)
    ]
    built = UrlIndex.build(records)
    built.save(tmp_path / "urls")
    opened = UrlIndex.open(tmp_path / "urls")
    asked = [*addresses, *(f"{address}?q" for address in addresses), *(f"http://other{n}.example/" for n in range(50)), "http://:x"]
    assert [opened.check(address, 1) for address in asked] == [built.check(address, 1) for address in asked]
    assert opened.check_many(asked, 1) == built.check_many(asked, 1)
    assert len(opened) == len(built) == 500
    write_columns(tmp_path / "other", "urls", COLUMNS)
    with pytest.raises(InputError):
        UrlIndex.open(tmp_path / "other")
