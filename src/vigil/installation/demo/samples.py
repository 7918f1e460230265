"""Sample reports in several languages. They name made-up sites with drawn shapes, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sample:
    """A report as somebody could have sent it, ``hours_ago`` before the demo's first start."""

    address: str
    theme: str
    language: str
    words: str
    hours_ago: float
    channel: str = "web_form"
    source_class: str = "public"


SAMPLES: Final[tuple[Sample, ...]] = (
    Sample("http://forum.example/thread/12", "csam", "en", "I came across this by accident. I did not look further.", 1.5),
    Sample("news.example", "legal_concern", "nl", "Ik weet niet zeker of dit mag. Kunt u kijken?", 5),
    Sample("http://copies.example/album", "csam", "fr", "Une image de cet album m’inquiète.", 9),
    Sample("http://forum.example/thread/13", "csam", "ar", "وجدت هذه الصفحة بالصدفة.", 20),
    Sample("HTTP://forum.EXAMPLE:80/thread/%312", "csam", "en", "The same thread, typed in another way.", 20.5),
    Sample("http://gallery.example/room/8", "non_photographic", "nl", "", 30),
    Sample("https://mirror.example/a/b/?page=2", "csam", "en", "Sent by a partner.", 44, "partner_api", "member"),
    Sample("zorblat quimber", "query", "en", "I am not sure how to copy the address.", 50),
    Sample("http://shop.example/offer", "spam", "fr", "", 70),
)
