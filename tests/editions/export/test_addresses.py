"""Formats for readers that see whole addresses: Squid and nginx, loaded by the programs themselves."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from tests.editions.export.readers import dstdomain_has, lines_of, posix_matches
from tests.editions.export.world import PAGES, around, check_cover, contents, is_covered, made, probes, some_contents

from vigil.editions.export import Reason
from vigil.editions.model import EditionContents, UrlEntry
from vigil.match.urls import CanonicalUrl, Scope, canonical


@settings(max_examples=40, deadline=None)
@given(contents(), probes)
def test_squid_as_its_regular_expressions_read_it(source: EditionContents, asked: list[CanonicalUrl]) -> None:
    asked = around(source, asked)
    export = made("squid", source)
    patterns = lines_of(export.files["squid-url-regex.txt"])
    with tempfile.TemporaryDirectory() as folder:
        matched = posix_matches(patterns, [url.text() for url in asked], Path(folder))
    names = export.files["squid-dstdomain.txt"]
    check_cover(source, export, asked, lambda url: dstdomain_has(names, url.host) or url.text() in matched)


def squid_says(files: dict[str, bytes], folder: Path) -> str:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    configuration = folder / "squid.conf"
    configuration.write_text(
        f'acl vigil_hosts dstdomain "{folder}/squid-dstdomain.txt"\nacl vigil_pages url_regex "{folder}/squid-url-regex.txt"\n'
        "http_access deny vigil_hosts\nhttp_access deny vigil_pages\nhttp_access deny all\n"
        f"http_port 127.0.0.1:3128\npid_filename none\ncache_log {folder}/cache.log\naccess_log none\n"
        "visible_hostname squid.test\n"
    )
    command = ["squid", "-k", "parse", "-f", str(configuration)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_squid_loads_the_lists_without_a_word_of_complaint(tmp_path: Path) -> None:
    said = squid_says(made("squid", some_contents()).files, tmp_path)
    assert not [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line], said


def test_squid_would_complain_about_a_name_below_a_domain(tmp_path: Path) -> None:
    """The check above is worth something: a list with such a pair is noticed."""
    files = made("squid", some_contents()).files
    said = squid_says({**files, "squid-dstdomain.txt": b".quimber.test\nwww.quimber.test\n"}, tmp_path)
    assert "WARNING" in said or "ERROR" in said


@settings(max_examples=5, deadline=None)
@given(contents())
def test_squid_loads_whatever_is_written(source: EditionContents) -> None:
    with tempfile.TemporaryDirectory() as folder:
        said = squid_says(made("squid", source).files, Path(folder))
    assert "regular expression" not in said


def test_a_line_that_squid_would_cut_is_left_out() -> None:
    long = UrlEntry(1, PAGES.name, canonical(f"http://zorblat.example/{'q' * 1990}"), Scope.PAGE)
    export = made("squid", EditionContents((PAGES,), (long,)))
    assert lines_of(export.files["squid-url-regex.txt"]) == []
    assert [each.reason for each in export.left] == [Reason.TOO_LONG]


def page(number: int, address: str, scope: Scope = Scope.URL) -> UrlEntry:
    return UrlEntry(number, PAGES.name, canonical(address), scope)


def test_squid_sees_escapes_decoded_once_and_the_zero_byte_not_at_all(tmp_path: Path) -> None:
    written = ("http://zorblat.example/caf%C3%A9", "http://zorblat.example/a%00b", "http://zorblat.example/a%20b?c%23d")
    entries = tuple(page(number, address) for number, address in enumerate(written))
    export = made("squid", EditionContents((PAGES,), (*entries, page(9, "http://zorblat.example/a%0Ab"))))
    patterns = lines_of(export.files["squid-url-regex.txt"])
    assert posix_matches(patterns, [*written, "http://zorblat.example/a%0Ab"], tmp_path) == set(written)
    assert [(each.entry, each.reason) for each in export.left] == [(9, Reason.CONTROL_CHARACTER)]


def test_a_backslash_is_a_backslash_to_nginx() -> None:
    source = EditionContents((PAGES,), (page(1, "http://zorblat.example/a?q\\w"), page(2, 'http://zorblat.example/b?"x"')))
    with nginx(made("nginx", source).files["vigil-maps.conf"]) as server:
        asked = ("a?q\\w", "a?qw", "a?qx", 'b?"x"', "b?x")
        found = [any(server.answers(canonical(f"http://zorblat.example/{each}"))) for each in asked]
    assert found == [True, False, False, True, False]


class Nginx:
    """A real nginx that answers what its maps say about an address handed to it in a header."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "s"

    def serve(self, maps: bytes) -> subprocess.Popen[bytes]:
        text = maps.decode().replace("$scheme://$host:$server_port$request_uri", "$http_x_address")
        text = text.replace('"$host"', "$http_x_host")
        path = self.folder / "nginx.conf"
        path.write_text(
            f"daemon off; master_process off; pid {self.folder}/pid; error_log {self.folder}/error.log;\nevents {{}}\n"
            "http { access_log off; map_hash_bucket_size 512; large_client_header_buffers 4 64k;\n"
            + "".join(f"{kind}_temp_path {self.folder}/t;\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            + f"{text}\nserver {{ listen unix:{self.socket}; location / {{ return 200 '$vigil_host,$vigil_page'; }} }} }}\n"
        )
        command = ["nginx", "-t", "-c", str(path), "-p", str(self.folder)]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        return subprocess.Popen(["nginx", "-c", str(path), "-p", str(self.folder)], stderr=subprocess.DEVNULL)

    def answers(self, url: CanonicalUrl) -> tuple[bool, bool]:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(20)
        connection.sock.connect(str(self.socket))
        query = "" if url.query is None else f"?{url.query}"
        address = f"{url.scheme}://{url.host}:{url.effective_port()}{url.path}{query}"
        connection.request("GET", "/", headers={"X-Address": address, "X-Host": url.host})
        host, page = connection.getresponse().read().decode().split(",")
        connection.close()
        return host == "1", page == "1"


@contextlib.contextmanager
def nginx(maps: bytes) -> Iterator[Nginx]:
    with tempfile.TemporaryDirectory() as folder:
        server = Nginx(Path(folder))
        process = server.serve(maps)
        try:
            for _ in range(600):
                if server.socket.exists() and process.poll() is None:
                    break
                time.sleep(0.05)
            yield server
        finally:
            process.terminate()
            process.wait(30)


@settings(max_examples=15, deadline=None)
@given(contents(), probes)
def test_nginx_answers_as_the_entries_say(source: EditionContents, asked: list[CanonicalUrl]) -> None:
    asked = around(source, asked)
    export = made("nginx", source)
    with nginx(export.files["vigil-maps.conf"]) as server:
        check_cover(source, export, asked, lambda url: any(server.answers(url)))


def test_squid_and_nginx_before_and_after_a_withdrawal(tmp_path: Path) -> None:
    source = some_contents()
    fewer = replace(source, urls=tuple(entry for entry in source.urls if entry.entry not in (1, 10)))
    page, site = canonical("https://zorblat.example/quimber/1.html?any"), canonical("http://deep.quimber.test/x")
    for kept, expected in ((source, True), (fewer, False)):
        with nginx(made("nginx", kept).files["vigil-maps.conf"]) as server:
            assert any(server.answers(page)) is expected
            assert any(server.answers(site)) is expected
        squid = made("squid", kept).files
        assert bool(posix_matches(lines_of(squid["squid-url-regex.txt"]), [page.text()], tmp_path)) is expected
        assert dstdomain_has(squid["squid-dstdomain.txt"], site.host) is expected
        assert is_covered(kept.urls, page) is expected
