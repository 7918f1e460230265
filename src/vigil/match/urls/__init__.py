"""Canonical form, scopes and expressions of URLs. Specification: docs/spec/canonical-url.md."""

from vigil.match.urls.canonical import CANON, canonical
from vigil.match.urls.deviation import forms_of_entry
from vigil.match.urls.lax import second_pass
from vigil.match.urls.model import CanonicalUrl, UrlFlag
from vigil.match.urls.person import canonical_from_person
from vigil.match.urls.refusal import Refusal, UrlRefused
from vigil.match.urls.scopes import (
    HOST_KEY_BYTES,
    KEY_BYTES,
    MAX_DEPTH,
    SCOPES,
    EntryFlag,
    Scope,
    depth_of,
    entry_key,
    host_key,
    hosts_of,
    prefixes_of,
    require_entry,
)
from vigil.match.urls.tracking import TRACKING_VERSION

__all__ = [
    "CANON",
    "HOST_KEY_BYTES",
    "KEY_BYTES",
    "MAX_DEPTH",
    "SCOPES",
    "TRACKING_VERSION",
    "CanonicalUrl",
    "EntryFlag",
    "Refusal",
    "Scope",
    "UrlFlag",
    "UrlRefused",
    "canonical",
    "canonical_from_person",
    "depth_of",
    "entry_key",
    "forms_of_entry",
    "host_key",
    "hosts_of",
    "prefixes_of",
    "require_entry",
    "second_pass",
]
