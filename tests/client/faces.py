"""Both clients under one face, so that every promise is tested on each."""

from __future__ import annotations

import asyncio
from typing import Any

from vigil.client import AsyncClient, Client, FailClosed

Call = dict[str, Any] | None
QUICK: dict[str, Any] = {"policy": FailClosed()}


def waiting(url: str, method: str, *arguments: Any, times: int = 1, call: Call = None, **settings: Any) -> list[Any]:
    """Results of ``method`` of the client that does not await."""
    with Client(url, **{**QUICK, **settings}) as client:
        return [getattr(client, method)(*arguments, **(call or {})) for _ in range(times)]


def awaiting(url: str, method: str, *arguments: Any, times: int = 1, call: Call = None, **settings: Any) -> list[Any]:
    """Results of ``method`` of the client that awaits."""

    async def run() -> list[Any]:
        async with AsyncClient(url, **{**QUICK, **settings}) as client:
            return [await getattr(client, method)(*arguments, **(call or {})) for _ in range(times)]

    return asyncio.run(run())


FACES = [waiting, awaiting]
