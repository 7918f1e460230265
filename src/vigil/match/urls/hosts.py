"""What can be wrong with a host, and which names of one are kept although a parser stumbles over them."""

from __future__ import annotations

import re
from typing import Final

import idna

from vigil.match.urls.escapes import decode_once
from vigil.match.urls.refusal import Refusal

# The forbidden domain code points of the URL Standard.
FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]")
NUMERIC_LABEL: Final = re.compile(r"(?:[0-9]+|0[xX][0-9a-fA-F]*)\Z")
LABEL_BYTES: Final = 63
NAME_BYTES: Final = 253
# Code points that UTS #46 maps to nothing; a host may hold any number of them.
IGNORED: Final = re.compile(
    "[\u00ad\u034f\u180b-\u180d\u180f\u200b\u2060\u2064\ufe00-\ufe0f\ufeff\u206a-\u206f\U0001bca0-\U0001bca3\U000e0100-\U000e01ef]+"
)
# No name of 253 bytes has more code points than this, before composition shrinks it. The bound stands because the
# parser's Punycode step costs time with the square of the host: 1.1 s for 64 KiB of ideographs [measured].
HOST_CODE_POINTS: Final = 1024


def decoded_host(host: str) -> str:
    """The host as rule B7 reads it before IDNA: escapes decoded once, as UTF-8."""
    return decode_once(host.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def is_too_wide(host: str) -> bool:
    """True where the decoded host cannot become a name of 253 bytes however it is mapped."""
    return len(host) > HOST_CODE_POINTS and len(IGNORED.sub("", decoded_host(host))) > HOST_CODE_POINTS


def length_refusal(host: str) -> Refusal | None:
    """The refusal of a finished name by its length in octets, if any (RFC 1035)."""
    if len(host) > NAME_BYTES or max(map(len, host.split("."))) > LABEL_BYTES:
        return Refusal.HOST_LENGTH
    return None


def ends_in_number(host: str) -> bool:
    """The last label, one final dot aside, is a number: the parser then wants an IPv4 address (rule B8)."""
    return NUMERIC_LABEL.match(host.removesuffix(".").rpartition(".")[2]) is not None


def plain_name_of(host: str) -> str | None:
    """The ASCII name of a host with an invalid A-label, which browsers keep as it is; None for any other host."""
    name = decoded_host(host).lower()
    if not name.isascii() or FORBIDDEN.search(name) or ends_in_number(name):
        return None
    return name if any(label.startswith("xn--") for label in name.split(".")) else None


def refusal_of(host: str) -> Refusal:
    """The class of a host that the parser refused; the first rule in order names it."""
    if host.startswith("["):
        return Refusal.HOST_IPV6
    name = decoded_host(host)
    if not IGNORED.sub("", name):
        return Refusal.HOST_EMPTY
    if FORBIDDEN.search(name):
        return Refusal.HOST_CODE_POINT
    try:
        mapped = idna.uts46_remap(name, std3_rules=False)
    except idna.IDNAError:
        return Refusal.HOST_IDNA
    return _mapped_refusal(mapped)


def _mapped_refusal(mapped: str) -> Refusal:
    if not mapped:
        return Refusal.HOST_EMPTY
    if FORBIDDEN.search(mapped):
        return Refusal.HOST_CODE_POINT
    return Refusal.HOST_IPV4 if ends_in_number(mapped) else Refusal.HOST_IDNA
