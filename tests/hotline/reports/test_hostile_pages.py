"""A hostile page ends in a capture that says why it failed: nothing of it is kept, nothing inward is asked for, and the report
stays where it was for a person to decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
from tests.hotline.reports.misbehaving_world import World, answer, redirect

from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.reports.captures import claim_next, do_allow_captures, do_request_capture, run
from vigil.hotline.reports.fetcher import Proxy, ProxyFetcher, RouteFetcher
from vigil.hotline.reports.fetching import Failure, Fetcher
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Capture, Media
from vigil.hotline.reports.routes import DirectRoute
from vigil.hotline.settings.config import Capture as CaptureTable
from vigil.media import hash_image

pytestmark = pytest.mark.django_db
PAGE = "http://gallery.example/room/7"
OTHER = "http://other.example/"
SECONDS = 1.0


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def analyst(make_user: Callable[..., User], settings: Any) -> User:
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, capture=CaptureTable(direct=True))
    do_allow_captures(OPERATOR, "Permit 7 of the authority of Quimber")
    return make_user(Role.ANALYST)


def captured(analyst: User, fetcher: Fetcher, address: str = PAGE) -> Capture:
    """The capture of a reported page, after the worker has run it."""
    report = do_submit_report(PUBLIC, Arrival(address))
    url = report.submissions.get().url
    assert url is not None
    do_request_capture(analyst, report, url)
    claimed = claim_next()
    assert claimed is not None
    run(claimed, fetcher, hash_image)
    capture = Capture.objects.select_related("report").get(pk=claimed.pk)
    assert capture.report.is_open and not Media.objects.exists() and capture.page_sha256 == ""
    return capture


def cycle(world: World) -> None:
    world.pages[PAGE], world.pages[OTHER] = redirect(OTHER), redirect(PAGE)


def inward(world: World) -> None:
    world.pages[PAGE] = redirect("http://169.254.169.254/latest/meta-data")


def endless(world: World) -> None:
    world.pages[PAGE] = world.endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)


def dripping(world: World) -> None:
    world.pages[PAGE] = world.endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x", pause=0.05)


def packed(world: World) -> None:
    world.pages[PAGE] = answer(b"\x1f\x8b", Content_Encoding="gzip")


@pytest.mark.parametrize(
    ("make", "failure", "asked"),
    [
        (cycle, Failure.TOO_MANY_REDIRECTS, {PAGE, OTHER}),
        (inward, Failure.PRIVATE_ADDRESS, {PAGE}),
        (endless, Failure.TOO_LARGE, {PAGE}),
        (dripping, Failure.TOO_SLOW, {PAGE}),
        (packed, Failure.ENCODING_REFUSED, {PAGE}),
    ],
)
def test_a_hostile_page_is_a_capture_that_failed_and_says_why(
    analyst: User, world: World, make: Callable[[World], None], failure: Failure, asked: set[str]
) -> None:
    make(world)
    seconds = SECONDS if failure is Failure.TOO_SLOW else 20.0
    capture = captured(analyst, ProxyFetcher(Proxy.at(world.proxy), seconds=seconds))
    assert (capture.status, capture.failure) == ("failed", failure.value)
    assert {line.split(" ")[1] for line in world.asked} == asked
    (event,) = AuditEvent.objects.filter(code="capture.failed")
    assert "gallery" not in event.details + event.subject


@pytest.mark.parametrize(
    "answers", [["10.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:192.168.0.1"], ["64:ff9b::7f00:1"], ["169.254.169.254"]]
)
def test_a_name_that_leads_inward_is_not_followed(analyst: User, answers: Sequence[str]) -> None:
    """DNS rebinding: whatever a name says, one inward answer refuses it before anything is connected to."""
    capture = captured(analyst, RouteFetcher(DirectRoute(resolver=lambda host, port: answers), seconds=5))
    assert (capture.status, capture.failure, capture.resolved_ip) == ("failed", Failure.PRIVATE_ADDRESS.value, None)


def test_a_private_address_that_was_reported_is_kept_and_never_fetched(analyst: User, world: World) -> None:
    capture = captured(analyst, ProxyFetcher(Proxy.at(world.proxy)), "http://192.168.0.1/room")
    assert (capture.status, capture.failure, world.asked) == ("failed", Failure.PRIVATE_ADDRESS.value, [])
