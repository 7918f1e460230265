"""The examples under the real FastAPI (behind uvicorn, over HTTP) and the real Celery (a worker, and its retries)."""

from __future__ import annotations

import importlib.util
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvicorn
from celery.contrib.testing.worker import start_worker
from tests.client.liars import answer, honest, lying, says, signals_in
from tests.edge.world import drawn_picture

from vigil.client import Client, FailOpen, Retries

ROOT = Path(__file__).resolve().parents[2]
LISTED = {"verdict": "listed", "list": "pictures", "entry": 4, "edition": 3, "signal": "sha256", "distance": 0, "labels": []}


def listed(line: Any, request: bytes, over: Any) -> None:
    line.sendall(answer({"verdicts": [LISTED for _ in signals_in(request)]}))


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], ModuleType]:
    """An example as a module, pointed at a node."""

    def load(name: str, node: str) -> ModuleType:
        monkeypatch.setenv("VIGIL_NODE", node)
        spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The application behind uvicorn."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


def post(address: str, data: bytes) -> tuple[int, dict[str, str]]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data, method="POST"), timeout=60) as said:
            return said.status, json.loads(said.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_fastapi(example: Callable[[str, str], ModuleType]) -> None:
    with lying(listed, honest, says(answer({}, 401))) as liar, served(example("fastapi_upload", liar.url).app) as base:
        pictures = base + "/pictures"
        assert post(pictures, drawn_picture(3)) == (422, {"detail": "refused"})
        assert post(pictures, drawn_picture(4)) == (201, {"state": "kept"})
        assert post(pictures, drawn_picture(5)) == (201, {"state": "kept, unchecked"})
        assert post(pictures, bytes(33 * 1024 * 1024))[0] == 413


@pytest.fixture
def celery_example(example: Callable[[str, str], ModuleType]) -> Callable[[str], ModuleType]:
    def load(node: str) -> ModuleType:
        module = example("celery_later", node)
        module.app.conf.update(broker_url="memory://", result_backend="cache+memory://", broker_connection_retry_on_startup=True)
        return module

    return load


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::ResourceWarning")
def test_celery_asks_again_in_a_worker(celery_example: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    """What had no answer goes through the broker to a worker, which asks and decides."""
    decided: list[Any] = []
    asked = threading.Event()
    with lying(says(answer({}, 401)), listed) as liar:
        module = celery_example(liar.url)
        monkeypatch.setattr(module, "decided", lambda *found: (decided.append(found), asked.set()))
        with start_worker(module.app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
            with Client(liar.url, policy=FailOpen(), retries=Retries(attempts=1), queue=module.put_away) as client:
                assert client.check_url("http://quimber.example/", reference="upload:17").unknown
            assert asked.wait(60)
        module.vigil().close()
    assert [(reference, verdict.listed) for reference, verdict in decided] == [("upload:17", True)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_celery_tries_until_there_is_an_answer(
    celery_example: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    decided: list[Any] = []
    failing = says(answer({}, 401))
    with lying(failing, failing, failing, listed) as liar:
        module = celery_example(liar.url)
        module.app.conf.task_always_eager = True  # Celery's own retries, without the waiting
        monkeypatch.setattr(module, "decided", lambda reference, verdict: decided.append((reference, verdict.listed)))
        with Client(liar.url, policy=FailOpen(), retries=Retries(attempts=1), queue=module.put_away) as client:
            client.check_url("http://quimber.example/", reference="upload:18")
        module.vigil().close()
    assert decided == [("upload:18", True)]
