"""The table ``[rpz]`` of the node's file."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Final, Literal

from vigil.base.errors import InputError
from vigil.edge.rpz.policy import Policy
from vigil.edge.rpz.tsig import ALGORITHMS, Key, Secret
from vigil.edge.tables import Rule, Table, are_networks, endpoint_of, is_address, is_loopback

ZONE_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
KEY_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,250}[a-z0-9_])?")
SECRET_BYTES_LEAST: Final = 16
SECRET_BYTES_MOST: Final = 4096
KEY_LINE: Final = re.compile(r'key\s+"?(?P<name>[^"\s{]+)"?\s*\{(?P<body>[^}]*)\}', re.DOTALL)


class Rpz(Table, frozen=True, kw_only=True):
    """The hidden primary: which names the policy zone may hold, who may transfer it, who is told that it changed.

    ``names``: files of names. ``keys_file``: TSIG keys as ``tsig-keygen`` writes them. ``secondaries``: networks.
    ``notify``: secondaries as ``address`` or ``address:port``. ``versions``: how many steps back an IXFR can begin.
    ``file``: also written there at each change, then ``reload`` is run.
    """

    enabled: bool = False
    names: tuple[str, ...] = ()
    zone: str = "v"
    host: str = "127.0.0.1"
    port: int = 5354
    open_to_network: bool = False
    secondaries: tuple[str, ...] = ("127.0.0.0/8", "::1")
    keys_file: str | None = None
    notify: tuple[str, ...] = ()
    notify_key: str | None = None
    tls_port: int | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_clients: str | None = None
    answer: Literal["nxdomain", "nodata", "page"] = "nxdomain"
    page_addresses: tuple[str, ...] = ()
    ttl_seconds: int = 30
    refresh_seconds: int = 60
    retry_seconds: int = 30
    expire_seconds: int = 28 * 86400
    poll_seconds: float = 1.0
    versions: int = 100
    transfers: int = 16
    connections: int = 200
    idle_seconds: float = 30.0
    file: str | None = None
    reload: tuple[str, ...] = ()
    reload_seconds: float = 20.0

    def policy(self) -> Policy:
        """What all versions of the zone share."""
        return Policy(
            self.ttl_seconds,
            self.refresh_seconds,
            self.retry_seconds,
            self.expire_seconds,
            self.answer,
            self.page_addresses,
        )


def rpz_rules(rpz: Rpz) -> list[Rule]:
    """One row a rule."""
    secondaries = [endpoint_of(each) for each in rpz.notify]
    tls = (rpz.tls_port is None, rpz.tls_certificate is None, rpz.tls_key is None)
    return [
        ("rpz.names", bool(rpz.names) or not rpz.enabled, "Name at least one file of names, such as an exported rpz.zone."),
        ("rpz.zone", bool(ZONE_NAME.fullmatch(rpz.zone)), "Use one label of small letters, digits and hyphens; a short one."),
        ("rpz.host", is_address(rpz.host), "Give an IP address; on a host with several, the one that is asked."),
        (
            "rpz.host",
            is_loopback(rpz.host) or rpz.keys_file is not None or rpz.open_to_network,
            "Set rpz.keys_file, or rpz.open_to_network = true if whoever is in rpz.secondaries may have the names unsigned.",
        ),
        ("rpz.port", 0 <= rpz.port <= 65535, "Use 0 to 65535; 0 takes any free port."),
        ("rpz.secondaries", are_networks(rpz.secondaries), "Name addresses or networks such as 10.0.0.0/24."),
        ("rpz.notify", None not in secondaries and len(secondaries) <= 64, 'Name at most 64 such as "192.0.2.53:53".'),
        ("rpz.notify_key", rpz.notify_key is None or rpz.keys_file is not None, "Set rpz.keys_file too."),
        ("rpz.tls_port", all(tls) or not any(tls), "Set tls_port, tls_certificate and tls_key, or none of them."),
        ("rpz.tls_port", rpz.tls_port is None or 0 <= rpz.tls_port <= 65535, "Use 0 to 65535."),
        ("rpz.tls_clients", rpz.tls_clients is None or rpz.tls_port is not None, "Set rpz.tls_port too."),
        ("rpz.page_addresses", _are_page_addresses(rpz), 'Name 1 to 8 IP addresses where rpz.answer is "page", else none.'),
        ("rpz.reload", not rpz.reload or rpz.file is not None, "Set rpz.file too."),
        ("rpz.versions", 0 <= rpz.versions <= 10_000, "Use 0 to 10000."),
        ("rpz.transfers", 1 <= rpz.transfers <= 1000, "Use 1 to 1000."),
        ("rpz.connections", 1 <= rpz.connections <= 100_000, "Use 1 to 100000."),
        *((f"rpz.{name}", low <= value <= high, f"Use {low:g} to {high:g} seconds.") for name, value, low, high in _times(rpz)),
    ]


def _times(rpz: Rpz) -> list[tuple[str, float, float, float]]:
    return [
        ("ttl_seconds", rpz.ttl_seconds, 1, 3600),
        ("refresh_seconds", rpz.refresh_seconds, 1, 86400),
        ("retry_seconds", rpz.retry_seconds, 1, 86400),
        ("expire_seconds", rpz.expire_seconds, 3600, 365 * 86400),
        ("poll_seconds", rpz.poll_seconds, 0.05, 3600),
        ("idle_seconds", rpz.idle_seconds, 0.1, 600),
        ("reload_seconds", rpz.reload_seconds, 0.1, 600),
    ]


def _are_page_addresses(rpz: Rpz) -> bool:
    fits = 1 <= len(rpz.page_addresses) <= 8 if rpz.answer == "page" else not rpz.page_addresses
    return fits and all(map(is_address, rpz.page_addresses))


def read_keys(path: Path) -> dict[str, Key]:
    """The keys of a file in the syntax of ``tsig-keygen``: ``key "name" { algorithm …; secret "…"; };``, one or several."""
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable("It cannot be read.") from error
    found = [_key(each["name"], each["body"]) for each in KEY_LINE.finditer(text)]
    left = KEY_LINE.sub("", text).replace(";", "").strip()
    if not found or left or len({key.name for key in found}) < len(found):
        raise _unusable("It holds no key, a key twice, or something else.")
    return {key.name: key for key in found}


def _key(name: str, body: str) -> Key:
    words = body.replace(";", " ; ").split()
    fields = {words[at]: words[at + 1].strip('"') for at in range(0, len(words) - 2, 3) if words[at + 2] == ";"}
    name = name.removesuffix(".").lower()
    if len(words) != 6 or set(fields) != {"algorithm", "secret"} or not KEY_NAME.fullmatch(name):
        raise _unusable("A key needs a name, an algorithm and a secret.")
    if fields["algorithm"] not in ALGORITHMS:
        raise _unusable(f"A key has another algorithm than {', '.join(ALGORITHMS)}.")
    try:
        secret = base64.b64decode(fields["secret"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unusable("A secret is not Base64.") from error
    if not SECRET_BYTES_LEAST <= len(secret) <= SECRET_BYTES_MOST:
        raise _unusable(f"A secret must have {SECRET_BYTES_LEAST} to {SECRET_BYTES_MOST} bytes.")
    return Key(name, fields["algorithm"], Secret(secret))


def _unusable(what: str) -> InputError:
    said = f"The file of TSIG keys cannot be used. {what}"
    return InputError("keys_unusable", said, where="rpz.keys_file", mend="Make it with: tsig-keygen NAME")
