"""What the guides for mail, schools and search engines say to write does what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.edge.world import Hotline, config_text, drawn_picture, hash_entry, running, sha256, until, url_entry

from vigil.base.clock import SystemClock

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
PAGE = "http://quimber.example/zorblat"


def block(guide: str, language: str) -> str:
    """The first block of a guide in a language; who follows it writes the day of their own look at a help line."""
    found = re.search(rf"```{language}\n(.*?)```", (GUIDES / guide).read_text(), re.DOTALL)
    assert found is not None, guide
    return re.sub(r"verified_on = \S+", f"verified_on = {SystemClock().now().date().isoformat()}", found[1])


def test_a_mail_filter_that_follows_the_guide_finds_listed_addresses(hotline: Hotline, state: Path) -> None:
    picture = drawn_picture(1)
    hotline.publish(url_entry(1, PAGE), hash_entry(2, "sha256", sha256(picture)))
    with running(config_text(hotline, state)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        names: dict[str, Any] = {}
        exec(block("mail.md", "python").replace(":8470", f":{node.port}"), names)
        listed: Callable[[str], bool] = names["listed"]
        assert listed(f"Look: {PAGE} and more")
        assert listed("Look: hxxp://quimber[.]example/zorblat, says a friend")
        assert not listed("Look: http://quimber.example/other and http://other.example/")
        assert not listed("")
        assert node.ask("POST", "/v1/match", picture, content_type="image/png").json["verdict"] == "listed"


def test_the_page_of_a_school_begins_with_help_for_children(hotline: Hotline, state: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    with running(config_text(hotline, state, block("school.md", "toml"))) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        answer = node.ask("GET", "/blocked")
        page = answer.body.decode()
        assert answer.status == 403 and "link" not in answer.headers
        assert "Quimber School" in page and "Name of a line for children" in page and "tel:" in page
        assert "https://hotline.example/en/appeal/" in page


def test_a_search_engine_that_follows_the_guide_gets_a_message_with_help(hotline: Hotline, state: Path, tmp_path: Path) -> None:
    hotline.publish(url_entry(1, PAGE))
    terms = tmp_path / "terms.json"
    terms.write_text('{"list": "terms", "terms": [{"entry": 5, "text": "zorblat"}]}')
    written = block("deterrence.md", "toml").replace('"terms.json"', f'"{terms}"')
    with running(config_text(hotline, state, written)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        asked = re.search(r"-d '([^']+)'", (GUIDES / "deterrence.md").read_text())
        assert asked is not None
        found = node.post("/v1/screen/query", json.loads(asked[1])).json
        assert (found["verdict"], found["action"]) == ("listed", "deter")
        message = found["message"]
        assert [line["url"] for line in message["help"]] == ["https://help.example/nl"]
        assert (message["more_help"], message["page"]) == ("https://help.example/nl/", "https://quimber.example/deterrence/nl")
        assert node.post("/v1/screen/query", {"query": "weather"}).json["action"] == "allow"
        assert b"/help/help/0" in node.ask("GET", "/deterrence/nl").body
