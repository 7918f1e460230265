"""Indexes: exact digests, Hamming distance, URLs, keywords; each stands beside its slow, obvious twin."""

from vigil.match.index.exact import DigestTable
from vigil.match.index.hamming import HammingIndex

__all__ = ["DigestTable", "HammingIndex"]
