"""How several signals make one verdict, and that the guide tells the defaults as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from vigil.client import FailClosed, FailOpen, Listed, NotListed, Question, Retries, Signal, Timeouts, Unknown
from vigil.client.client import CONNECTIONS
from vigil.client.results import Cause
from vigil.client.session import Session
from vigil.client.wire import Failure, Found

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "platform.md"
SHA, PDQ, FLAT = Signal("sha256", "ab"), Signal("pdq", "cd"), Signal("pdq", "cd", near=False)
NO = Found("not_listed", 3, "sha256")
LOST = Failure(Cause.DEADLINE, again=True)
session = Session(FailClosed(), None)


def hit(distance: int) -> Found:
    return Found("listed", 3, "pdq", "pictures", 7, distance)


def test_one_hash_that_fails_does_not_discard_the_others() -> None:
    found = session.verdict(Question("media", (SHA, PDQ), "too_large"), [LOST, hit(4)])
    assert found == Listed(edition=3, signal="pdq", list="pictures", entry=7, distance=4)


@pytest.mark.parametrize("policy", [FailOpen(), FailClosed()])
def test_a_hash_without_an_answer_makes_the_file_unknown(policy: FailOpen | FailClosed) -> None:
    found = Session(policy, None).verdict(Question("media", (SHA, PDQ)), [NO, LOST])
    assert found == Unknown(allowed=policy == FailOpen(), edition=3, signal="media", reason="deadline")


def test_a_flat_picture_is_listed_by_equality_only() -> None:
    question = Question("media", (SHA, FLAT), "low_quality")
    assert session.verdict(question, [NO, hit(0)]).listed
    near = session.verdict(question, [NO, hit(1)])
    assert isinstance(near, Unknown)
    assert (near.reason, near.passing) == ("low_quality", False)


def test_what_can_pass_keeps_the_question_in_the_queue() -> None:
    found = session.verdict(Question("media", (SHA,), "not_an_image"), [LOST])
    assert isinstance(found, Unknown)
    assert found.passing


def test_not_listed_only_where_all_was_asked() -> None:
    assert session.verdict(Question("media", (SHA, PDQ)), [NO, NO]) == NotListed(edition=3, signal="media")


def test_the_guide_has_the_defaults() -> None:
    text = GUIDE.read_text()
    for name in Timeouts.__slots__:
        assert f"| `Timeouts.{name}` | {getattr(Timeouts(), name):g} s |" in text
    assert f"| `Retries.attempts` | {Retries().attempts} |" in text
    assert f"`first` {Retries().first:g} s and `longest` {Retries().longest:g} s" in text
    assert f"| `connections` | {CONNECTIONS} |" in text
    assert [cause.value for cause in Cause if f"`{cause.value}`" not in text] == []
