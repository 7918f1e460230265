"""The sites of the demo's small world. All names are reserved ones; all pictures are drawn by code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the outside world: its words, its pictures (by name, in whatever folder), its links (relative)."""

    title: str
    words: str
    pictures: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


PAGES: Final[dict[tuple[str, str], Page]] = {
    ("gallery.example", "/"): Page("Gallery", "An ordinary gallery of drawn shapes.", ("calm.jpg",), ("room/7", "room/8")),
    ("gallery.example", "/room/7"): Page(
        "Room 7", "Plays the page that gets reported. It holds drawn shapes only.", ("zorblat.jpg", "quimber.jpg")
    ),
    ("gallery.example", "/room/8"): Page("Room 8", "A harmless neighbour of room 7: it must stay reachable.", ("harbour.jpg",)),
    ("copies.example", "/album"): Page(
        "Album", "Holds a smaller copy of a picture of room 7, and one of its own.", ("copy-of-zorblat.jpg", "meadow.jpg")
    ),
    ("news.example", "/"): Page("News", "A harmless site.", ("lantern.jpg",)),
    ("forum.example", "/thread/12"): Page("Thread 12", "A talk about drawn shapes.", ("ripple.jpg",), ("13",)),
    ("forum.example", "/thread/13"): Page("Thread 13", "Another talk.", ("pebble.jpg",)),
}
