"""The fetching process: reads requests from its parent, fetches, writes answers; knows no database, no key and no file.

Started by :mod:`.fetch_process` with an empty environment. It may not write a file (RLIMIT_FSIZE 0), has few descriptors and
bounded memory, and ends with its parent: when the pipe closes, the loop ends.
"""

from __future__ import annotations

import ipaddress
import resource
import sys
from typing import BinaryIO, Final

from vigil.base.limits import Limit
from vigil.hotline.reports.fetch_frames import Answer, Request, Setup, read_answer_frame, write_frame
from vigil.hotline.reports.fetcher import RouteFetcher
from vigil.hotline.reports.fetching import FetchError, Proxy, fetchable
from vigil.hotline.reports.routes import DirectRoute, ProxyRoute, Route, TorRoute

MEMORY_BYTES: Final = Limit(1024**3, "bytes", "a server that sends without end must not take the machine's memory")
DESCRIPTORS: Final = Limit(64, "descriptors", "one connection at a time needs few")


def confine() -> None:
    """Give up what fetching does not need."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES.value, MEMORY_BYTES.value))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS.value, DESCRIPTORS.value))


def route_of(setup: Setup) -> Route:
    """The route that the parent asked for."""
    allowed = tuple(ipaddress.ip_network(text) for text in setup.allowed)
    if setup.via == "direct":
        return DirectRoute(allowed)
    proxy = Proxy(setup.host, setup.port)
    return TorRoute(proxy, allowed) if setup.via == "tor" else ProxyRoute(proxy, allowed)


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the parent closes the pipe."""
    setup, _ = read_answer_frame(source, Setup)
    if setup is None:
        return
    fetcher = RouteFetcher(route_of(setup), seconds=setup.seconds)
    while True:
        request, _ = read_answer_frame(source, Request)
        if request is None:
            return
        answer, body = answered(fetcher, request)
        write_frame(sink, answer, body)


def answered(fetcher: RouteFetcher, request: Request) -> tuple[Answer, bytes]:
    """The answer to one request; a failure is an answer too."""
    try:
        got = fetcher.fetch(fetchable(request.url), Limit(request.limit, "bytes", ""), request.referrer)
    except FetchError as error:
        return Answer(failure=error.failure.value), b""
    return (
        Answer(
            status=got.status, declared_type=got.declared_type, url=got.url.text(), headers=got.headers,
            certificate=got.certificate, ip=got.ip, chain=tuple(each.text() for each in got.chain),
        ),
        got.body,
    )  # fmt: skip


if __name__ == "__main__":
    confine()
    serve(sys.stdin.buffer, sys.stdout.buffer)
