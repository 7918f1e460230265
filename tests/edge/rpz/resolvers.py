"""Resolvers and secondaries from Debian that take the policy zone from a node, unprivileged on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.edge.dns.peers import Peer, bind, free_port, peer, program
from tests.edge.rpz.field import SECRET


@contextmanager
def bind_secondary(folder: Path, primary: int, upstream: str, port: int, tls: Path | None = None) -> Iterator[Peer]:
    """BIND as the guide configures it; with ``tls`` over TLS, ours being the authority in that file."""
    key = f'key "vigil" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'
    way = ""
    if tls is not None:
        key += f'tls vigil {{ ca-file "{tls}"; remote-hostname "primary.example"; }};\n'
        way = " tls vigil"
    host, _, upstream_port = upstream.partition(":")
    options = (
        f"recursion yes; allow-query {{ any; }}; forward only; forwarders {{ {host} port {upstream_port}; }}; "
        'response-policy { zone "v" log no max-policy-ttl 30 min-update-interval 0; } qname-wait-recurse no;'
    )
    zone = (
        f'{key}zone "v" {{ type secondary; primaries {{ 127.0.0.1 port {primary} key vigil{way}; }}; file "v.db"; '
        "allow-query { none; }; allow-transfer { none; }; };"
    )
    with bind(folder, options, zone, port) as server:
        yield server


@contextmanager
def powerdns(folder: Path, primary: int, upstream: str) -> Iterator[Peer]:
    """PowerDNS Recursor, which asks for the SOA every second."""
    port = free_port()
    (folder / "policy.lua").write_text(
        f'rpzPrimary("127.0.0.1:{primary}", "v", {{tsigname="vigil", tsigalgo="hmac-sha256", tsigsecret="{SECRET}", refresh=1, '
        'extendedErrorCode=15, extendedErrorExtra="Ask the operator.", includeSOA=true})\n'
    )
    (folder / "recursor.conf").write_text(
        f"local-address=127.0.0.1\nlocal-port={port}\nsocket-dir={folder}\ndaemon=no\nforward-zones-recurse=.={upstream}\n"
        f"lua-config-file={folder}/policy.lua\ndnssec=off\nthreads=1\npacketcache-ttl=0\nquiet=yes\nserve-rfc1918=no\n"
        "security-poll-suffix=\ndont-query=\n"
    )
    with peer(port, program("pdns_recursor", "pdns-recursor"), f"--config-dir={folder}") as server:
        yield server


@contextmanager
def knot(folder: Path, primary: int, port: int) -> Iterator[Peer]:
    """Knot DNS as a secondary that hands the zone on."""
    conf = folder / "knot.conf"
    conf.write_text(
        f"""server:
  rundir: "{folder}"
  listen: 127.0.0.1@{port}
log:
  - target: stdout
    any: warning
database:
  storage: "{folder}"
key:
  - id: vigil
    algorithm: hmac-sha256
    secret: {SECRET}
remote:
  - id: primary
    address: 127.0.0.1@{primary}
    key: vigil
acl:
  - id: told
    address: 127.0.0.1
    key: vigil
    action: notify
zone:
  - domain: v.
    storage: "{folder}"
    master: primary
    acl: told
"""
    )
    with peer(port, program("knotd", "knot"), "-c", str(conf)) as server:
        yield server


@contextmanager
def knot_resolver(folder: Path, zone: Path, upstream: str) -> Iterator[Peer]:
    """Knot Resolver, which reads the zone from a file."""
    port = free_port()
    host, _, upstream_port = upstream.partition(":")
    conf = folder / "kresd.conf"
    conf.write_text(
        f"net.listen('127.0.0.1', {port})\nmodules.load('policy')\ntrust_anchors.remove('.')\n"
        f"policy.add(policy.rpz(policy.DENY, '{zone}', false))\n"
        f"policy.add(policy.all(policy.FORWARD('{host}@{upstream_port}')))\n"
    )
    with peer(port, program("kresd", "knot-resolver"), "-n", "-c", str(conf), str(folder)) as server:
        yield server


@contextmanager
def unbound_with_file(folder: Path, zone: Path, upstream: str) -> Iterator[Peer]:
    """Unbound with the zone in a file and a control socket that takes ``auth_zone_reload``."""
    port = free_port()
    host, _, upstream_port = upstream.partition(":")
    (folder / "unbound.conf").write_text(
        f"""server:
  interface: 127.0.0.1@{port}
  do-daemonize: no
  use-syslog: no
  logfile: ""
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  num-threads: 1
  module-config: "respip validator iterator"
  trust-anchor-file: ""
  do-not-query-localhost: no
  local-zone: "example." transparent
rpz:
  name: "v."
  zonefile: "{zone}"
  rpz-log: no
  rpz-signal-nxdomain-ra: yes
remote-control:
  control-enable: yes
  control-interface: "{folder}/control"
forward-zone:
  name: "."
  forward-addr: {host}@{upstream_port}
"""
    )
    with peer(port, program("unbound", "unbound"), "-d", "-p", "-c", str(folder / "unbound.conf")) as server:
        yield server
