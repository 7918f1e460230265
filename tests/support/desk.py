"""The same people as in the browser stories, without a browser: plain forms over HTTP, for long and rough runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from tests.support.running import Running
from tests.support.visitor import Page, Visitor

PATIENCE = 45.0
REFERENCE = re.compile(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b")


def again(step: Callable[[], Page], good: Callable[[Page], bool]) -> Page:
    """Repeat a step as a patient person would while a process is away."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            page = step()
            if good(page):
                return page
            said = f"{page.url}: {page.status}"
        except OSError as error:
            said = str(error)
        if time.monotonic() > deadline:
            raise AssertionError(f"no answer in {PATIENCE} s; last: {said}")
        time.sleep(0.2)


def report(house: Running, address: str) -> str | None:
    """Hand in a report; its reference, or None where the door went away before it gave one."""
    visitor = Visitor(house.public)
    try:
        page = visitor.get("/en/report/")
        page = visitor.submit(page, page.form_with("address"), address=address)
        page = visitor.submit(page, page.form_with("kind"), kind="images")
        page = visitor.submit(page, page.form_with("words"))
        page = visitor.submit(page, page.form_with("address", "kind", "words"))
    except (OSError, AssertionError):
        return None
    found = REFERENCE.search(page.text) if page.url.endswith("/sent/") else None
    return found.group() if found else None


def knows(house: Running, reference: str) -> bool:
    """Does the status page know this reference?"""
    visitor = Visitor(house.public)
    page = again(lambda: visitor.get("/en/status/"), lambda page: page.status == 200)
    form = next(form for form in page.forms if form.method == "post")
    name = next(name for name in form.fields if name != "csrfmiddlewaretoken")
    page = visitor.submit(page, form, **{name: reference})
    return page.status == 200 and "do not know" not in page.text and "not found" not in page.text


def sign_in(house: Running, name: str) -> Visitor:
    visitor, login = Visitor(house.console), house.login(name)
    page = again(lambda: visitor.get("/"), lambda page: page.status == 200)
    page = visitor.submit(page, page.form_with("login", "password"), login=name, password=login.password)
    page = visitor.submit(page, page.form_with("code"), code=house.code(name))
    assert page.url == house.console, page.url
    return visitor


def ask_for_edition(publisher: Visitor) -> bool:
    """Press publish; False where the console went away."""
    try:
        page = publisher.get("/publish/")
        page = publisher.submit(page, page.form_with(action="publish/now"))
    except (OSError, AssertionError):
        return False
    return page.status == 200
