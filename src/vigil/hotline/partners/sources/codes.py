"""Audit codes of sources. Details are names, kinds and numbers; never what a source sends."""

from __future__ import annotations

from typing import Final

from vigil.hotline.audit.codes import define

ADDED: Final = define("source.added", "A source of lists was set up.", "name", "kind")
CHANGED: Final = define("source.changed", "A source of lists was changed.", "name", "what")
REMOVED: Final = define("source.removed", "A source of lists was removed, with everything that came from it.", "name", "entries")
FETCHED: Final = define(
    "source.fetched", "A source of lists was fetched.", "name", "whole", "added", "changed", "withdrawn", "set_aside"
)
FAILED: Final = define("source.failed", "A source of lists began to fail.", "name", "reason")
HELD_BACK: Final = define("source.held_back", "Many entries vanished from a source; they wait for a person.", "name", "entries")
REMOVALS_ACCEPTED: Final = define(
    "source.removals_accepted", "Entries that vanished from a source were let go.", "name", "entries"
)
SET_ASIDE_SETTLED: Final = define("source.set_aside_settled", "A record that was set aside was settled.", "name")
VOTED: Final = define("source.voted", "An opinion on an entry of a source was recorded.", "name", "agrees", "type", "reason")
VOTE_SENT: Final = define("source.vote_sent", "An opinion was sent to a source.", "name")
VOTE_REFUSED: Final = define("source.vote_refused", "A source did not take an opinion.", "name", "reason")
