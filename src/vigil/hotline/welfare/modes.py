"""How content can be looked at, from nothing to everything (facts: data model, ``view_mode``)."""

from __future__ import annotations

from typing import Final

from django.db.models import TextChoices


class ViewMode(TextChoices):
    """The most revealing way in which content was seen."""

    HIDDEN = "hidden", "Nothing seen"
    HASH_ONLY = "hash_only", "Hashes and matches only"
    FACTS = "facts", "Facts and address only"
    SKETCH = "sketch", "Sketch"
    BLUR = "blur", "Blurred"
    REGION = "region", "A region"
    GREYSCALE = "greyscale", "Greyscale"
    FULL = "full", "Full"


RANK: Final = {mode.value: place for place, mode in enumerate(ViewMode)}
UNBLURRED: Final = frozenset({ViewMode.REGION.value, ViewMode.GREYSCALE.value, ViewMode.FULL.value})
PICTURED: Final = UNBLURRED | {ViewMode.SKETCH.value, ViewMode.BLUR.value}


def most_revealing(modes: list[str]) -> str:
    """The most revealing of ``modes``; ``hidden`` of none."""
    return max(modes, key=RANK.__getitem__, default=ViewMode.HIDDEN.value)
