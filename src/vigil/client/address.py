"""Where the node is: a base address and a token, checked once, at start. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from vigil.base.errors import InputError
from vigil.base.redaction import Sealed

HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}")
PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
TOKEN: Final = re.compile(r"[!-~]{1,4096}")
PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """Scheme, host, port and path of a node (or of the load balancer before several), and the token it wants."""

    tls: bool
    host: str
    port: int
    path: str
    authority: str
    token: Sealed[str] | None = field(repr=False)

    @classmethod
    def of(cls, base_url: str, token: str | None, *, plain_http: bool) -> NodeAddress:
        """Read ``https://host[:port][/path]``. Plain HTTP beyond this machine is a choice in writing."""
        try:
            parts = urlsplit(base_url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise _refused() from None
        odd = parts.query or parts.fragment or parts.username is not None or port == 0
        if parts.scheme not in PORTS or odd or not _is_host(host) or PATH.fullmatch(parts.path) is None:
            raise _refused()
        if parts.scheme == "http" and not plain_http and not _is_loopback(host):
            raise InputError(
                "plain_http",
                "Addresses, hashes and the token would travel unprotected.",
                where="base_url",
                mend="Use https, or give plain_http=True for a network that you trust.",
            )
        if token is not None and TOKEN.fullmatch(token) is None:
            raise InputError("token_malformed", "The token is not one line of visible ASCII.", where="token")
        name = f"[{host}]" if ":" in host else host
        authority = name if port is None else f"{name}:{port}"
        sealed = None if token is None else Sealed(token)
        return cls(parts.scheme == "https", host, port or PORTS[parts.scheme], parts.path.rstrip("/"), authority, sealed)


def _refused() -> InputError:
    return InputError("base_url", "The address of the node cannot be used.", where="base_url", mend="Give https://host[:port][/path].")


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return HOST.fullmatch(host) is not None
    return True


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
