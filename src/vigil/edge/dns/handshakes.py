"""A listener of TLS that bounds handshakes: asyncio shows a connection to its protocol only after one, and keeps no count before.

A client that connects and says nothing costs the memory of a handshake (a quarter of a megabyte in uvloop). Here it takes a place
among the connections of the door from the moment it is accepted.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ACCEPT_AGAIN_SECONDS: Final = 0.1  # no descriptor was free


@dataclass(frozen=True, slots=True)
class Bounds:
    """``open``: connections of the door whose handshake is done; ``most``: of both kinds together; ``seconds`` for one handshake.

    ``may_ask``: whether an address may connect at all; ``refused`` is called for each connection that is turned away or fails.
    """

    open: Callable[[], int]
    most: int
    seconds: float
    may_ask: Callable[[str], bool]
    refused: Callable[[], None]


class Handshakes:
    """One listening socket. Made and used in the loop."""

    def __init__(
        self, listener: socket.socket, tls: ssl.SSLContext, made: Callable[[], asyncio.Protocol], bounds: Bounds, backlog: int
    ) -> None:
        self._listener, self._tls, self._made, self._bounds = listener, tls, made, bounds
        self._under_way: set[asyncio.Task[None]] = set()
        listener.listen(backlog)
        self._loop = asyncio.get_running_loop()
        self._accepting = self._loop.create_task(self._accept())

    def close(self) -> None:
        """Accept nothing new, and end the handshakes that are under way."""
        self._accepting.cancel()
        self._listener.close()
        for task in list(self._under_way):
            task.cancel()

    async def _accept(self) -> None:
        while True:
            try:
                accepted, peer = await self._loop.sock_accept(self._listener)
            except OSError:
                self._bounds.refused()
                await asyncio.sleep(ACCEPT_AGAIN_SECONDS)
                continue
            bounds = self._bounds
            if bounds.open() + len(self._under_way) >= bounds.most or not bounds.may_ask(peer[0]):
                bounds.refused()
                accepted.close()
                continue
            task = self._loop.create_task(self._shake(accepted))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _shake(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._made, accepted, ssl=self._tls, ssl_handshake_timeout=self._bounds.seconds
            )
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError: no TLS, no common version, or silence
            self._bounds.refused()
            accepted.close()
