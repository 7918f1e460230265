"""Helpers of the story tests at the public door: a visitor who types, and what stands on the page."""

from __future__ import annotations

import html
import re
from typing import Any

PAGE = "https://gallery.example/room/7"


def text_of(response: Any) -> str:
    """The page as a reader sees it, roughly: tags gone, entities resolved."""
    body = response.content.decode()
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def title_of(response: Any) -> str:
    found = re.search(r"<title>(.*?)</title>", response.content.decode(), re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


def answer_all(client: Any, address: str = PAGE, kind: str = "images", words: str = "", language: str = "en") -> Any:
    """Answer the three questions; gives the answer to the last one."""
    client.post(f"/{language}/report/address/", {"address": address})
    client.post(f"/{language}/report/kind/", {"kind": kind})
    return client.post(f"/{language}/report/words/", {"words": words})


def reference_on(response: Any) -> str:
    found = re.search(r'<p class="reference"><bdi>([0-9A-Z-]{14})</bdi>', response.content.decode())
    assert found is not None
    return found[1]
