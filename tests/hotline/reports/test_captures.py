"""Captures from request to rows, against a proxy whose world misbehaves; and files handed in by hand."""

from __future__ import annotations

import hashlib
import io
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image
from tests.hotline.reports.misbehaving_world import World, answer, raw, redirect

from vigil.base.clock import FixedClock
from vigil.base.errors import RefusedError, UnavailableError, VigilError
from vigil.base.limits import MEDIA_BYTES
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.reports.captures import (
    ATTEMPTS,
    CLAIM,
    address_of,
    check_hash_file,
    claim_next,
    do_allow_captures,
    do_hash_file,
    do_request_capture,
    run,
)
from vigil.hotline.reports.fetcher import Failure, Proxy, ProxyFetcher
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Capture, Hash, Media, Report, Sighting, Url
from vigil.hotline.reports.models.capture import CaptureStatus
from vigil.hotline.reports.worker import serve
from vigil.hotline.settings.config import Capture as CaptureTable
from vigil.media import Unhashable, hash_image
from vigil.media.model import Reason

PAGE = "http://gallery.example/room/7"
PICTURE = "http://gallery.example/room/a.png"


def drawn(seed: int = 1, side: int = 96, kind: str = "PNG") -> bytes:
    """A picture drawn by code: soft noise, which has a good PDQ."""
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC).save(stream, kind)
    return stream.getvalue()


def bomb() -> bytes:
    """A PNG of a few hundred bytes that claims 60,000 by 60,000 pixels."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def captures_configured(settings: Any, world: World, db: None) -> None:
    do_allow_captures(OPERATOR, "Permit 7 of the authority of Quimber")
    table = CaptureTable(proxy=world.proxy)
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, capture=table)


@pytest.fixture
def analyst(make_user: Callable[..., User]) -> User:
    return make_user(Role.ANALYST, username="anna")


def reported(address: str = PAGE) -> tuple[Report, Url]:
    report = do_submit_report(PUBLIC, Arrival(address))
    url = report.submissions.get().url
    assert url is not None
    return report, url


def captured(analyst: User, world: World, seconds: float = 20) -> Capture:
    capture = do_request_capture(analyst, *reported())
    claimed = claim_next()
    assert claimed is not None and claimed.pk == capture.pk
    run(claimed, ProxyFetcher(Proxy.at(world.proxy), seconds=seconds), hash_image)
    capture.refresh_from_db()
    return capture


pytestmark = pytest.mark.usefixtures("clock")


@pytest.mark.usefixtures("captures_configured")
class TestRun:
    def test_a_page_with_pictures_becomes_rows_and_no_bytes(self, analyst: User, world: World) -> None:
        page = b'<img src="a.png"><img src="b.png"><a href="/gone.jpg">'
        world.pages = {PAGE: answer(page), PICTURE: answer(drawn(1), "image/png"),
                       "http://gallery.example/room/b.png": answer(drawn(2), "image/png")}  # fmt: skip
        capture = captured(analyst, world)
        assert (capture.status, capture.http_status) == (CaptureStatus.DONE, 200)
        assert capture.page_sha256 == hashlib.sha256(page).hexdigest()
        assert (capture.pictures_found, capture.pictures_failed) == (3, 1)
        assert [sighting.position for sighting in capture.sightings.all()] == [1, 2]
        media = Media.objects.get(sha256=hashlib.sha256(drawn(1)).hexdigest())
        assert (media.width, media.height, media.mime) == (96, 96, "image/png")
        assert media.md5 == hashlib.md5(drawn(1)).hexdigest()
        pdq = media.hashes.get()
        assert pdq.algorithm == "pdq" and len(pdq.value.open()) == 64 and pdq.quality is not None
        assert AuditEvent.objects.filter(code="capture.done").count() == 1

    def test_the_same_picture_seen_again_is_one_media_row(self, analyst: User, world: World) -> None:
        world.pages = {PAGE: answer(b'<img src="a.png">'), PICTURE: answer(drawn(1), "image/png")}
        captured(analyst, world)
        captured(analyst, world)
        assert (Media.objects.count(), Hash.objects.count(), Sighting.objects.count()) == (1, 1, 2)

    def test_an_address_that_is_itself_a_picture(self, analyst: User, world: World) -> None:
        world.pages[PAGE] = answer(drawn(3, kind="JPEG"), "image/jpeg")
        capture = captured(analyst, world)
        assert capture.pictures_found == 1 and Media.objects.get().mime == "image/jpeg"

    def test_a_page_that_is_gone_is_done_not_failed(self, analyst: User, world: World) -> None:
        capture = captured(analyst, world)
        assert (capture.status, capture.http_status, capture.pictures_found) == (CaptureStatus.DONE, 404, 0)

    @pytest.mark.parametrize("kind", ["application/pdf", "text/plain", "video/mp4"])
    def test_a_page_of_another_type_is_recorded_and_not_read(self, analyst: User, world: World, kind: str) -> None:
        world.pages[PAGE] = answer(b'<img src="a.png">', kind)
        capture = captured(analyst, world)
        assert (capture.status, capture.pictures_found) == (CaptureStatus.DONE, 0)
        assert len(world.asked) == 1

    def test_endless_stream(self, analyst: User, world: World) -> None:
        world.pages[PAGE] = world.endless(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", b"x" * 65536)
        assert captured(analyst, world).failure == Failure.TOO_LARGE

    def test_redirect_loop(self, analyst: User, world: World) -> None:
        world.pages[PAGE] = redirect(PAGE)
        assert captured(analyst, world).failure == Failure.TOO_MANY_REDIRECTS

    def test_silence(self, analyst: User, world: World) -> None:
        world.pages[PAGE] = world.silent()
        assert captured(analyst, world, seconds=0.5).failure == Failure.TOO_SLOW

    def test_closed_connection(self, analyst: User, world: World) -> None:
        world.pages[PAGE] = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf")
        capture = captured(analyst, world)
        assert (capture.status, capture.failure) == (CaptureStatus.FAILED, Failure.CONNECTION_CLOSED)
        assert AuditEvent.objects.filter(code="capture.failed").count() == 1

    def test_a_bad_picture_spoils_nothing(self, analyst: User, world: World) -> None:
        page = b'<img src="bomb.png"><img src="lie.png"><img src="huge.png"><img src="a.png">'
        base = "http://gallery.example/room/"
        world.pages = {
            PAGE: answer(page),
            base + "bomb.png": answer(bomb(), "image/png"),
            base + "lie.png": answer(b"zorblat, not a picture", "image/png"),
            base + "huge.png": world.endless(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n", b"x" * 1_000_000),
            PICTURE: answer(drawn(1), "image/png"),
        }
        capture = captured(analyst, world)
        assert (capture.status, capture.pictures_found, capture.pictures_failed) == (CaptureStatus.DONE, 4, 1)
        reasons = {sighting.media.unhashable for sighting in capture.sightings.select_related("media")}
        assert reasons == {Reason.TOO_MANY_PIXELS.value, Reason.NOT_AN_IMAGE.value, ""}

    def test_what_is_asked_for_is_what_was_reported_not_its_folded_form(self, analyst: User, world: World) -> None:
        _, url = reported("gallery.example/a%2Fb?u=http%3A%2F%2Fx.example%2F")
        assert address_of(url).text() == "http://gallery.example/a%2Fb?u=http%3A%2F%2Fx.example%2F"


@pytest.mark.usefixtures("captures_configured")
class TestClaims:
    def test_a_killed_run_is_taken_over(self, analyst: User, world: World, clock: FixedClock) -> None:
        world.pages[PAGE] = answer(b"")
        do_request_capture(analyst, *reported())
        lost = claim_next()
        assert lost is not None and claim_next() is None
        clock.advance(seconds=CLAIM.total_seconds() + 1)
        second = claim_next()
        assert second is not None and second.pk == lost.pk and second.attempts == 2
        fetcher = ProxyFetcher(Proxy.at(world.proxy))
        run(lost, fetcher, hash_image)
        assert world.asked == [], "the run that lost its claim does nothing more"
        run(second, fetcher, hash_image)
        assert Capture.objects.get().status == CaptureStatus.DONE

    def test_a_run_that_loses_its_claim_half_way_writes_nothing(self, analyst: User, world: World) -> None:
        world.pages = {PAGE: answer(b'<img src="a.png">'), PICTURE: answer(drawn(1), "image/png")}
        do_request_capture(analyst, *reported())
        claimed = claim_next()
        assert claimed is not None

        def meanwhile(data: bytes) -> Any:
            Capture.objects.update(claim="00000000-0000-7000-8000-000000000000")
            return hash_image(data)

        run(claimed, ProxyFetcher(Proxy.at(world.proxy)), meanwhile)
        assert Capture.objects.get().status == CaptureStatus.RUNNING
        assert not Media.objects.exists() and not Sighting.objects.exists()

    def test_three_lost_runs_are_a_failure(self, analyst: User, clock: FixedClock) -> None:
        do_request_capture(analyst, *reported())
        for _ in range(ATTEMPTS):
            assert claim_next() is not None
            clock.advance(seconds=CLAIM.total_seconds() + 1)
        assert claim_next() is None
        assert Capture.objects.get().failure == Failure.WORKER_LOST

    def test_one_capture_of_a_page_at_a_time(self, analyst: User) -> None:
        report, url = reported()
        do_request_capture(analyst, report, url)
        with pytest.raises(RefusedError) as caught:
            do_request_capture(analyst, report, url)
        assert caught.value.code == "capture_under_way"

    @pytest.mark.django_db(transaction=True)  # the worker closes connections between captures
    def test_a_worker_works_until_told_to_stop(self, analyst: User, world: World) -> None:
        world.pages[PAGE] = answer(b"")
        do_request_capture(analyst, *reported())
        stop = threading.Event()
        world.pages[PAGE] = lambda connection: (stop.set(), answer(b"last")(connection))[1]
        serve(stop, poll=0.01)
        assert Capture.objects.get().status == CaptureStatus.DONE


def test_captures_are_off_until_the_operator_says_why_not(analyst: User) -> None:
    with pytest.raises(UnavailableError) as caught:
        do_request_capture(analyst, *reported())
    assert caught.value.code == "captures_off"


def test_a_worker_without_a_proxy_waits_in_peace(analyst: User) -> None:
    stop = threading.Event()
    stop.set()
    serve(stop)


def test_only_some_may_ask(make_user: Callable[..., User]) -> None:
    with pytest.raises(RefusedError):
        do_request_capture(make_user(Role.INTAKE), *reported())


class TestFiles:
    def test_a_file_is_hashed_and_tied_to_the_case(self, analyst: User) -> None:
        report, _ = reported()
        media = do_hash_file(analyst, report, drawn(5), hash_image)
        again = do_hash_file(analyst, report, drawn(5), hash_image)
        assert again.pk == media.pk
        assert [sighting.source for sighting in report.sightings.all()] == ["upload"]
        assert AuditEvent.objects.filter(code="media.hashed").count() == 2

    def test_a_file_that_is_no_picture_keeps_its_digests(self, analyst: User) -> None:
        media = do_hash_file(analyst, reported()[0], b"zorblat", hash_image)
        assert media.sha256 == hashlib.sha256(b"zorblat").hexdigest()
        assert media.unhashable == Reason.NOT_AN_IMAGE and not media.hashes.exists()

    def test_what_could_not_be_decoded_once_may_be_later(self, analyst: User) -> None:
        report, _ = reported()
        data = drawn(6)
        digests = {name: hashlib.new(name, data).digest() for name in ("md5", "sha1", "sha256")}
        do_hash_file(analyst, report, data, lambda _: Unhashable(Reason.TIMED_OUT, **digests))
        media = do_hash_file(analyst, report, data, hash_image)
        assert media.unhashable == "" and media.width == 96 and media.hashes.count() == 1

    @pytest.mark.parametrize("data", [b"", b"x" * (MEDIA_BYTES.value + 1)], ids=["empty", "too large"])
    def test_sizes(self, analyst: User, data: bytes) -> None:
        with pytest.raises(VigilError):
            check_hash_file(analyst, data)
