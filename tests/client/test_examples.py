"""The examples run: the hook as a process, FastAPI's and Celery's with stand-ins (``standins``). Django's: tests/hotline."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.client import standins
from tests.client.liars import answer, honest, lying, says, signals_in

ROOT = Path(__file__).resolve().parents[2]
LISTED = {"verdict": "listed", "list": "pictures", "entry": 4, "edition": 3, "signal": "sha256", "distance": 0, "labels": []}


def listed(line: Any, request: bytes, over: Any) -> None:
    line.sendall(answer({"verdicts": [LISTED for _ in signals_in(request)]}))


def example(name: str, monkeypatch: pytest.MonkeyPatch, node: str) -> ModuleType:
    """The example as a module, with the stand-ins where frameworks would be."""
    monkeypatch.setenv("VIGIL_NODE", node)
    for framework, module in standins.modules().items():
        monkeypatch.setitem(sys.modules, framework, module)
    spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("behaviour", "policy", "status", "verdict"),
    [(honest, "closed", 1, "unknown"), (honest, "open", 0, "unknown"), (listed, "open", 1, "listed"),
     (says(answer({}, 500)), "closed", 1, "unknown"), (says(answer({}, 500)), "open", 0, "unknown")],
)  # fmt: skip
def test_the_hook(behaviour: Any, policy: str, status: int, verdict: str, tmp_path: Path) -> None:
    file = tmp_path / "attachment"
    file.write_bytes(b"zorblat: no picture")
    with lying(behaviour) as liar:
        finished = hook(str(file), VIGIL_NODE=liar.url, VIGIL_POLICY=policy)
    assert finished.returncode == status, finished.stderr
    assert json.loads(finished.stdout)["verdict"] == verdict
    assert "attachment" not in finished.stdout + finished.stderr


def test_the_hook_wants_a_policy() -> None:
    assert hook("absent", VIGIL_NODE="http://127.0.0.1:1").returncode == 2


def hook(*files: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / "upload_hook.py"), *files]
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("VIGIL_")}, **settings}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_fastapi(monkeypatch: pytest.MonkeyPatch) -> None:
    with lying(listed, says(answer({}, 401))) as liar:
        module = example("fastapi_upload", monkeypatch, liar.url)

        async def run() -> list[Any]:
            async with module.lifespan(module.app):
                with pytest.raises(standins.HTTPException) as refused:
                    await module.upload(standins.UploadFile(b"zorblat"))
                return [refused.value.status_code, await module.upload(standins.UploadFile(b"zorblat"))]

        assert asyncio.run(run()) == [422, {"state": "kept, unchecked"}]


def test_celery(monkeypatch: pytest.MonkeyPatch) -> None:
    from vigil.client import Client, FailOpen, Retries

    decided: list[Any] = []
    failing = says(answer({}, 401))
    with lying(failing, failing, listed) as liar:
        module = example("celery_later", monkeypatch, liar.url)
        monkeypatch.setattr(module, "decided", lambda reference, verdict: decided.append((reference, verdict.listed)))
        with Client(liar.url, policy=FailOpen(), retries=Retries(attempts=1), queue=module.put_away) as client:
            assert client.check_url("http://quimber.example/", reference="upload:17").unknown
        with pytest.raises(standins.RetryLaterError):
            module.ask_again.run()
        module.ask_again.run()
        module.vigil().close()
    assert (decided, module.ask_again.waiting) == ([("upload:17", True)], [])
