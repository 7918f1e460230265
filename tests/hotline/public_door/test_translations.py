"""Which texts of the public door were read by somebody, message by message; a changed text is unread again."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import polib
import pytest
from typer.testing import CliRunner

from vigil.base.errors import InputError
from vigil.cli.hotline import app
from vigil.hotline.doors import translations
from vigil.hotline.doors.languages import LANGUAGES
from vigil.hotline.doors.translations import LOCALE, mark_of, review_of, reviews

OTHERS = [code for code, _ in LANGUAGES if code != "en"]


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["texts", *arguments])
    if isinstance(done.exception, InputError):
        raise done.exception
    return done.exit_code, done.stdout


@pytest.fixture
def read_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A copy of the texts of which one message in Dutch was read by somebody; its mark."""
    mark = review_of("nl").messages[3].mark
    for code in OTHERS:
        (tmp_path / code / "LC_MESSAGES").mkdir(parents=True)
        (tmp_path / code / "LC_MESSAGES" / "django.mo").write_bytes((LOCALE / code / "LC_MESSAGES" / "django.mo").read_bytes())
    (tmp_path / "review.toml").write_bytes((LOCALE / "review.toml").read_bytes())
    (tmp_path / "reviewed.toml").write_text(f'[nl]\n"{mark}" = "Quim Ber, 2026-11-22"\n"{"0" * 12}" = "Quim Ber, 2026-11-22"\n')
    monkeypatch.setattr(translations, "LOCALE", tmp_path)
    return mark


@pytest.mark.parametrize("code", OTHERS)
def test_every_message_that_the_door_serves_has_its_state(code: str) -> None:
    catalogue = polib.mofile(str(LOCALE / code / "LC_MESSAGES" / "django.mo"))
    found = review_of(code)
    assert len(found.messages) == len(catalogue) > 100
    assert {each.source.split(" | ")[0] for each in found.messages} == {entry.msgid for entry in catalogue}
    assert len({each.mark for each in found.messages}) == len(found.messages)


def test_what_is_recorded_as_read_is_there_and_has_a_reader_and_a_day() -> None:
    for code, rows in tomllib.loads((LOCALE / "reviewed.toml").read_text("utf-8")).items():
        assert code in OTHERS and not review_of(code).gone
        assert all(len(str(by).rsplit(", ", 1)) == 2 for by in rows.values())
    states = tomllib.loads((LOCALE / "review.toml").read_text("utf-8"))
    for each in reviews():
        assert states[each.code]["state"] != "reviewed" or each.read == len(each.messages), each.code


def test_operators_see_what_nobody_has_read(read_one: str) -> None:
    code, told = run()
    assert code == 1 and f"nl  machine-drafted     1 of {len(review_of('nl').messages)} messages read" in told
    code, told = run("--language", "nl")
    assert code == 1 and f"{read_one}  Quim Ber, 2026-11-22" in told and "of a text that is no longer there" in told
    assert told.splitlines()[0].endswith("read by nobody")
    (found,) = json.loads(run("--language", "nl", "--json")[1])
    assert found["read"] == 1 and found["gone"] == ["0" * 12]
    with pytest.raises(InputError, match="no translations"):
        run("--language", "xx")


def test_a_text_that_is_changed_is_unread_again(read_one: str) -> None:
    message = next(each for each in review_of("nl").messages if each.mark == read_one)
    assert mark_of("nl", message.source, message.text) == read_one
    for source, text in ((message.source + "!", message.text), (message.source, message.text + "!")):
        assert mark_of("nl", source, text) != read_one
    assert mark_of("fr", message.source, message.text) != read_one
