"""Why an address has no canonical form. A class of refusal, never anything of the address itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from vigil.base.errors import InputError


class Refusal(StrEnum):
    """The classes of docs/spec/canonical-url.md §6; the value is the ``code`` of the error and the reason of ``unknown``."""

    SURROGATE = "surrogate"
    TOO_LONG = "too_long"
    SCHEME = "scheme"
    PORT = "port"
    HOST_EMPTY = "host_empty"
    HOST_CODE_POINT = "host_code_point"
    HOST_IDNA = "host_idna"
    HOST_IPV4 = "host_ipv4"
    HOST_IPV6 = "host_ipv6"
    HOST_LENGTH = "host_length"


_WHAT: Final[dict[Refusal, str]] = {
    Refusal.SURROGATE: "The address holds half a character.",
    Refusal.TOO_LONG: "The address is too long.",
    Refusal.SCHEME: "The address does not start with http:, https:, ws: or wss:.",
    Refusal.PORT: "The port of the address is not a number from 0 to 65535.",
    Refusal.HOST_EMPTY: "The address names no host.",
    Refusal.HOST_CODE_POINT: "The host holds a character that no host may hold.",
    Refusal.HOST_IDNA: "The host is not a valid international name.",
    Refusal.HOST_IPV4: "The host ends in a number but is not an IPv4 address.",
    Refusal.HOST_IPV6: "The host is not a valid IPv6 address.",
    Refusal.HOST_LENGTH: "A part of the host is longer than 63 bytes, or the host longer than 253.",
}


class UrlRefused(InputError):  # noqa: N818  # the name other rooms agreed on
    """No browser would fetch this address; ``code`` is the value of a :class:`Refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value, _WHAT[refusal], mend="Check the address and give it again.")
        self.refusal = refusal

    def __reduce__(self) -> tuple[type[UrlRefused], tuple[Refusal]]:
        return (UrlRefused, (self.refusal,))
