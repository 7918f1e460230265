"""Hearing of new editions at once: the event stream of a hotline, read with bounds. Nothing in it is believed.

    listener = Listener("https://hotline.example/v1/events", token, heard=client_pulls)
    listener.listen()      # until the stream ends; raises EditionUnreachable where there is none

An event says only that there may be something to pull. Who listens must poll besides.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Callable
from typing import Final

from vigil.editions.fetch import Patience, TlsFiles, checked_source
from vigil.editions.refusal import EditionUnreachable, Unreachable

LINE_BYTES: Final = 1024
GAP_SECONDS: Final = 45.0  # three beats of the stream


class Listener:
    """``heard`` is called for each event, ``opened`` once the stream is there, in the thread that listens."""

    def __init__(
        self,
        address: str,
        token: str | None,
        heard: Callable[[], None],
        opened: Callable[[], None] = lambda: None,
        tls: TlsFiles | None = None,
        gap: float = GAP_SECONDS,
    ) -> None:
        self._base = checked_source(address, token)
        self._tls = (tls or TlsFiles()).context() if self._base.scheme == "https" else None
        self._token, self._heard, self._opened, self._gap = token, heard, opened, gap
        self._socket: socket.socket | None = None

    def listen(self) -> None:
        """Listen until the other side ends the stream. Raises EditionUnreachable where it cannot be had, or falls silent."""
        try:
            with self._stream() as stream:
                self._opened()
                self._read(stream)
        except (OSError, http.client.HTTPException) as error:
            raise EditionUnreachable(
                Unreachable.UNREACHABLE, "The event stream could not be reached, or fell silent.", mend="Polling goes on."
            ) from error
        finally:
            self._socket = None

    def close(self) -> None:
        """End listening, from another thread."""
        found = self._socket
        if found is not None:
            with contextlib.suppress(OSError):  # it has ended by itself meanwhile
                found.shutdown(socket.SHUT_RDWR)

    def _stream(self) -> http.client.HTTPResponse:
        host, port, wait = self._base.hostname or "", self._base.port, Patience().connect
        if self._tls is not None:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=wait, context=self._tls)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=wait)
        headers = {"Accept": "text/event-stream", "User-Agent": "vigil", "Connection": "close"}
        try:
            connection.connect()
            self._socket = connection.sock
            connection.sock.settimeout(self._gap)
            connection.request("GET", self._base.path, headers=headers | self._credentials())
            response = connection.getresponse()
        except BaseException:
            connection.close()
            raise
        if response.status == http.client.OK and response.headers.get_content_type() == "text/event-stream":
            return response  # which owns the socket from here on
        response.close()
        connection.close()
        refused = response.status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN)
        raise EditionUnreachable(
            Unreachable.NOT_ALLOWED if refused else Unreachable.HTTP_ERROR,
            f"The event stream was answered with status {response.status}.",
            mend="See that its address and the node's token are right.",
        )

    def _credentials(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _read(self, stream: http.client.HTTPResponse) -> None:
        """Line by line; whatever is no event named ``edition`` is passed over, a line without end is an error."""
        named = False
        while line := stream.readline(LINE_BYTES):
            if not line.endswith(b"\n"):
                raise http.client.LineTooLong("event")
            text = line.strip()
            if text == b"event: edition":
                named = True
            elif not text:
                if named:
                    self._heard()
                named = False
