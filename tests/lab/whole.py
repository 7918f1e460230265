"""The whole lab over one edition: a node of two workers with its doors open, and Squid, nginx, BIND and PowerDNS in front of it.

``make lab`` starts it and says where everything is; the test beside it asks all of them and looks at the block page in a browser.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.edge.rpz.field import SECRET
from tests.edge.rpz.resolvers import bind_secondary, powerdns
from tests.edge.world import LISTS, Hotline, config_text, served, until, url_entry
from tests.lab import peers
from tests.lab.peers import free_port, program, started, with_access
from tests.support.nginx import configured

from vigil.base.clock import SystemClock
from vigil.editions import selftest
from vigil.editions.model import ListInfo
from vigil.match.urls import Scope

PAGE = "http://quimber.example/zorblat"
KEY = f'key "vigil" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'
GUIDES = Path(__file__).parents[2] / "docs" / "guides"
SQUID = """
http_port 127.0.0.1:{port}
cache_peer 127.0.0.1 parent {origin} 0 no-query no-digest originserver
never_direct allow all
cache deny all
shutdown_lifetime 0 seconds
pinger_enable off
pid_filename none
netdb_filename none
cache_log {place}/cache.log
visible_hostname lab.example
http_access allow localhost
"""
NGINX = """
  server {{
    listen 127.0.0.1:{port};
    {rules}
  }}
"""
NODE = """
[listen]
port = {node}
workers = 2
[icap]
enabled = true
port = {icap}
[forward_auth]
proxies = ["nginx", "squid"]
[dns]
enabled = true
port = {dns}
[rpz]
enabled = true
port = {rpz}
names = ["{names}"]
keys_file = "{keys}"
notify = ["127.0.0.1:{bind}"]
poll_seconds = 0.2
[screen]
enabled = true
without_help = true
terms_file = "{terms}"
[[certify.doors]]
kind = "proxy"
name = "squid"
address = "http://127.0.0.1:{squid}"
[[certify.doors]]
kind = "site"
name = "nginx"
address = "http://127.0.0.1:{nginx}"
[[certify.doors]]
kind = "resolver"
name = "bind"
address = "127.0.0.1:{bind}"
"""


@dataclass
class Lab:
    """What runs, and where."""

    hotline: Hotline
    config: Path
    ports: dict[str, int]


@contextmanager
def lab(folder: Path) -> Iterator[Lab]:
    """Everything, until the block ends."""
    ports = {name: free_port() for name in ("node", "icap", "dns", "rpz", "squid", "nginx", "bind")}
    hotline = Hotline(folder, SystemClock().now())
    with ExitStack() as running:
        running.enter_context(served(hotline))
        publish(hotline)
        origin = running.enter_context(peers.origin())
        upstream = running.enter_context(nobody_knows())
        config = write_config(hotline, folder, ports)
        running.enter_context(node(config, ports["node"]))
        running.enter_context(squid(running.enter_context(peers.folder()), ports, origin.port))
        running.enter_context(nginx(running.enter_context(peers.folder()), ports, origin.port))
        place = folder / "bind"
        place.mkdir()
        running.enter_context(bind_secondary(place, ports["rpz"], f"127.0.0.1:{upstream}", ports["bind"]))
        place = folder / "powerdns"
        place.mkdir()
        recursor = running.enter_context(powerdns(place, ports["rpz"], f"127.0.0.1:{upstream}"))
        ports["powerdns"] = recursor.port
        with config.open("a") as file:  # the self-test reads the file anew; the node does not need it
            file.write(f'[[certify.doors]]\nkind = "resolver"\nname = "powerdns"\naddress = "127.0.0.1:{recursor.port}"\n')
        yield Lab(hotline, config, ports)


def publish(hotline: Hotline, *more: int) -> int:
    """The lab's edition: a page, a host, the test list; ``more`` numbers of further pages."""
    entries = [url_entry(1, PAGE), url_entry(2, "http://host.example/", Scope.HOST)]
    entries += [url_entry(number, f"http://more{number}.example/") for number in more]
    lists = (*LISTS, ListInfo(selftest.LIST, "test"))
    return hotline.publish(*entries, *selftest.url_entries(), *selftest.hash_entries(), lists=lists)


def write_config(hotline: Hotline, folder: Path, ports: dict[str, int]) -> Path:
    terms = {"list": selftest.LIST, "terms": [{"entry": selftest.FIRST_ENTRY + 3, "text": selftest.TERM, "labels": ["test"]}]}
    files = {"names": f"host.example\n{selftest.HOST}\n", "keys": KEY, "terms": json.dumps(terms)}
    for name, text in files.items():
        (folder / f"{name}.lab").write_text(text)
        (folder / f"{name}.lab").chmod(0o600)
    named = {name: folder / f"{name}.lab" for name in files}
    config = folder / "edge.toml"
    config.write_text(config_text(hotline, folder / "state", NODE.format(**ports, **named)))
    return config


@contextmanager
def node(config: Path, port: int) -> Iterator[None]:
    """``vigil edge serve``, ready."""
    command = [sys.executable, "-m", "vigil.cli", "edge", "serve", "--config", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until(lambda: is_ready(port) or process.poll() is not None, 300)
        yield
    finally:
        process.terminate()
        process.wait(60)


def is_ready(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return connection.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


@contextmanager
def squid(place: Path, ports: dict[str, int], origin: int) -> Iterator[None]:
    rules = (GUIDES / "isp-squid.md").read_text().split("```squid\n")[1].partition("```")[0]
    rules = rules.replace(":1344", f":{ports['icap']}").replace("/var/log/squid", str(place)).replace("/etc/squid", str(place))
    config = place / "squid.conf"
    config.write_text(rules + SQUID.format(port=ports["squid"], origin=origin, place=place))
    shutil.copytree("/usr/share/squid/errors/templates", place / "vigil-errors")
    (place / "vigil-errors" / "vigil-blocked.html").write_text("<!doctype html><p>This page cannot be opened here.</p>")
    with started(with_access([program("squid"), "-N", "-f", str(config)]), ports["squid"], place):
        yield


@contextmanager
def nginx(place: Path, ports: dict[str, int], origin: int) -> Iterator[None]:
    rules = (GUIDES / "forward-auth.md").read_text().split("```nginx\n")[1].partition("```")[0]
    rules = rules.replace(":8470", f":{ports['node']}").replace(":8080", f":{origin}").replace("/etc/nginx", str(place))
    (place / "vigil-blocked.html").write_text("<!doctype html><title>Blocked</title>")
    command = configured(program("nginx"), place, NGINX.format(port=ports["nginx"], rules=rules))
    with started(command, ports["nginx"], place):
        yield


@contextmanager
def nobody_knows() -> Iterator[int]:
    """A name server that knows no name: every answer is the root's denial. Stands for the outside, which the lab never asks."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        stopped = threading.Event()

        def answer() -> None:
            while not stopped.is_set():
                try:
                    asked, client = server.recvfrom(4096)
                except TimeoutError:
                    continue
                end = asked.index(b"\0", 12) + 5
                soa = b"\0\0\6\0\1\0\0\0\1\0\x16\0\0" + b"\0\0\0\1" * 5
                server.sendto(asked[:2] + b"\x81\x83\0\1\0\0\0\1\0\0" + asked[12:end] + soa, client)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopped.set()
            thread.join()
