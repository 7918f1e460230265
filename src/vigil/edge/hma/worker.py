"""One worker process of the HMA-compatible door. Socket and memory of counts come by number, options on standard input.

It listens on a socket that it was handed, maps the files that the node's own process writes, and ends with that process.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Final

import msgspec
import uvicorn

from vigil.edge.config import Limits
from vigil.edge.hma.app import HmaApp
from vigil.edge.hma.config import WorkerOptions
from vigil.edge.hma.lists import Lists
from vigil.edge.hma.store import Reader
from vigil.edge.http.protocol import protocol_with
from vigil.edge.shared import Region, SharedTally

PR_SET_PDEATHSIG: Final = 1


def main(descriptor: int, parent: int, counts: int, segments: int, own: int) -> None:
    """Serve until told to stop. Hits are counted in the segment ``own`` of the node's shared memory ``counts``."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the call above took effect
        return
    options = msgspec.json.decode(sys.stdin.buffer.read(), type=WorkerOptions)
    state = Path(options.state)
    lists = Lists(state, options.on_hard_expiry) if options.hma.lists else None
    segment = Region(counts, segments).segment(own)
    app = HmaApp(options, Reader(state / "hma"), lists, SharedTally(segment, (segment,)))
    listener = socket.socket(fileno=descriptor)
    try:
        uvicorn.Server(_settings(app)).run(sockets=[listener])
    finally:
        app.close()


def _settings(app: HmaApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol_with(Limits(), app),
        loop="uvloop",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
