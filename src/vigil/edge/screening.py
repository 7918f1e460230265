"""From the hashes of one file to the question they ask. Pure."""

from __future__ import annotations

from typing import Final

from vigil.edge.questions import HashQuestion, MediaQuestion, Values
from vigil.media.model import ImageHashes, PdqHash, Unhashable, View

EXACT: Final = ("sha256", "sha1", "md5")
LOW_QUALITY: Final = "low_quality"
PDQ: Final = "pdq"


def question_of_file(found: ImageHashes | Unhashable, min_quality: int) -> MediaQuestion:
    """All that is known of a file; below ``min_quality`` a PDQ is compared for equality only, and that is said."""
    digests = tuple(HashQuestion(name, getattr(found, name)) for name in EXACT)
    if isinstance(found, Unhashable):
        return MediaQuestion(digests, (found.reason.value,))
    looks = (PdqHash(View.PLAIN, found.pdq, found.pdq_quality), *found.extras)
    near = tuple(HashQuestion(PDQ, look.pdq, by_distance=look.quality >= min_quality) for look in looks)
    reasons = (LOW_QUALITY,) if found.pdq_quality < min_quality else ()
    return MediaQuestion(digests + near, reasons)


def values_of_file(found: ImageHashes | Unhashable, min_quality: int) -> Values | None:
    """What :func:`question_of_file` would compare; None where it would name a reason besides."""
    if not isinstance(found, ImageHashes) or found.pdq_quality < min_quality:
        return None
    first = (("sha256", found.sha256), ("sha1", found.sha1), ("md5", found.md5), (PDQ, found.pdq))
    return (*first, *((PDQ, look.pdq) for look in found.extras)) if found.extras else first
