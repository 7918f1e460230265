"""A file is reported from a real browser: its hashes are computed there, and nothing else of it travels."""

from __future__ import annotations

import hashlib
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.hotline.public_door.door_process import public_door
from tests.support.browsing import chromium, reference_on

pytestmark = pytest.mark.browser
NAME = "zorblat-holiday.bin"
LARGE = 512 * 1024 * 1024 + 1


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with public_door(tmp_path_factory.mktemp("door")) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def choose(page: Page, door: str, file: Path, said: str) -> tuple[str, str]:
    """Choose a file and wait until the page says ``said``: the SHA-256 and the SHA-1 in the form."""
    page.goto(f"{door}/en/report/file/")
    page.set_input_files("#file", file)
    page.get_by_text(said).wait_for(timeout=60_000)
    return page.input_value("input[name=sha256]"), page.input_value("input[name=sha1]")


@pytest.mark.parametrize("size", [0, 1, 48 * 1024 * 1024 + 5], ids=["empty", "one-byte", "big"])
def test_the_browser_computes_what_hashlib_does_and_sends_nothing_else(
    door: str, browser: Browser, tmp_path: Path, size: int
) -> None:
    data = (hashlib.sha512(b"quimber").digest() * (size // 64 + 1))[:size]
    file = tmp_path / NAME
    file.write_bytes(data)
    context = browser.new_context()
    page, sent = context.new_page(), []
    page.on("request", lambda request: sent.append((request.url, request.headers, request.post_data_buffer or b"")))
    found = choose(page, door, file, "The fingerprint is ready")
    assert found == (hashlib.sha256(data).hexdigest(), hashlib.sha1(data).hexdigest())
    page.locator("[name=kind][value=images]").check()
    page.get_by_role("button", name="Send the report").click()
    page.get_by_text("reference").first.wait_for()
    assert reference_on(page)
    (form,) = [body for _, _, body in sent if body]
    fields = urllib.parse.parse_qs(form.decode(), keep_blank_values=True)
    assert set(fields) == {"csrfmiddlewaretoken", "sha256", "sha1", "kind", "words"}
    assert (fields["sha256"], fields["sha1"], fields["words"]) == ([found[0]], [found[1]], [""])
    assert "zorblat" not in repr(sent)
    context.close()


def test_a_file_too_large_for_a_browser_is_refused_in_words(door: str, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / NAME
    with file.open("wb") as stream:
        stream.truncate(LARGE)
    context = browser.new_context()
    page = context.new_page()
    assert choose(page, door, file, "too large for your browser") == ("", "")
    page.locator("[name=kind][value=images]").check()
    page.get_by_role("button", name="Send the report").click()
    page.get_by_text("its fingerprint did not reach us").first.wait_for()
    context.close()
