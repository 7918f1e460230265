"""Lines of Squid's external ACL helpers: read, and answered. Pure. Format: ``%METHOD %URI %>{Host}``, escaped by Squid.

``OK`` lets the ACL match (listed), ``ERR`` does not, ``BH`` is our own failure, on which Squid refuses the request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from vigil.edge.policy import Choice
from vigil.edge.readings import Reading, Unreadable, readings
from vigil.match.verdict import Outcome, Verdict

CHANNEL: Final = re.compile(rb"\d{1,9}")
ABSENT: Final = b"-"
LINE_BYTES: Final = 256 * 1024
LINES: Final = 1000
OK: Final = b"OK"
UNKNOWN: Final = b"OK tag=unknown"
ERR: Final = b"ERR"
BROKEN: Final = b"BH"


def split_channel(line: bytes) -> tuple[bytes, bytes]:
    """The channel number that Squid wants back, and the rest. Without a channel (``concurrency=0``) it is empty."""
    first, _, rest = line.strip(b" \r\n").partition(b" ")
    if CHANNEL.fullmatch(first):
        return first, rest
    return b"", line.strip(b" \r\n")


def readings_of_line(line: bytes) -> tuple[Reading, ...]:
    """What ``METHOD URI [HOST]`` asks for; an address alone is taken too. Raises Unreadable."""
    words = [unquote_to_bytes(word) for word in line.split(b" ") if word]
    while words and words[-1] == ABSENT:  # no Host, and the empty arguments that Squid puts at the end of each line
        words.pop()
    if not words or len(words) > 3:
        raise Unreadable("helper_line", "A line of the helper has the wrong number of words.")
    if len(words) == 1:
        words.insert(0, b"GET" if b"://" in words[0] else b"CONNECT")
    return readings(words[0], words[1], tuple(words[2:]))


def word_for(verdict: Verdict, on_unknown: Choice) -> bytes:
    """The helper's word for a verdict."""
    if verdict.verdict is Outcome.LISTED:
        return OK
    if verdict.verdict is Outcome.NOT_LISTED:
        return ERR
    return UNKNOWN if on_unknown == "refuse" else ERR


def with_channel(channel: bytes, word: bytes) -> bytes:
    """A line of the answer."""
    return (channel + b" " + word if channel else word) + b"\n"


def answer_lines(lines: Sequence[bytes], ask: Callable[[list[bytes]], list[bytes]]) -> bytes:
    """Answers to ``lines`` in their order; ``ask`` gives one word for each line without its channel."""
    pairs = [split_channel(line) for line in lines]
    words = ask([rest for _, rest in pairs])
    return b"".join(with_channel(channel, word) for (channel, _), word in zip(pairs, words, strict=True))
