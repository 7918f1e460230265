"""What a child is told: templates in short words, in every language on offer. They never describe what was found.

The service partner shows them in its own place; our page for children shows none of them.
"""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from vigil.hotline.reports.enumerations import ChildOutcome

OUTCOMES: Final[dict[ChildOutcome, str | Promise]] = {
    ChildOutcome.HASHED_AND_SHARED: _(
        "Thank you for telling us. We made a kind of fingerprint of your picture, which cannot be turned back into it. "
        "Companies that work with us can use it to find copies and take them down."
    ),
    ChildOutcome.NOT_CRIMINAL: _(
        "Thank you for telling us. With the law as it is, we cannot have this picture removed. You did nothing wrong by "
        "asking. The people who passed this on to us can help you to ask the site itself."
    ),
    ChildOutcome.ALREADY_KNOWN: _(
        "Thank you for telling us. We already knew about this picture and are working on it. You do not need to do anything."
    ),
    ChildOutcome.URL_REMOVED: _(
        "Thank you for telling us. The page you told us about no longer shows the picture. If you see it again, you can tell "
        "us again."
    ),
    ChildOutcome.REFERRED: _(
        "Thank you for telling us. We passed it on to people in another place who can do more there. That can take some time."
    ),
    ChildOutcome.MORE_INFORMATION_NEEDED: _(
        "Thank you for telling us. We could not find the picture yet. If you can, tell us more about where it is. You do not "
        "have to look for it."
    ),
}
