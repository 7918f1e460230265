"""One running demo installation and one browser for all stories of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from tests.support import running
from tests.support.browsing import Reporter, Staff, chromium
from tests.support.running import Running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/stories" in str(item.path):
            item.add_marker(pytest.mark.story)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A demo installation, started as a newcomer starts it."""
    started = running.start(tmp_path_factory.mktemp("installation") / "data")
    yield started
    assert started.stop() == 0


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Opens separate browsers: each person has cookies of their own."""
    opened: list[BrowserContext] = []

    def open_one(**settings: object) -> BrowserContext:
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        context.set_default_timeout(60_000)
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()


@pytest.fixture
def person(contexts: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """A page in a browser of its own."""
    return lambda **settings: contexts(**settings).new_page()


@pytest.fixture
def reporter(person: Callable[..., Page], house: Running) -> Reporter:
    return Reporter(person(), house)


@pytest.fixture
def staff(person: Callable[..., Page], house: Running) -> Callable[[str], Staff]:
    """Somebody of the staff, signed in: ``staff("ana")``."""
    return lambda name: Staff(name, person(), house).signs_in()


@pytest.fixture
def screens() -> Path:
    """Where pictures of pages are kept for a person to look at."""
    folder = Path("artifacts/screens")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
