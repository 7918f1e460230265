"""A sealed value does not slip out by accident."""

import copy
import json
import logging
import pickle

import pytest

from vigil.base.redaction import Sealed

SECRET = "zorblat-marker"


def test_no_usual_way_of_printing_shows_it(caplog: pytest.LogCaptureFixture) -> None:
    sealed = Sealed(SECRET)
    logging.getLogger("test").warning("value %s %r", sealed, {"key": sealed})
    shown = [str(sealed), repr(sealed), f"{sealed:>40}", repr([sealed]), caplog.text]
    assert all(SECRET not in text for text in shown)


@pytest.mark.parametrize("writer", [json.dumps, pickle.dumps, copy.copy])
def test_it_is_not_written_anywhere(writer: object) -> None:
    with pytest.raises(TypeError):
        writer(Sealed(SECRET))  # type: ignore[operator]


def test_it_opens_where_it_is_needed_and_compares() -> None:
    assert Sealed(SECRET).open() == SECRET
    assert Sealed(SECRET) == Sealed(SECRET)
    assert Sealed(SECRET) != SECRET
    assert len({Sealed(SECRET), Sealed(SECRET)}) == 1
