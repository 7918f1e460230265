"""A FastAPI route that takes a picture only when it may. Environment: VIGIL_NODE, VIGIL_TOKEN."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, UploadFile

from vigil.client import AsyncClient, FailOpen, Unknown


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for the life of the application, in its event loop."""
    async with AsyncClient(os.environ["VIGIL_NODE"], policy=FailOpen(), token=os.environ.get("VIGIL_TOKEN")) as client:
        app.state.vigil = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/pictures", status_code=201)
async def upload(picture: UploadFile) -> dict[str, str]:
    verdict = await app.state.vigil.match_file(picture.file)
    if not verdict.allowed:
        raise HTTPException(422, "refused")
    # Allowed by FailOpen, and still unknown: say so, so that it is looked at again.
    return {"state": "kept, unchecked" if isinstance(verdict, Unknown) else "kept"}
