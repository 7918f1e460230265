"""The demonstration gate: page or passage, counted as a navigation; never an open redirect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.world import Hotline, RunningNode, config_text, running, until, url_entry

from vigil.edge.gate import Go, Refused, Step, step_of
from vigil.match.verdict import Outcome, Verdict

PAGE = "http://quimber.example/zorblat"
GATE = '[gate]\nenabled = true\nhosts = [".example"]\n'
LISTED, FREE = Verdict(Outcome.LISTED, 1, "url", list="urls", entry=1), Verdict(Outcome.NOT_LISTED, 1, "url")
UNSURE = Verdict(Outcome.UNKNOWN, None, "url", reason="no_edition")


@pytest.fixture
def node(hotline: Hotline, state: Path) -> Iterator[RunningNode]:
    hotline.publish(url_entry(1, PAGE))
    with running(config_text(hotline, state, GATE)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        yield node


def test_a_visitor_meets_the_page_or_goes_on(hotline: Hotline, node: RunningNode) -> None:
    blocked = node.ask("GET", f"/gate?url={quote(PAGE, safe='')}", sec_fetch_dest="document", accept_language="fr")
    assert (blocked.status, blocked.headers["content-language"]) == (451, "fr")
    assert "zorblat" not in blocked.body.decode()
    free = node.ask("GET", "/gate?url=http%3A%2F%2Fquimber.example%2Fother%3Fx%3D1")
    assert (free.status, free.headers["location"]) == (302, "http://quimber.example/other?x=1")
    assert free.headers["referrer-policy"] == "no-referrer"
    until(lambda: hotline.total("navigation") == 1)


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("http://quimber.test/", 403, "gate_host"),
        ("http://example.test/", 403, "gate_host"),
        ("http://quimber.example.test/", 403, "gate_host"),
        ("http://notexample/", 403, "gate_host"),
        ("//quimber.test", 400, "scheme"),
        ("http://quimber.example@quimber.test/", 403, "gate_host"),
        ("http://quimber.test\\@quimber.example/", 403, "gate_host"),
        ("ws://quimber.example/", 403, "gate_host"),
        ("javascript:alert(1)//quimber.example", 400, "scheme"),
        ("", 400, "scheme"),
    ],
)
def test_it_leads_nowhere_else(node: RunningNode, address: str, status: int, code: str) -> None:
    answer = node.ask("GET", f"/gate?url={quote(address, safe='')}")
    assert (answer.status, answer.json["code"]) == (status, code)
    assert "location" not in answer.headers


@given(st.binary(max_size=60), st.sampled_from([FREE, UNSURE]))
def test_a_passage_is_always_clean_ascii_under_the_suffix(address: bytes, verdict: Verdict) -> None:
    for form in (address, b"http://" + address, b"http://a.example/" + address, b"http://a.example" + address):
        step = step_of(verdict, form, (".example",), "pass")
        if isinstance(step, Go):
            host = step.address.split("/")[2].partition(":")[0]
            assert step.address.isascii() and step.address.isprintable() and " " not in step.address
            assert host == "example" or host.endswith(".example")


def test_steps() -> None:
    hosts = ("example",)
    assert step_of(LISTED, b"http://any.test/", hosts, "pass") is Step.BLOCK
    assert step_of(UNSURE, b"http://a.example/", hosts, "pass") == Go("http://a.example/")
    refused = step_of(UNSURE, b"http://a.example/", hosts, "refuse")
    assert isinstance(refused, Refused)
    assert (refused.status, refused.code) == (503, "no_edition")
    assert "a.example" not in repr(step_of(FREE, b"http://a.example/", hosts, "pass"))


def test_what_passes_unsure_is_counted(hotline: Hotline, state: Path) -> None:
    text = config_text(hotline, state, GATE + '[enforcement]\non_unknown = "pass"\n')
    with running(text) as node:
        assert node.ask("GET", "/gate?url=http://a.example/").status == 302
        until(lambda: hotline.total("bypassed") == 1 and hotline.total("unknown") == 1)
    with running(config_text(hotline, state, GATE)) as node:
        answer = node.ask("GET", "/gate?url=http://a.example/")
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
