"""The error tree: stable codes, and texts that say what, where and what to do."""

import pytest

from vigil.base.errors import InputError, RefusedError, UnavailableError, VigilError


def test_the_text_says_what_where_and_what_to_do() -> None:
    error = InputError("bad_port", "The port is not a number.", where="edge.toml, listen", mend="Write a number up to 65535.")
    assert str(error) == "The port is not a number. Where: edge.toml, listen. Write a number up to 65535."


def test_a_problem_document_has_the_stable_code() -> None:
    document = RefusedError("same_person", "A second person must decide.", mend="Ask a colleague.").problem()
    assert document == {
        "type": "about:blank",
        "title": "A second person must decide.",
        "status": 403,
        "code": "same_person",
        "mend": "Ask a colleague.",
    }


@pytest.mark.parametrize(
    ("kind", "status", "exit_status"), [(InputError, 400, 2), (RefusedError, 403, 1), (UnavailableError, 503, 2)]
)
def test_each_kind_has_its_statuses(kind: type[VigilError], status: int, exit_status: int) -> None:
    error = kind("code", "What.")
    assert (error.problem()["status"], error.exit_status) == (status, exit_status)
