"""Keyword lists from the hotline to the workers: pulled encrypted, enforced with the edition, changed and withdrawn with it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.edge.test_process import Process
from tests.edge.test_workers import children, serving
from tests.edge.world import LISTS, Hotline, RunningNode, config_text, running, until, url_entry

from vigil.base.errors import InputError
from vigil.base.redaction import Sealed
from vigil.edge.screen import screened, screens_of
from vigil.editions import selftest
from vigil.editions.cipher import Identity, new_identity
from vigil.editions.model import ListInfo
from vigil.editions.terms import KeywordEntry, encode_terms, terms_in
from vigil.match.verdict import Outcome

PAGE = "http://quimber.example/zorblat"
WITH_WORDS = (*LISTS, ListInfo("terms", "keyword"), ListInfo("more", "keyword"), ListInfo(selftest.LIST, "test"))
ORDER = "lists = ['urls', 'pictures', 'terms', 'more', 'selftest']\n"


def words(name: str, **texts: int) -> bytes:
    """A file of words as the hotline's office writes it."""
    return encode_terms(name, [KeywordEntry(entry, name, Sealed(text)) for text, entry in texts.items()])


@pytest.fixture
def partner(hotline: Hotline, tmp_path: Path) -> Iterator[str]:
    """The tables of a node that gets a copy of its own and screens queries."""
    own = tmp_path / "own.key"
    own.write_text(new_identity())
    hotline.partners["p-acme"] = Identity(own.read_text()).recipient
    copy = f'[editions]\nsource = "{hotline.url}/"\nroot = "{hotline.root}"\npoll_seconds = 0.2\n'
    yield f'{copy}part = "partners/p-acme"\nidentity_file = "{own}"\n%s[screen]\nenabled = true\nwithout_help = true\n'


def publish(hotline: Hotline, **files: bytes) -> int:
    hotline.words = {f"{name.replace('_', '-')}.json": data for name, data in files.items()}
    return hotline.publish(url_entry(1, PAGE), lists=WITH_WORDS)


def seen(process: Process, query: str) -> set[tuple[str, str | None]]:
    """Verdict and list of many answers, so that every worker is among those who gave them."""
    found = set()
    for _ in range(30):
        body = json.dumps({"query": query}).encode()
        answer = json.loads(process.ask("POST", "/v1/screen/query", body, **{"Content-Type": "application/json"})[1])
        found.add((answer["verdict"], answer.get("list")))
    return found


def in_force(process: Process, number: int) -> bool:
    return all(json.loads(process.ask("GET", "/readyz")[1]).get("edition") == number for _ in range(10))


def test_words_are_enforced_changed_and_withdrawn_over_two_workers(hotline: Hotline, tmp_path: Path, partner: str) -> None:
    first = words("terms", zorblat=5, quimber=6)
    publish(hotline, keywords=first, keywords_more=words("more", flimsel=7), keywords_selftest=selftest.words())
    with serving(hotline, tmp_path, more=partner % "") as process:
        until(lambda: in_force(process, 1))
        assert seen(process, "where is Z0rblat") == seen(process, "quimber") == {("listed", "terms")}
        assert seen(process, "flimsel") == {("listed", "more")}
        assert seen(process, selftest.TERM) == {("listed", "selftest")}
        assert seen(process, "nothing") == {("not_listed", None)}
        # One word is withdrawn, one list has no words any more.
        publish(hotline, keywords=words("terms", quimber=6))
        until(lambda: in_force(process, 2))
        assert seen(process, "zorblat") == seen(process, "flimsel") == {("not_listed", None)}
        assert seen(process, "quimber") == {("listed", "terms")}
        # A worker that comes later gets the words too, over the control socket.
        before = children(process)
        os.kill(min(before), signal.SIGKILL)
        until(lambda: len(children(process) - before) == 1)
        until(lambda: seen(process, "quimber") == {("listed", "terms")})
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in children(process)]
        written = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
        until(lambda: hotline.total("keyword_warning") >= 120)
    assert not any("SECRET" in command for command in commands)
    assert b"quimber" not in written and b"SECRET-KEY" not in written


def test_words_that_cannot_be_read_never_come_into_force(hotline: Hotline, state: Path, partner: str) -> None:
    text = config_text(hotline, state, partner % "")
    publish(hotline, keywords=words("terms", zorblat=5))
    with running(text) as node:
        until(lambda: verdict(node, "zorblat") == "listed")
        publish(hotline, keywords=b'{"list": "terms", "terms": [{"entry": 1, "text": "x"}]}')
        until(lambda: "edition_refused" in node.ask("GET", "/readyz").body.decode())
        assert verdict(node, "zorblat") == "listed"
    with running(text) as node:
        assert verdict(node, "zorblat") == "listed"
        publish(hotline, keywords=words("terms", flimsel=5))
        until(lambda: verdict(node, "flimsel") == "listed")


def test_screening_switched_on_later_takes_the_words_of_the_edition_that_is_there(
    hotline: Hotline, state: Path, partner: str
) -> None:
    publish(hotline, keywords=words("terms", zorblat=5))
    with running(config_text(hotline, state, (partner % "").replace("true", "false"))) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
    assert not list(state.rglob("keywords*"))
    with running(config_text(hotline, state, partner % "")) as node:
        until(lambda: verdict(node, "zorblat") == "listed")


def test_only_the_lists_that_are_enforced_are_pulled(hotline: Hotline, state: Path, partner: str) -> None:
    files = {"keywords_more": words("more", flimsel=7), "keywords_other": words("other", quimber=8)}
    publish(hotline, keywords=words("terms", zorblat=5), **files)
    with running(config_text(hotline, state, partner % "lists = ['urls', 'more']\n")) as node:
        until(lambda: verdict(node, "flimsel") == "listed")
        assert verdict(node, "zorblat") == verdict(node, "quimber") == "not_listed"
    assert {path.name for path in state.rglob("keywords*")} == {"keywords.json.age", "keywords-more.json.age"}
    with running(config_text(hotline, state.with_name("none"), partner % "lists = ['urls']\n")) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        assert verdict(node, "flimsel") == "unknown"


def test_two_files_of_one_list_are_refused_and_the_first_list_answers() -> None:
    one, other = words("a", zorblat=1), words("b", zorblat=2)
    with pytest.raises(InputError) as found:
        screens_of([one, one], ["a"])
    assert found.value.code == "terms_twice"
    for order in (["a", "b"], ["b", "a"]):
        assert screened("zorblat", screens_of([one, other], order), 3).list == order[0]
    assert screened("zorblat", screens_of([one], ["b"]), 3).verdict is Outcome.NOT_LISTED
    assert screened("zorblat", (), 3).verdict is Outcome.UNKNOWN


def test_a_plain_folder_has_no_words(tmp_path: Path) -> None:
    assert terms_in(tmp_path, None) == []


def verdict(node: RunningNode, query: str) -> str:
    return str(node.post("/v1/screen/query", {"query": query}).json["verdict"])
