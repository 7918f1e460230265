"""Squid itself decides with the exported lists, in front of a web server that answers for every name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.editions.export.proxies import OURS, Ask, free_port, proxy, web_behind
from tests.editions.export.world import PAGES, PATHS, QUERIES, check_cover, is_covered, made, some_contents

from vigil.editions.model import EditionContents, UrlEntry
from vigil.match.urls import CanonicalUrl, Scope, canonical


@contextmanager
def squid(files: dict[str, bytes]) -> Iterator[Ask]:
    """Squid gives up the rights of root, so that its folder must be open to others."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name, web_behind() as behind:
        folder = Path(name)
        folder.chmod(0o755)
        for file, data in files.items():
            (folder / file).write_bytes(data)
        (folder / "squid.conf").write_text(
            f'acl vigil_hosts dstdomain "{folder}/squid-dstdomain.txt"\n'
            f'acl vigil_pages url_regex "{folder}/squid-url-regex.txt"\n'
            "http_access deny vigil_hosts\nhttp_access deny vigil_pages\nhttp_access allow all\n"
            f"http_port 127.0.0.1:{port}\ncache_peer 127.0.0.1 parent {behind} 0 no-query default\nnever_direct allow all\n"
            "cache deny all\npid_filename none\ncache_log /dev/null\naccess_log none\nvisible_hostname squid.test\n"
            "pinger_enable off\n"
        )
        with proxy(["squid", "-N", "-f", str(folder / "squid.conf")], port) as ask:
            yield ask


def refused(ask: Ask, url: CanonicalUrl) -> bool:
    status, body = ask(url.text())
    assert (status, body == OURS) in ((200, True), (403, False)), status
    return status == 403


def test_squid_blocks_what_the_entries_cover() -> None:
    source = some_contents()
    near = (
        "http://zorblat.example/quimber/1.html?z", "http://zorblat.example/quimber/1xhtml", "http://zorblat.example/quimber/1.HTML",
        "http://zorblat.example/Quimber/?page=2&x=(1)", "http://zorblat.example/folder/a+b/c", "http://zorblat.example/folder/aab/c",
        "http://deep.quimber.test/", "http://xquimber.test/", "http://host.zorblat.test/x", "http://www.host.zorblat.test/",
        "http://skipped.test/", "http://below.skipped.test/", "http://192.0.2.7/a/b?c=1", "http://192.0.2.7:8080/a/b?c=1",
        "http://shop.test:8080/x", "http://shop.test/x", "http://zorblat.example/old",
    )  # fmt: skip
    asked = [*map(canonical, near), *(entry.url for entry in source.urls if entry.url.scheme == "http")]
    export = made("squid", source)
    with squid(export.files) as ask:
        check_cover(source, export, asked, lambda url: refused(ask, url))


def test_squid_reads_every_special_sign_as_itself() -> None:
    urls = {canonical(f"http://zorblat.example{path}{'?' + query if query else ''}") for path in PATHS for query in QUERIES}
    chosen = sorted(urls, key=CanonicalUrl.text)
    entries = tuple(UrlEntry(number, PAGES.name, url, Scope.URL) for number, url in enumerate(chosen[::2]))
    export = made("squid", EditionContents((PAGES,), entries))
    assert not export.left
    with squid(export.files) as ask:
        for url in chosen:
            assert refused(ask, url) is is_covered(entries, url)
