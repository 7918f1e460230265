"""Stand-ins for FastAPI and Celery, which are no dependencies of Vigil: just what the examples use, and no more.

They prove that the examples run and decide rightly, not that they fit a particular release of those frameworks.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any


class HTTPException(Exception):  # noqa: N818  the name of the original
    def __init__(self, status_code: int, detail: str) -> None:
        super().__init__(detail)
        self.status_code = status_code


class UploadFile:
    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)


class FastAPI:
    def __init__(self, lifespan: Callable[..., Any]) -> None:
        self.state = SimpleNamespace()
        self.lifespan = lifespan
        self.routes: dict[str, Any] = {}

    def post(self, path: str, status_code: int) -> Callable[[Any], Any]:
        return lambda route: self.routes.setdefault(path, route)


class RetryLaterError(Exception):
    def __init__(self, countdown: float) -> None:
        super().__init__("later")
        self.countdown = countdown


class Task:
    """A bound task; ``delay`` keeps what it was given, ``run`` does it once."""

    def __init__(self, body: Callable[..., None]) -> None:
        self.body = body
        self.waiting: list[Any] = []
        self.request = SimpleNamespace(retries=0)

    def delay(self, document: Any) -> None:
        self.waiting.append(document)

    def retry(self, countdown: float) -> RetryLaterError:
        return RetryLaterError(countdown)

    def run(self) -> None:
        try:
            self.body(self, self.waiting[0])
        except RetryLaterError:
            self.request.retries += 1
            raise
        self.waiting.pop(0)


class Celery:
    def __init__(self, name: str) -> None:
        self.name = name

    def task(self, **options: Any) -> Callable[[Callable[..., None]], Task]:
        return Task


def modules() -> dict[str, ModuleType]:
    """By name, for ``sys.modules``."""
    fastapi, celery = ModuleType("fastapi"), ModuleType("celery")
    fastapi.__dict__.update(FastAPI=FastAPI, HTTPException=HTTPException, UploadFile=UploadFile)
    celery.__dict__.update(Celery=Celery, Task=Task)
    return {"fastapi": fastapi, "celery": celery}
