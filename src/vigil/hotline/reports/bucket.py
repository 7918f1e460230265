"""Taking tokens from the door's buckets (:mod:`.limits`), shared by all processes through the database."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from vigil.hotline.access.clock import now
from vigil.hotline.reports.limits import DRAFTS_ALIVE, RATES, Act, Bucket, full, take
from vigil.hotline.reports.models import Draft, TokenBucket

CROWDED = timedelta(minutes=10)


def wait_for(act: Act) -> timedelta:
    """Take one token for ``act``: how long to wait before trying again; zero where it may happen now."""
    if act is Act.DRAFT and Draft.objects.count() >= DRAFTS_ALIVE.value:
        return CROWDED
    instant = now()
    with transaction.atomic():
        start = full(RATES[act], instant)
        TokenBucket.objects.bulk_create(
            [TokenBucket(act=act, tokens=start.tokens, at=start.at)], ignore_conflicts=True
        )
        row = TokenBucket.objects.select_for_update().get(act=act)
        after, wait = take(Bucket(row.tokens, row.at), RATES[act], instant)
        row.tokens, row.at = after.tokens, after.at
        row.save(update_fields=["tokens", "at"])
    return wait
