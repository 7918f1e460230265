"""The story of a child that reports about itself: from the service that knows who it is, over the desk, and back again."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page
from tests.support.browsing import FINDING, Staff
from tests.support.running import Running

PLACE = "http://gallery.example/room/9"
NUMBER = "k-2041"


def test_from_a_service_to_a_child_to_the_desk_and_back(
    house: Running, person: Callable[..., Page], staff: Callable[[str], Staff]
) -> None:
    # A service that looks after children has a token of its own, and opens a case: an age range and a number, no name.
    scopes = ("child.hand_over", "child.outcomes")
    options = [word for scope in scopes for word in ("--scope", scope)]
    made = house.vigil("hotline", "sender", "add", "harbour", "--source-class", "child_service", *options, "--json")
    token = json.loads(made.stdout)["token"]
    opened = ask(house, token, "v1/child-cases", {"case_number": NUMBER, "age_range": "13_15", "age_assurance": "not_required"})
    assert opened["state"] == "waiting"

    # The child types the code, says where it is and that somebody threatens it. Nothing asks who it is.
    child = person()
    child.goto(f"{house.public}en/young/")
    child.locator("[name=code]").fill(opened["code"].lower())
    child.get_by_role("button", name="Go on").click()
    child.locator("[name=places]").fill(PLACE)
    child.locator("[name=threat][value=yes]").check()
    assert not child.locator("[name=name], [name=email], [name=age], [type=email]").count()
    child.get_by_role("button", name="Send").click()
    child.wait_for_url("**/young/thanks/")
    assert "That was brave" in child.locator("main").inner_text()
    assert ask(house, token, f"v1/child-cases/{NUMBER}")["state"] == "received"

    # An analyst who is not of the children's desk does not meet the case.
    ana = staff("ana")
    assert ana.page.goto(f"{house.console}children/").status == 403  # type: ignore[union-attr]

    # The desk sees it first, decides, and chooses what the child is told.
    kim = staff("kim")
    kim.page.goto(f"{house.console}children/")
    row = kim.page.locator("tbody tr")
    assert "yes" in row.inner_text()
    row.get_by_role("link").click()
    kim.page.wait_for_url("**/cases/**")
    assert PLACE not in kim.page.content(), "the address is hidden until somebody asks for it"
    case = kim.page.url
    ana.page.goto(case)
    assert "Assessment" not in ana.page.locator("main").inner_text()
    kim.takes_it()
    kim.assesses(**FINDING)
    kim.page.goto(f"{house.console}children/")
    kim.page.locator("[name=outcome]").select_option("hashed_and_shared")
    kim.page.get_by_role("button", name="Set").click()
    kim.page.wait_for_url("**/children/")

    # The service reads it in words for a child, in the child's language; from then on it is not changed.
    told = ask(house, token, f"v1/child-cases/{NUMBER}?language=fr")
    assert (told["state"], told["outcome"], told["language"]) == ("answered", "hashed_and_shared", "fr")
    assert told["words"] and told["words"] != ask(house, token, f"v1/child-cases/{NUMBER}?language=en")["words"]
    kim.page.goto(f"{house.console}children/")
    assert "read by the service" in kim.page.locator("tbody").inner_text()
    assert not kim.page.locator("[name=outcome]").count()


def ask(house: Running, token: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(urllib.request.Request(house.partner + path, data, headers), timeout=20) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found
