"""A FastAPI route that takes a picture only when it may. Environment: VIGIL_NODE, VIGIL_TOKEN."""

import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI, HTTPException, Request

from vigil.client import AsyncClient, FailOpen, Unknown

MOST_BYTES: Final = 32 * 1024 * 1024


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for the life of the application, in its event loop."""
    async with AsyncClient(os.environ["VIGIL_NODE"], policy=FailOpen(), token=os.environ.get("VIGIL_TOKEN")) as client:
        app.state.vigil = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/pictures", status_code=201)
async def upload(request: Request) -> dict[str, str]:
    """The picture is the body. With a form, hand ``UploadFile.file`` to ``match_file`` in the same way."""
    picture = io.BytesIO()
    async for part in request.stream():
        if picture.write(part) and picture.tell() > MOST_BYTES:
            raise HTTPException(413, "too large")
    picture.seek(0)
    verdict = await request.app.state.vigil.match_file(picture)
    if not verdict.allowed:
        raise HTTPException(422, "refused")
    # Allowed by FailOpen, and still unknown: say so, so that it is looked at again.
    return {"state": "kept, unchecked" if isinstance(verdict, Unknown) else "kept"}
