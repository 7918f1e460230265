"""What all tests share: the record of which tests ran, and a network that is loopback only."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No test judges time. On the build server the examples are the same in each run, so that a red run can be repeated and
# is never an accident; everywhere else they are drawn anew, and the fuzzers look further.
settings.register_profile("anywhere", deadline=None, print_blob=True)
settings.register_profile("build-server", parent=settings.get_profile("anywhere"), derandomize=True)
settings.load_profile("build-server" if os.environ.get("CI") == "true" else "anywhere")

LOOPBACK = ("127.", "::1", "localhost", "/", "@", "\0", "0.0.0.0")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--results", default=None, help="write the outcome of each test to this JSON file")
    parser.addoption("--database-only", action="store_true", help="of the hotline, what a database can change (tests/hotline)")


def pytest_configure(config: pytest.Config) -> None:
    target = config.getoption("--results")
    if target:
        config.pluginmanager.register(Results(Path(target)), "vigil-results")


class Results:
    """Remembers how each test ended; docs/capabilities.md is held against it."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            name = report.nodeid.split("[", 1)[0]
            if self._outcomes.get(name, "passed") == "passed":
                self._outcomes[name] = report.outcome

    def pytest_sessionfinish(self) -> None:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self._target.write_text(json.dumps(self._outcomes, indent=1, sort_keys=True))


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that reaches beyond this machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> object:
        host = address[0] if isinstance(address, tuple) else address
        text = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
        if not text.startswith(LOOPBACK):
            raise AssertionError("a test tried to reach beyond this machine")
        return connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield
