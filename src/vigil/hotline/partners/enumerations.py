"""Enumerations of this room (facts: data model, section 5)."""

from __future__ import annotations

from enum import StrEnum


class PartnerKind(StrEnum):
    """``party_kind`` of the data model, as far as lists are handed to them."""

    HOST = "host"
    CDN = "cdn"
    REGISTRAR = "registrar"
    REGISTRY = "registry"
    PLATFORM = "platform"
    ISP = "isp"
    PAYMENT = "payment"
    SEARCH = "search"
    HOTLINE = "hotline"
    POLICE = "police"
    NGO = "ngo"
    REGULATOR = "regulator"
    CLEARING_HOUSE = "clearing_house"
