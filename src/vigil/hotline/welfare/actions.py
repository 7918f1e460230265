"""Looking, stopping, and ways out. ``do_begin_look`` is called before anything is shown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db import IntegrityError, models, transaction

from vigil.base.errors import InputError, RefusedError
from vigil.base.limits import Limit
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import Person, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.actions import record, subject_of
from vigil.hotline.welfare import codes
from vigil.hotline.welfare.limits import Fitness, Policy, State
from vigil.hotline.welfare.models import (
    Break,
    BuddyRequest,
    ExposureEnd,
    ExposureEvent,
    LeadSees,
    Preferences,
    SeverityNote,
    ShiftPolicy,
    Swap,
    Warned,
    WellbeingCheck,
)
from vigil.hotline.welfare.modes import PICTURED, ViewMode
from vigil.hotline.welfare.queries import DAY, policy_for, preferences_of, state_for

LOOK_SECONDS: Final = Limit(600, "seconds", "one look is not longer; more is a page that was left open")

WORDS: Final[dict[Fitness, str]] = {
    Fitness.BREAK_DUE: "You have looked for a while: take a break first.",
    Fitness.ON_BREAK: "You are on a break.",
    Fitness.DAY_OVER: "You have seen enough for today. Everything without pictures is still open to you.",
    Fitness.WEEK_OVER: "You have seen enough for this week. Everything without pictures is still open to you.",
    Fitness.SWAPPED: "You are on other work. Come back to content when you want to.",
}


def check_look(person: User) -> State:
    """Whether the person may look now: refused while a break is due or runs, over a hard limit, or on other work."""
    must(person, Permission.CONTENT_REVEAL)
    state = state_for(person)
    if state.refuses:
        raise RefusedError(f"look_{state.fitness.value}", WORDS[state.fitness], mend="See your own page, Wellbeing.")
    return state


def do_begin_look(
    person: User, subject: models.Model | str, mode: ViewMode, *, purpose: str = "casework", region: bool = False
) -> ExposureEvent:
    """Write down that content is about to be shown. A break that is due is refused only for pictures."""
    must(person, Permission.CONTENT_REVEAL)
    state = check_look(person) if mode.value in PICTURED else state_for(person)
    named = subject_of(subject)
    with transaction.atomic():
        look = note_look(person, named, mode, purpose=purpose, region=region)
        record(person, codes.LOOKED, named, purpose=purpose, mode=mode.value, region=region)
        if state.fitness is Fitness.NEAR_LIMIT:
            _ask_once(person, "near_limit")
    return look


def note_look(
    person: User, subject: models.Model | str, mode: ViewMode, *, purpose: str = "casework", region: bool = False
) -> ExposureEvent:
    """Add a look to the ledger; inside the transaction of an act that writes its own audit row."""
    look = ExposureEvent(
        analyst=person, subject=subject_of(subject), mode=mode.value, region_only=region, purpose=purpose, created_by=person.label
    )
    look.save(force_insert=True)
    return look


def _ask_once(person: User, trigger: str) -> None:
    """A question how they are, once in 24 hours."""
    asked = WellbeingCheck.objects.filter(analyst=person, trigger=trigger, created_at__gte=now() - DAY).exists()
    if not asked:
        WellbeingCheck(analyst=person, trigger=trigger, created_by=person.label).save(force_insert=True)


def do_end_look(person: User, look: ExposureEvent, seconds: int) -> None:
    """How long it lasted, as the browser tells: never longer than since it began, nor than one look can be. Once."""
    if look.analyst_id != person.pk:
        raise RefusedError("look_of_another", "This is somebody else's look.")
    since = int((now() - look.created_at).total_seconds()) + 1
    lasted = max(0, min(seconds, since, LOOK_SECONDS.value))
    try:
        with transaction.atomic():
            ExposureEnd(event=look, seconds=lasted, created_by=person.label).save(force_insert=True)
    except IntegrityError:
        return  # told twice: the first counts


def do_note_severity(person: User, subject: models.Model | str, severity: str) -> None:
    """Note what was found, for the mix in the person's own ledger; inside the caller's transaction."""
    SeverityNote(analyst=person, subject=subject_of(subject), severity=severity, created_by=person.label).save(force_insert=True)


def do_take_break(person: User, minutes: int | None = None) -> Break:
    """Begin a break: of the policy's length where it is due, or as long as one likes (up to two hours)."""
    must(person, Permission.WELFARE_OWN)
    due = state_for(person).fitness is Fitness.BREAK_DUE
    least = policy_for(person).break_s
    wanted = least if minutes is None else minutes * 60
    if not 60 <= wanted <= 7200:
        raise InputError("break_length", "A break has 1 to 120 minutes.", where="minutes")
    lasts = timedelta(seconds=max(wanted, least) if due else wanted)
    taken = Break(analyst=person, ends_at=now() + lasts, enforced=due, created_by=person.label)
    taken.save(force_insert=True)
    return taken


def do_swap(person: User) -> None:
    """Go over to work without content. No reason is asked for; again changes nothing."""
    must(person, Permission.WELFARE_OWN)
    if not Swap.objects.filter(analyst=person, ended_at=None).exists():
        Swap.objects.create(analyst=person, created_by=person.label)


def do_come_back(person: User) -> None:
    """End one's swap."""
    Swap.objects.filter(analyst=person, ended_at=None).update(ended_at=now())


def do_ask_buddy(person: User) -> None:
    """Ask for company; again changes nothing."""
    must(person, Permission.WELFARE_OWN)
    if not BuddyRequest.objects.filter(analyst=person, closed_at=None).exists():
        BuddyRequest.objects.create(analyst=person, created_by=person.label)


def do_answer_buddy(person: User, request: BuddyRequest) -> None:
    """Say that one comes: the request leaves everybody else's page."""
    must(person, Permission.WELFARE_OWN)
    if request.analyst_id == person.pk:
        raise RefusedError("buddy_is_another", "A buddy is somebody else.")
    with transaction.atomic():
        fresh = BuddyRequest.objects.select_for_update().get(pk=request.pk)
        if fresh.closed_at is None:
            fresh.answered_by, fresh.closed_at = person, now()
            fresh.save(update_fields=["answered_by", "closed_at"])


def do_withdraw_buddy(person: User) -> None:
    """Take one's own request back."""
    BuddyRequest.objects.filter(analyst=person, closed_at=None).update(closed_at=now())


def do_set_preferences(
    person: User, *, greyscale: bool, sketch: bool, blur: int, tile_side: int, share: bool, opt_outs: Iterable[str]
) -> Preferences:
    """Set how content is shown to oneself, what is not routed to one, and whether the welfare lead may see totals."""
    must(person, Permission.WELFARE_OWN)
    chosen = sorted(set(opt_outs))
    if set(chosen) - set(Warned.values):
        raise InputError("opt_out_unknown", "This is nothing one can opt out of.", where="opt_outs")
    kept = preferences_of(person)
    kept.greyscale, kept.sketch, kept.share = greyscale, sketch, share
    kept.blur, kept.tile_side, kept.opt_outs = blur, tile_side, chosen
    kept.full_clean(exclude=["analyst", "created_by"])
    kept.save()
    return kept


def do_set_policy(
    person: Person, policy: Policy, *, role: Role | None = None, lead_sees: LeadSees = LeadSees.SHARED
) -> ShiftPolicy:
    """Set limits for a role, or for everybody; the rows before stay, so that it can be seen what counted when."""
    must(person, Permission.WELFARE_LEAD)
    if not 0 < policy.daily_soft_s <= policy.daily_limit_s <= policy.weekly_limit_s <= 7 * 24 * 3600:
        raise InputError("limits_order", "Limits grow from soft to daily to weekly.", where="daily_limit_s")
    if not (0 < policy.break_every_s <= 24 * 3600 and 60 <= policy.break_s <= 7200):
        raise InputError("break_length", "A break has 1 to 120 minutes.", where="break_s")
    with transaction.atomic():
        row = ShiftPolicy(
            role=role.value if role else "",
            daily_soft_s=policy.daily_soft_s,
            daily_limit_s=policy.daily_limit_s,
            weekly_limit_s=policy.weekly_limit_s,
            break_every_s=policy.break_every_s,
            break_s=policy.break_s,
            hard=policy.hard,
            lead_sees=lead_sees.value,
            created_by=person.label,
        )
        row.save(force_insert=True)
        record(person, codes.POLICY_SET, row, role=row.role or "all", hard=policy.hard, lead_sees=lead_sees.value)
    return row


def do_read_as_lead(person: Person, people: int) -> None:
    """Write down that the page of totals was read."""
    must(person, Permission.WELFARE_LEAD)
    with transaction.atomic():
        record(person, codes.LEAD_READ, "welfare:totals", people=people)
