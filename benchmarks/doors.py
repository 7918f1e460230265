"""The doors of networks and platforms, one worker each, under a load generator of our own in C, beside Debian's programs.

The steadier figure is the CPU time of the server for one request, on which the promises stand; the rate on the wall clock
and the times to an answer are among the conditions. Needs cc, c-icap with its url check module, Squid, nginx and BIND.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks import million
from benchmarks.dns import LOAD_CORE, SERVER_CORE, TICKS
from benchmarks.harness import Measurement, bench
from benchmarks.icap import free_port, reqmod
from vigil.base.clock import SystemClock
from vigil.edge.spoe import wire
from vigil.edge.spoe.wire import FrameType, Kind
from vigil.editions.build import build_edition
from vigil.editions.keys import KeyRing
from vigil.editions.model import EditionContents, ListInfo, UrlEntry
from vigil.editions.publish import publish
from vigil.match.urls import Scope, canonical

URLS = million.URLS
REQUESTS = 50_000
CONNECTIONS = 32
SECONDS = 3
ROUNDS = 3
SOURCE = Path(__file__).parent / "load.c"
NODE = """node = "n-1"
state = "state"
[editions]
source = "published"
root = "root.json"
poll_seconds = {poll}
[listen]
port = {port}
"""


@dataclass(frozen=True)
class Run:
    """One run of the load generator: answers, seconds, microseconds to an answer, and the server's CPU seconds for one."""

    answers: int
    seconds: float
    p50_us: float
    p99_us: float
    cpu: float


@dataclass(frozen=True)
class World:
    """A folder with an edition in it."""

    folder: Path
    keys: KeyRing

    def publish(self, number: int, entries: Sequence[UrlEntry]) -> None:
        """Put an edition into force."""
        now = SystemClock().now()
        contents = EditionContents((ListInfo("urls", "url"),), tuple(entries), ())
        built = build_edition(contents, number=number, previous=number - 1 or None, issued_at=now - timedelta(seconds=1))
        publish(self.folder / "published", built, self.keys, now)

    def config(self, tables: str, poll: float = 3600.0) -> tuple[Path, int]:
        """The file of a node, and the port of its HTTP door."""
        port = free_port()
        (self.folder / "edge.toml").write_text(NODE.format(poll=poll, port=port) + tables)
        return self.folder / "edge.toml", port


@contextmanager
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="vigil-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "root.json").write_bytes(million.keys().root)
        yield World(folder, million.keys())


@contextmanager
def server(command: Sequence[str], port: int, cores: set[int] | None = None, log: Path | None = None) -> Iterator[int]:
    """A program until the end of the block, once its port answers: its process number."""
    with ExitStack() as stack:
        said = stack.enter_context(log.open("wb")) if log else subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        os.sched_setaffinity(process.pid, cores or {SERVER_CORE})
        try:
            await_port(process, port)
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def await_port(process: subprocess.Popen[bytes], port: int) -> None:
    pause = threading.Event()
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            pause.wait(0.1)
        else:
            return
    raise AssertionError("the server did not start")


def node(config: Path, log: Path | None = None) -> tuple[list[str], Path | None]:
    return [sys.executable, "-m", "vigil.cli", "edge", "serve", "--config", str(config)], log


def await_edition(port: int) -> None:
    pause = threading.Event()
    while not _ready(port):
        pause.wait(0.2)


def _ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
            stream.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return stream.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def cpu_seconds(process: int) -> float:
    """User and system time of a process and its children that still run."""
    total, left = 0.0, [process]
    while left:
        number = left.pop()
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS
        left += [int(child) for child in Path(f"/proc/{number}/task/{number}/children").read_text().split()]
    return total


class Load:
    """The load generator, compiled into a folder."""

    def __init__(self, folder: Path) -> None:
        self._program = folder / "load"
        subprocess.run(["cc", "-O2", "-o", str(self._program), str(SOURCE)], check=True)

    def run(self, process: int, port: int, requests: Path, mode: str = "lines", connections: int = CONNECTIONS) -> Run:
        """One run against ``process`` at ``port``."""
        before = cpu_seconds(process)
        command = ["taskset", "-c", str(LOAD_CORE), str(self._program), str(port), str(connections), str(SECONDS)]
        said = json.loads(subprocess.run([*command, str(requests), mode], capture_output=True, check=True).stdout)
        return Run(
            said["answers"], said["seconds"], said["p50_us"], said["p99_us"], (cpu_seconds(process) - before) / said["answers"]
        )

    def runs(self, process: int, port: int, requests: Path, mode: str = "lines") -> list[Run]:
        """Several, after one to warm up."""
        return [self.run(process, port, requests, mode) for _ in range(ROUNDS + 1)][1:]


def kept(path: Path, requests: Sequence[bytes]) -> Path:
    """Requests in the file that the load generator reads."""
    path.write_bytes(b"".join(len(each).to_bytes(4, "big") + each for each in requests))
    return path


def measured(ours: list[Run], theirs: list[Run] | None = None, **conditions: object) -> Measurement:
    """Requests a second of CPU; against a peer the ratio of its CPU for a request to ours."""
    cost = statistics.median(run.cpu for run in ours)
    found: dict[str, object] = {
        "urls": URLS,
        "connections": CONNECTIONS,
        "requests_a_second": [round(run.answers / run.seconds) for run in ours],
        "cpu_us": [round(run.cpu * 1e6, 1) for run in ours],
        "p50_us": [run.p50_us for run in ours],
        "p99_us": [run.p99_us for run in ours],
    }
    if theirs is None:
        return Measurement(1 / cost, found | conditions, [run.cpu for run in ours])
    found["peer_requests_a_second"] = [round(run.answers / run.seconds) for run in theirs]
    ratio = statistics.median(run.cpu for run in theirs) / cost
    return Measurement(ratio, found | conditions, [run.cpu for run in ours], [run.cpu for run in theirs])


C_ICAP = """PidFile {folder}/c-icap.pid
CommandsSocket {folder}/c-icap.ctl
StartServers 1
MaxServers 1
MinSpareThreads 20
MaxSpareThreads 60
ThreadsPerChild 60
MaxKeepAliveRequests -1
KeepAliveTimeout 600
Port 127.0.0.1:{port}
TmpDir {folder}
DebugLevel 0
ModulesDir /usr/lib/x86_64-linux-gnu/c_icap
ServicesDir /usr/lib/x86_64-linux-gnu/c_icap
TemplateDir /usr/share/c_icap/templates/
LoadMagicFile /etc/c-icap/c-icap.magic
ServerLog {folder}/server.log
Service reqmod srv_url_check.so
url_check.LookupTableDB listed url hash:{folder}/listed "Listed pages"
url_check.Profile default block listed
url_check.Profile default pass ALL
"""


def addresses() -> list[bytes]:
    return [reqmod(f"other{n}.example") for n in range(REQUESTS)]


@contextmanager
def icap(place: World, load: Load) -> Iterator[list[Run]]:
    port = free_port()
    config, http = place.config(f"[icap]\nenabled = true\nport = {port}\n")
    with server(node(config)[0], port) as process:
        await_edition(http)
        if b"ICAP/1.0 200" not in exchanged(port, reqmod("site7.example")):
            raise AssertionError("a listed address passed")
        yield load.runs(process, port, kept(place.folder / "requests", addresses()))


def exchanged(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        stream.sendall(request)
        return stream.recv(65536)


@bench(name="icap_worker", at_least=20_000, unit="requests a second of CPU")
def icap_worker(seed: int) -> Measurement:
    """REQMOD for hosts that are not listed, a million addresses in force, one question outstanding on each connection."""
    with world() as place:
        million.put(place.folder, Scope.URL)
        with icap(place, Load(place.folder)) as runs:
            return measured(runs, seed=seed)


@bench(name="icap_urlcheck", against="c-icap with its url check module", at_least=0.5)
def icap_urlcheck(seed: int) -> Measurement:
    """The same beside c-icap, which is written in C: CPU for one request, theirs to ours."""
    with world() as place:
        million.put(place.folder, Scope.URL)
        load, port = Load(place.folder), free_port()
        with icap(place, load) as ours:
            pass
        (place.folder / "listed").write_text("".join(f"site{n}.example/page:\n" for n in range(URLS)))
        (place.folder / "c-icap.conf").write_text(C_ICAP.format(folder=place.folder, port=port))
        command = ["c-icap", "-N", "-f", str(place.folder / "c-icap.conf")]
        with server(command, port) as process:
            if b"ICAP/1.0 200" not in exchanged(port, reqmod("site7.example")):
                raise AssertionError("c-icap passed a listed address")
            theirs = load.runs(process, port, kept(place.folder / "requests", addresses()))
        return measured(ours, theirs, seed=seed)


def original(host: str) -> bytes:
    """As nginx asks."""
    return f"GET /auth/nginx HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Original-URI: http://{host}/page\r\n\r\n".encode()


@bench(name="forward_auth_worker", at_least=15_000, unit="requests a second of CPU")
def forward_auth_worker(seed: int) -> Measurement:
    """nginx's question for hosts that are not listed."""
    with world() as place:
        million.put(place.folder, Scope.URL)
        config, http = place.config('[forward_auth]\nproxies = ["nginx"]\n')
        with server(node(config)[0], http) as process:
            await_edition(http)
            if b"HTTP/1.1 403" not in exchanged(http, original("site7.example")):
                raise AssertionError("a listed address passed")
            requests = kept(place.folder / "requests", [original(f"other{n}.example") for n in range(REQUESTS)])
            return measured(Load(place.folder).runs(process, http, requests), seed=seed)


def notify(number: int, host: str) -> bytes:
    """As HAProxy asks."""
    pairs = [(b"method", b"GET"), (b"target", b"/page"), (b"host", host.encode()), (b"tls", False)]
    payload = wire.string(b"check-request") + bytes((len(pairs),))
    payload += b"".join(wire.string(name) + wire.typed(value, Kind.STRING) for name, value in pairs)
    return wire.frame(FrameType.NOTIFY, number, 1, payload)


def hello() -> bytes:
    pairs = wire.string(b"supported-versions") + wire.typed(b"2.0", Kind.STRING)
    pairs += wire.string(b"max-frame-size") + wire.typed(16380, Kind.UINT32)
    return wire.frame(FrameType.HAPROXY_HELLO, 0, 0, pairs + wire.string(b"capabilities") + wire.typed(b"", Kind.STRING))


@bench(name="spoe_worker", unit="requests a second of CPU")
def spoe_worker(seed: int) -> Measurement:
    """HAProxy's question for hosts that are not listed."""
    with world() as place:
        million.put(place.folder, Scope.URL)
        port = free_port()
        config, http = place.config(f"[spoe]\nenabled = true\nport = {port}\n")
        with server(node(config)[0], port) as process:
            await_edition(http)
            asked = [hello(), *(notify(n, f"other{n}.example") for n in range(REQUESTS))]
            return measured(Load(place.folder).runs(process, port, kept(place.folder / "requests", asked), "frames"), seed=seed)


NGINX = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 512; }}
http {{ access_log off; keepalive_requests 1000000;
server {{ listen 127.0.0.1:{port}; location / {{ return 200 "the origin"; }} }}
client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
scgi_temp_path {folder}/e; }}
"""
SQUID = """http_port 127.0.0.1:{port}
pid_filename none
cache_effective_user proxy
cache deny all
access_log none
cache_log {folder}/squid.log
cache_store_log none
netdb_filename none
http_access allow all
cache_peer 127.0.0.1 parent {origin} 0 no-query no-digest originserver
never_direct allow all
server_persistent_connections on
shutdown_lifetime 0 seconds
"""
THROUGH_ICAP = """icap_enable on
icap_connect_timeout 1 second
icap_service vigil reqmod_precache icap://127.0.0.1:{icap}/reqmod bypass=off on-overload=wait
adaptation_access vigil allow all
icap_log none
"""
ASKED = """local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "http://other" .. (n % 50000) .. ".example/page", {{["Host"] = "other" .. (n % 50000) .. ".example"}})
end
"""


@dataclass(frozen=True)
class Through:
    """What wrk saw of a proxy: requests a second and the slowest of a hundred, in milliseconds."""

    rate: float
    p99_ms: float


def through(port: int, script: Path, connections: int) -> Through:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", str(script), f"http://127.0.0.1:{port}/"]
    said = subprocess.run(["taskset", "-c", str(LOAD_CORE), *command], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise AssertionError(f"the proxy refused: {said}")
    value, unit = re.findall(r"99%\s+([\d.]+)(us|ms|s)", said)[0]
    return Through(
        float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]), float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    )


def squids(connections: int) -> tuple[list[Through], list[Through]]:
    """Squid with the node and Squid alone, in turn."""
    with world() as place, ExitStack() as stack:
        million.put(place.folder, Scope.URL)
        folder, icap_port, origin, alone, guarded = place.folder, free_port(), free_port(), free_port(), free_port()
        config, http = place.config(f"[icap]\nenabled = true\nport = {icap_port}\n")
        stack.enter_context(server(node(config)[0], icap_port, {LOAD_CORE}))
        await_edition(http)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=origin))
        stack.enter_context(server(["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], origin, {LOAD_CORE}))
        for name, port, more in (("alone", alone, ""), ("guarded", guarded, THROUGH_ICAP.format(icap=icap_port))):
            own = folder / name
            own.mkdir()
            shutil.chown(own, "proxy")
            (own / "squid.conf").write_text(SQUID.format(folder=own, port=port, origin=origin) + more)
            stack.enter_context(server(["/usr/sbin/squid", "-N", "-f", str(own / "squid.conf")], port))
        script = folder / "asked.lua"
        script.write_text(ASKED.format())
        listed = b"GET http://site7.example/page HTTP/1.1\r\nHost: site7.example\r\n\r\n"
        if b" 451 " not in exchanged(guarded, listed) or b" 200 " not in exchanged(alone, listed):
            raise AssertionError("Squid does not enforce the list")
        through(guarded, script, connections), through(alone, script, connections)
        pairs = [(through(guarded, script, connections), through(alone, script, connections)) for _ in range(ROUNDS)]
        return [each for each, _ in pairs], [each for _, each in pairs]


@bench(name="squid_with_vigil", against="Squid alone", at_least=0.5)
def squid_with_vigil(seed: int) -> Measurement:
    """Requests a second through Squid with the node, as a share of Squid alone; Squid on a core of its own."""
    ours, theirs = squids(32)
    ratio = statistics.median(each.rate for each in ours) / statistics.median(each.rate for each in theirs)
    conditions = {"requests_a_second": [each.rate for each in ours], "alone": [each.rate for each in theirs], "seed": seed}
    return Measurement(
        ratio, conditions | {"urls": URLS, "connections": 32}, [1 / e.rate for e in ours], [1 / e.rate for e in theirs]
    )


@bench(name="squid_added_p99", at_most=3.0, unit="ms", against="Squid alone")
def squid_added_p99(seed: int) -> Measurement:
    """What the node adds to the slowest of a hundred requests through Squid that is not saturated: two connections."""
    ours, theirs = squids(2)
    added = statistics.median(each.p99_ms for each in ours) - statistics.median(each.p99_ms for each in theirs)
    found, alone = [each.p99_ms / 1000 for each in ours], [each.p99_ms / 1000 for each in theirs]
    return Measurement(added, {"urls": URLS, "connections": 2, "seed": seed}, found, alone)


DOMAINS = 100_000
BIND = """key "vigil" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{ directory "{folder}"; pid-file none; session-keyfile none;
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  dnssec-validation no; recursion yes; allow-query {{ any; }}; forward only; forwarders {{ 127.0.0.1 port {dead}; }};
  response-policy {{ zone "v" log no max-policy-ttl 30 min-update-interval 0; }} qname-wait-recurse no; }};
controls {{ }};
zone "v" {{ type secondary; primaries {{ 127.0.0.1 port {primary} key vigil; }}; file "v.db"; allow-query {{ none; }}; }};
"""
SECRET = "emFibHF1aW1iZXJ6b3JibGF0bm9uc2Vuc2U="


def question(name: str) -> bytes:
    labels = b"".join(bytes((len(label),)) + label for label in name.encode().split(b"."))
    return b"\0\7\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


def is_enforced(port: int, name: str) -> bool:
    """NXDOMAIN; nothing else here says it, as the resolver behind BIND does not exist."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.05)
        client.connect(("127.0.0.1", port))
        try:
            client.send(question(name))
            return client.recv(4096)[3] & 15 == 3
        except OSError:
            return False


def instant(log: Path, event: str, edition: int) -> float:
    """When the node said so, in Unix seconds."""
    from datetime import datetime

    for line in log.read_text().splitlines():
        said = json.loads(line)
        if said["event"] == event and said.get("edition") == edition:
            return datetime.fromisoformat(said["timestamp"]).timestamp()
    raise AssertionError(f"the node did not say {event}")


@bench(name="rpz_to_bind", at_most=1.0, unit="s")
def rpz_to_bind(seed: int) -> Measurement:
    """From an edition in force to its enforcement in BIND: 100,000 domains among a million addresses, one more each time."""
    with world() as place, ExitStack() as stack:
        entries = [UrlEntry(n, "urls", canonical(f"http://site{n}.example/"), Scope.DOMAIN) for n in range(DOMAINS + ROUNDS + 1)]
        pages = [
            UrlEntry(n, "urls", canonical(f"http://page{n}.example/page"), Scope.URL) for n in range(2 * DOMAINS, URLS + DOMAINS)
        ]
        place.publish(1, [*entries[:DOMAINS], *pages])
        folder, rpz, port, log = place.folder, free_port(), free_port(), place.folder / "node.log"
        (folder / "names.txt").write_text("".join(f"{entry.url.host}\n" for entry in entries))
        (folder / "keys.conf").write_text(f'key "vigil" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n')
        table = f'[rpz]\nenabled = true\nport = {rpz}\nnames = ["names.txt"]\nkeys_file = "keys.conf"\n'
        table += f'notify = ["127.0.0.1:{port}"]\n'
        config, http = place.config(table, poll=0.2)
        stack.enter_context(server(node(config)[0], http, log=log))
        await_edition(http)
        (folder / "named.conf").write_text(BIND.format(folder=folder, port=port, dead=free_port(), primary=rpz, secret=SECRET))
        stack.enter_context(server(["named", "-g", "-n", "1", "-c", str(folder / "named.conf")], port, {LOAD_CORE}))
        took = [enforced_after(place, port, log, entries, pages, number) for number in range(2, ROUNDS + 3)][1:]
        return Measurement(statistics.median(took), {"urls": DOMAINS + len(pages), "domains": DOMAINS, "seed": seed}, took)


def enforced_after(place: World, port: int, log: Path, entries: list[UrlEntry], pages: list[UrlEntry], number: int) -> float:
    """Seconds from edition ``number`` being in force to its new name being enforced."""
    pause, added = threading.Event(), entries[DOMAINS + number - 2].url.host
    while not is_enforced(port, f"n{number}.{entries[0].url.host}"):
        pause.wait(0.05)
    place.publish(number, [*entries[: DOMAINS + number - 1], *pages])
    asked = 0
    while not is_enforced(port, f"n{(asked := asked + 1)}.{added}"):
        pause.wait(0.01)
    done = SystemClock().now().timestamp()
    return done - instant(log, "edition_in_force", number)
