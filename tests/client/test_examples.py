"""The hook of media pipelines, as a process. Django's example: tests/hotline/examples; FastAPI's and Celery's: tests/exchange."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.client.liars import answer, honest, lying, says, signals_in

ROOT = Path(__file__).resolve().parents[2]
LISTED = {"verdict": "listed", "list": "pictures", "entry": 4, "edition": 3, "signal": "sha256", "distance": 0, "labels": []}


def listed(line: Any, request: bytes, over: Any) -> None:
    line.sendall(answer({"verdicts": [LISTED for _ in signals_in(request)]}))


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
