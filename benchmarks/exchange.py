"""Import of a partner's list: entries in the shape of NCMEC hash sharing, over loopback, into a throw-away PostgreSQL.

The run is a process of its own below ``tools/postgres.py``, and the service that it reads another one, so that neither shares
an interpreter with what is measured. Beside it, in the same run: what the public client alone needs to parse the same pages.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from benchmarks.harness import Measurement, bench

ENTRIES: Final = int(os.environ.get("VIGIL_BENCH_ENTRIES", "1000000"))
PAGE: Final = 2000
START: Final = datetime(2025, 1, 1, tzinfo=UTC)
SPACE: Final = "https://hashsharing.ncmec.org/hashsharing/v2"


@bench(name="exchange_import", at_most=180.0, unit="seconds")
def exchange_import(seed: int) -> Measurement:
    """A million entries with four fingerprints each, from nothing, to the mirror digest computed."""
    return _measured(seed, "import")


@bench(name="exchange_reimport", at_most=30.0, unit="seconds")
def exchange_reimport(seed: int) -> Measurement:
    """The same list fetched whole again, nothing changed: every page is fetched and compared."""
    return _measured(seed, "again")


@bench(name="exchange_reimport_repaged", unit="seconds")
def exchange_reimport_repaged(seed: int) -> Measurement:
    """The same, cut into pages of another size, so that every record is read and compared. Recorded, nothing promised."""
    return _measured(seed, "repaged")


def _measured(seed: int, what: str) -> Measurement:
    found = _run(seed)
    conditions = {"entries": ENTRIES, "fingerprints": 4, "page": PAGE, "database": "PostgreSQL, throw-away"}
    conditions |= {name: value for name, value in found.items() if name != what}
    return Measurement(found[what], conditions, [found[what]])


@functools.cache
def _run(seed: int) -> dict[str, Any]:
    """The figures of one run, which all benchmarks here share."""
    command = [sys.executable, "tools/postgres.py", "run", "--", sys.executable, "-m", "benchmarks.exchange", str(seed)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def write_pages(folder: Path, number: int, size: int) -> int:
    """Pages of made-up entries, as the service would send them; gives how many."""
    pages = (number + size - 1) // size
    for page in range(pages):
        first, end = page * size, min((page + 1) * size, number)
        body = "".join(_entry(n) for n in range(first, end))
        following = f"/v2/entries?start={end}&amp;size={size}&amp;max={number}&amp;page={page + 1}" if end < number else ""
        paging = f"<paging><next>{following}</next></paging>" if following else "<paging/>"
        text = f'<queryResult xmlns="{SPACE}"><images count="{end - first}" maxTimestamp="2025-01-01T00:00:00Z">{body}</images>'
        (folder / f"{page}.xml").write_text(f"{text}<videos/>{paging}</queryResult>")
    return pages


def _entry(n: int) -> str:
    wide = hashlib.sha512(n.to_bytes(8, "big")).hexdigest()
    stamp = (START + timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'<image><member id="{n % 90}">Zorblat</member><timestamp>{stamp}</timestamp><id>e{n}</id>'
        f"<classification>A{n % 2 + 1}</classification><fingerprints><md5>{wide[:32]}</md5><sha1>{wide[:40]}</sha1>"
        f"<pdq>{wide[64:]}</pdq><pdna>{wide[:120]}</pdna></fingerprints></image>"
    )


def serve(folder: Path) -> None:
    """The service: pages from files, by number."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = parse_qs(urlsplit(self.path).query).get("page", ["0"])[0]
            body = (folder / f"{int(page)}.xml").read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()


def _imports(folder: Path, other: Path) -> dict[str, Any]:
    """Import, import again, import in other pages; seconds of each."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "vigil.hotline.settings.test"
    import django

    django.setup()
    from django.core.management import call_command

    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.sources import fetching, ncmec
    from vigil.hotline.partners.sources.actions import do_add_source, do_change_source
    from vigil.hotline.partners.sources.models import ImportedEntry, ImportedFingerprint, Source, SourceKind
    from vigil.hotline.partners.sources.record import Place

    ncmec.MOST_IN_RANGE = 10**9  # type: ignore[misc]  # the service here has one range
    call_command("migrate", interactive=False, verbosity=0)
    source, found = None, {}
    for name, pages in (("import", folder), ("again", folder), ("repaged", other)):
        service = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.exchange", "serve", str(pages)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        address = f"http://127.0.0.1:{service.stdout.readline().strip()}"  # type: ignore[union-attr]
        if source is None:
            place = Place(address, {"user": "zorblat", "password": "quimber"})
            source = do_add_source(OPERATOR, "bench", SourceKind.NCMEC, place, {"requests_a_minute": 6000})
        else:
            do_change_source(OPERATOR, source, address=address)
        Source.objects.filter(pk=source.pk).update(whole_at=None, requests_a_minute=0)
        started, ours, theirs = time.perf_counter(), time.process_time(), _database_seconds()
        claimed = fetching.claim(source)
        if claimed is None:
            raise RuntimeError("the source is taken")
        tally = fetching.fetch(claimed)
        found[name] = round(time.perf_counter() - started, 1)
        found[f"{name}_processor_python"] = round(time.process_time() - ours, 1)
        found[f"{name}_processor_postgresql"] = round(_database_seconds() - theirs, 1)
        service.communicate("")
        source.refresh_from_db()
        if source.failures or source.mirror_entries != ENTRIES or (name != "import" and tally.altered):
            raise RuntimeError(f"{name}: {source.error_text} {source.mirror_entries} {tally}")
    found["entries_kept"] = ImportedEntry.objects.count()
    found["fingerprints_kept"] = ImportedFingerprint.objects.count()
    return found


def _database_seconds() -> float:
    """Processor time of all processes of the server so far, its own children that ended included (Linux)."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_read_file('postmaster.pid', 0, 20)")
        server = int(cursor.fetchone()[0].split()[0])
    ticks = sum(_ticks(stat) for stat in Path("/proc").glob("[0-9]*/stat") if _belongs(stat, server))
    return ticks / os.sysconf("SC_CLK_TCK")


def _belongs(stat: Path, server: int) -> bool:
    fields = _fields(stat)
    return bool(fields) and (int(fields[1]) == server or stat.parent.name == str(server))


def _ticks(stat: Path) -> int:
    """User and system time of a process, and of its children that have ended."""
    return sum(int(each) for each in _fields(stat)[11:15])


def _fields(stat: Path) -> list[str]:
    """The fields of ``/proc/PID/stat`` from the state on; none where the process is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _peer(folder: Path, pages: int) -> float:
    """What the public client needs to parse the same pages, keeping nothing."""
    import xml.etree.ElementTree as ET

    from threatexchange.exchanges.clients.ncmec import hash_api

    started = time.perf_counter()
    for page in range(pages):
        reading = ET.iterparse(folder / f"{page}.xml")
        for _, element in reading:
            element.tag = element.tag.rpartition("}")[2]
        hash_api.GetEntriesResponse.from_xml(hash_api._XMLWrapper(reading.root), 0)  # type: ignore[attr-defined]
    return round(time.perf_counter() - started, 1)


def main(arguments: list[str]) -> None:
    if arguments[0] == "serve":
        serve(Path(arguments[1]))
        return
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        pages = write_pages(Path(first), ENTRIES, PAGE)
        write_pages(Path(second), ENTRIES, PAGE * 3 // 4)
        found = _imports(Path(first), Path(second))
        print(json.dumps({**found, "public_client_parses_in": _peer(Path(first), pages)}))


if __name__ == "__main__":
    main(sys.argv[1:])
