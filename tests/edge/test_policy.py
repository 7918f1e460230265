"""The policy: rules choose an action, dry runs pass everything, shadows are only counted, names never widen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.world import Hotline, config_text, drawn_picture, hash_entry, running, sha256, until, url_entry

from vigil.base.errors import InputError
from vigil.edge import config
from vigil.edge.doors import DoorName
from vigil.edge.policy import Action, Decision, Policy, Rule, differs, resolve
from vigil.match.urls import Scope
from vigil.match.verdict import Outcome, Verdict

PAGE = "http://quimber.example/zorblat"
URL_HIT = Verdict(Outcome.LISTED, 7, "url", list="urls", entry=1, distance=0)
FILE_HIT = Verdict(Outcome.LISTED, 7, "pdq", list="pictures", entry=2, distance=3)
TERM_HIT = Verdict(Outcome.LISTED, 7, "keyword", list="terms", entry=3)
NO_HIT = Verdict(Outcome.NOT_LISTED, 7, "url")
UNSURE = Verdict(Outcome.UNKNOWN, 7, "url", reason="no_edition")
GATE = "[gate]\nenabled = true\nhosts = ['example']\n"


@pytest.mark.parametrize(
    ("verdict", "door", "action"),
    [
        (URL_HIT, DoorName.ICAP, Action.BLOCK),
        (FILE_HIT, DoorName.ICAP, Action.BLOCK),
        (FILE_HIT, DoorName.UPLOAD, Action.QUARANTINE),
        (TERM_HIT, DoorName.SCREEN, Action.DETER),
        (NO_HIT, DoorName.ICAP, Action.ALLOW),
    ],
)
def test_without_rules_each_signal_has_its_action(verdict: Verdict, door: DoorName, action: Action) -> None:
    assert resolve(verdict, door, Policy(), "refuse") == Decision(verdict, action, action)


@pytest.mark.parametrize(("choice", "action"), [("refuse", Action.DENY), ("pass", Action.ALLOW)])
def test_what_nobody_knows_is_up_to_the_door(choice: str, action: Action) -> None:
    rules = (Rule(action=Action.LOG),)
    found = resolve(UNSURE, DoorName.DNS, Policy(rules=rules), choice)  # type: ignore[arg-type]
    assert (found.action, found.unsure) == (action, True)


def test_the_first_rule_that_fits_decides() -> None:
    policy = Policy(
        rules=(
            Rule(action=Action.DENY, lists=("urls",), doors=(DoorName.DNS,)),
            Rule(action=Action.LOG, signals=("media",)),
            Rule(action=Action.ALLOW, lists=("urls",)),
        )
    )
    assert resolve(URL_HIT, DoorName.DNS, policy, "refuse").action is Action.DENY
    assert resolve(URL_HIT, DoorName.ICAP, policy, "refuse").action is Action.ALLOW
    assert resolve(FILE_HIT, DoorName.DNS, policy, "refuse").action is Action.LOG
    assert resolve(TERM_HIT, DoorName.DNS, policy, "refuse").action is Action.DETER


actions = st.sampled_from(Action)
rules = st.lists(
    st.builds(
        Rule,
        action=actions,
        lists=st.none() | st.just(("urls",)),
        doors=st.none() | st.lists(st.sampled_from(DoorName), min_size=1).map(tuple),
    ),
    max_size=5,
).map(tuple)


@given(rules, st.sampled_from(DoorName), st.sampled_from(["enforce", "dry_run"]), st.sampled_from(["refuse", "pass"]))
def test_no_rule_makes_a_hit(rules: tuple[Rule, ...], door: DoorName, mode: str, choice: str) -> None:
    policy = Policy(mode=mode, rules=rules)  # type: ignore[arg-type]
    assert resolve(NO_HIT, door, policy, choice).passes  # type: ignore[arg-type]
    if mode == "dry_run":
        assert resolve(URL_HIT, door, policy, choice).passes  # type: ignore[arg-type]
        assert resolve(UNSURE, door, policy, choice).passes  # type: ignore[arg-type]


def test_a_shadow_says_where_it_would_differ() -> None:
    mine = resolve(URL_HIT, DoorName.ICAP, Policy(), "refuse")
    assert differs(mine, DoorName.ICAP, Policy(), "refuse") is None
    assert differs(mine, DoorName.ICAP, Policy(rules=(Rule(action=Action.LOG),)), "refuse") == "block>log"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[policy]\nzorblat = 1\n", "zorblat"),
        ("[policy]\nmode = 'maybe'\n", "mode"),
        ("[[policy.rules]]\naction = 'explode'\n", "action"),
        ("[[policy.rules]]\naction = 'log'\nlists = []\n", "lists"),
        ("[[policy.rules]]\naction = 'log'\ndoors = ['window']\n", "doors"),
        ("[policy]\nrules = []\n", "policy.rules"),
        ("[forward_auth]\nproxies = []\n", "forward_auth.proxies"),
        ("[[policy.rules]]\naction = 'log'\nlists = ['other']\n[editions]\nsource = 's'\nlists = ['urls']\n", "policy.rules"),
    ],
)
def test_a_policy_is_read_strictly(text: str, where: str) -> None:
    own = "" if "[editions]" in text else "[editions]\nsource = 's'\n"
    with pytest.raises(InputError) as refused:
        config.parse(f"node = 'n-1'\nstate = 'state'\n{own}{text}".encode())
    assert where in refused.value.where or where in refused.value.what


def test_a_dry_run_passes_and_counts(hotline: Hotline, state: Path, tmp_path: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    with running(config_text(hotline, state, GATE + "[policy]\nmode = 'dry_run'\n")) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        assert node.ask("GET", f"/gate?url={PAGE}").status == 302
        assert node.verdict_on(PAGE)["verdict"] == "listed"
        until(lambda: hotline.total("bypassed") == 2)
        assert hotline.total("navigation") == hotline.total("undetermined") == 0


def test_a_shadow_changes_nothing_and_shows_in_the_metrics(hotline: Hotline, state: Path, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow.toml"
    shadow.write_text("[policy]\n[[policy.rules]]\naction = 'log'\nsignals = ['url']\n")
    hotline.publish(url_entry(1, PAGE))
    with running(config_text(hotline, state, GATE + f"[policy]\nshadow = '{shadow}'\n")) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        assert node.ask("GET", f"/gate?url={PAGE}").status == 451
        shown = node.ask("GET", "/metrics").body.decode()
    assert 'vigil_edge_shadow_total{actions="block>log",door="gate"} 1.0' in shown


def test_rules_hold_at_the_doors(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE), url_entry(2, "http://other.example/", Scope.HOST))
    deny = "[[policy.rules]]\naction = 'deny'\ndoors = ['forward_auth']\n"
    auth = "[forward_auth]\nproxies = ['traefik']\n"
    with running(config_text(hotline, state, GATE + auth + deny)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        host = {"x_forwarded_proto": "http", "x_forwarded_host": "quimber.example", "x_forwarded_uri": "/zorblat"}
        refused = node.ask("GET", "/auth/traefik", **host)
        assert (refused.status, json.loads(refused.body)["code"]) == (403, "listed")
        assert node.ask("GET", "/auth/traefik", **{**host, "x_forwarded_uri": "/"}).status == 200, "a page never widens"
        assert node.ask("GET", f"/gate?url={PAGE}").status == 451


def test_a_file_is_held_where_the_policy_says_so(hotline: Hotline, state: Path) -> None:
    picture = drawn_picture(3)
    hotline.publish(hash_entry(1, "sha256", sha256(picture)))
    with running(config_text(hotline, state)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        found = Verdict(Outcome.LISTED, 1, "sha256", list="pictures", entry=1, distance=0)
        assert node.node.act(found, DoorName.UPLOAD).action is Action.QUARANTINE
        assert node.node.act(found, DoorName.ICAP).action is Action.BLOCK
