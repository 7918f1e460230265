"""What a platform imports: is this address, hash or file listed?

    from vigil.client import Client, FailClosed

    with Client("https://node.example", policy=FailClosed(), token=…) as client:
        verdict = client.match_file(upload)
        if not verdict.allowed: …

Files are hashed here; only digests and PDQ leave. ``Listed``, ``NotListed`` and ``Unknown`` are three answers, never two.
"""

from __future__ import annotations

from vigil.client.client import AsyncClient, Client
from vigil.client.policy import Alarm, FailClosed, FailOpen, Pending, Retries, Timeouts
from vigil.client.questions import Question, Signal
from vigil.client.results import Cause, Listed, NotListed, Unknown, Verdict

__all__ = [
    "Alarm",
    "AsyncClient",
    "Cause",
    "Client",
    "FailClosed",
    "FailOpen",
    "Listed",
    "NotListed",
    "Pending",
    "Question",
    "Retries",
    "Signal",
    "Timeouts",
    "Unknown",
    "Verdict",
]
