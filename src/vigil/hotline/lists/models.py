"""Rows of lists, decisions, entries, publications and appeals."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from vigil.editions.model import ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import AppendOnly, Entity
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.lists.enumerations import (
    AppealOutcome,
    AppellantType,
    EntryReason,
    HeldReason,
    ListingDecision,
    LivePolicy,
    Opinion,
    PoliceView,
    ProposalState,
    PublicationState,
    RemovedReason,
    Signal,
    VoteReason,
)
from vigil.match.urls import Scope

no_values = list  # a row of ListEntry has a list of its own


def choices(values: type[StrEnum]) -> list[tuple[str, str]]:
    """Choices of a column from an enumeration."""
    return [(value.value, value.value.replace("_", " ")) for value in values]


class List(Entity):
    """A product with a policy. ``max_distance`` in bits, for perceptual hashes; ``position`` is the order in editions.

    ``legal_basis``   the law under which it is kept and handed out.
    ``live_hours``    window of the live re-check of addresses; None: none is asked for. ``live_policy`` says what happens then.
    ``default_days``  after how many days a new entry expires by itself; None: never.
    ``flood_floor``   matches of one entry in an hour, over all nodes, below which nothing is a flood.
    """

    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=30, choices=choices(ListKind))
    jurisdictions = models.JSONField(default=list, blank=True)
    policy_version = models.CharField(max_length=40, default="1")
    max_distance = models.PositiveSmallIntegerField(default=31)
    position = models.PositiveSmallIntegerField(default=0)
    legal_basis = models.CharField(max_length=500, blank=True)
    owner = models.CharField(max_length=200, blank=True)
    live_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    live_policy = models.CharField(max_length=10, default=LivePolicy.OFF, choices=choices(LivePolicy))
    default_days = models.PositiveSmallIntegerField(null=True, blank=True)
    flood_floor = models.PositiveIntegerField(default=1000)

    class Meta:
        ordering: ClassVar[list[str]] = ["position", "name"]

    def __str__(self) -> str:
        return self.name


class Decision(AppendOnly):
    """A listing decision of one case by a person who did not assess it; ``created_by`` is the one who decided.

    ``proposed_by``   label of the assessor whose finding it rests on.
    ``risk_reason``   why not, for decisions against listing.
    ``wide_scope``    why a whole host or domain is covered, where one is.
    """

    report = models.ForeignKey("reports.Report", on_delete=models.PROTECT, related_name="listing_decisions")
    assessment = models.ForeignKey(
        "assessments.Assessment", on_delete=models.PROTECT, related_name="listing_decisions"
    )
    decision = models.CharField(max_length=30, choices=choices(ListingDecision))
    proposed_by = models.CharField(max_length=200)
    risk_reason = SealedTextField(null=True, blank=True)
    wide_scope = SealedTextField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(proposed_by=models.F("created_by")), name="lists_two_people_decide")
        ]


class ListEntry(models.Model):
    """One subject on one list. ``number`` is its name everywhere outside this room and is never used again.

    ``content``  sealed: the canonical address, or the hash as text.
    ``digest``   keyed digest of what it covers, by which a second listing and an appeal find it.
    ``tombstone`` true once withdrawn, so that recipients delete it too.
    ``attributes`` of a keyword: language, whole word, evasions, group.
    ``guards``   why a second approver is asked for; ``approval_due`` until one has approved, and out of editions until then.
    ``held_at``  since when it is held back from editions, and ``held_reason`` why; a person decides.
    ``last_live_at`` when a capture last saw its page, ``last_check_at`` when one last looked.
    """

    number = models.BigAutoField(primary_key=True)
    list = models.ForeignKey(List, on_delete=models.PROTECT, related_name="entries")
    signal = models.CharField(max_length=10, choices=choices(Signal))
    scope = models.CharField(max_length=10, blank=True, choices=choices(Scope))
    flags = models.PositiveIntegerField(default=0)
    algorithm = models.CharField(max_length=20, blank=True)
    content = SealedTextField()
    digest = models.CharField(max_length=64, db_index=True)
    reason = models.CharField(max_length=30, choices=choices(EntryReason))
    labels = models.JSONField(default=no_values, blank=True)
    jurisdictions = models.JSONField(default=no_values, blank=True)
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="entries", null=True, blank=True)
    added_at = models.DateTimeField(default=now)
    added_by = models.CharField(max_length=200)
    expires_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.CharField(max_length=200, blank=True)
    removed_reason = models.CharField(max_length=30, blank=True, choices=choices(RemovedReason))
    tombstone = models.BooleanField(default=False)
    review_due = models.BooleanField(default=False)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.CharField(max_length=200, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    guards = models.JSONField(default=no_values, blank=True)
    approval_due = models.BooleanField(default=False)
    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.CharField(max_length=200, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    held_reason = models.CharField(max_length=20, blank=True, choices=choices(HeldReason))
    held_by = models.CharField(max_length=200, blank=True)
    last_live_at = models.DateTimeField(null=True, blank=True)
    last_check_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=~Q(approved_by=models.F("added_by")) | Q(approved_by=""), name="lists_approved_by_another"
            ),
            models.UniqueConstraint(
                fields=["list", "digest"], condition=Q(tombstone=False), name="lists_one_entry_in_force"
            ),
            models.CheckConstraint(
                condition=Q(tombstone=True, removed_at__isnull=False) & ~Q(removed_reason="")
                | Q(tombstone=False, removed_at=None, removed_reason=""),
                name="lists_tombstone_has_reason",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["tombstone", "list"], name="lists_entries_in_force"),
            models.Index(fields=["review_due"], condition=Q(review_due=True), name="lists_review_due"),
            models.Index(fields=["approval_due"], condition=Q(approval_due=True), name="lists_approval_due"),
            models.Index(fields=["held_at"], condition=Q(held_at__isnull=False), name="lists_held"),
        ]

    def __str__(self) -> str:
        return f"entry {self.number}"


class EntryProposal(Entity):
    """An entry that rests on no case of ours, proposed by one person and waiting for another: a keyword, a test entry,
    a domain, a partner's finding. ``content`` and ``evidence`` (why it is needed, and how that was checked) are sealed."""

    list = models.ForeignKey(List, on_delete=models.PROTECT, related_name="proposals")
    signal = models.CharField(max_length=10, choices=choices(Signal))
    scope = models.CharField(max_length=10, blank=True, choices=choices(Scope))
    flags = models.PositiveIntegerField(default=0)
    algorithm = models.CharField(max_length=20, blank=True)
    content = SealedTextField()
    attributes = models.JSONField(default=dict, blank=True)
    labels = models.JSONField(default=no_values, blank=True)
    reason = models.CharField(max_length=30, choices=choices(EntryReason))
    evidence = SealedTextField()
    guards = models.JSONField(default=no_values, blank=True)
    entry_expires_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=choices(ProposalState), default=ProposalState.PENDING)
    expires_at = models.DateTimeField()
    decided_by = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    entry = models.ForeignKey(ListEntry, on_delete=models.PROTECT, null=True, blank=True, related_name="proposals")

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=~Q(decided_by=models.F("created_by")), name="lists_proposal_two_people")
        ]


class AllowEntry(Entity):
    """Something that no list may hold: an address, a host or a hash known to be harmless. Takes effect at once, since it
    takes something off; a second person reviews it. ``digest`` as that of an entry covering the same."""

    signal = models.CharField(max_length=10, choices=choices(Signal))
    scope = models.CharField(max_length=10, blank=True, choices=choices(Scope))
    algorithm = models.CharField(max_length=20, blank=True)
    content = SealedTextField()
    digest = models.CharField(max_length=64, db_index=True)
    why = models.CharField(max_length=300)
    review_due = models.BooleanField(default=True)
    reviewed_by = models.CharField(max_length=200, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["digest"], condition=Q(ended_at=None), name="lists_allowed_once")
        ]


class Vote(AppendOnly):
    """A partner's opinion on an entry after it saw a match. The newest of a node counts; the same again leaves no row."""

    node = models.ForeignKey("partners.Node", on_delete=models.PROTECT, related_name="votes")
    partner = models.CharField(max_length=32, blank=True)
    entry = models.ForeignKey(ListEntry, on_delete=models.PROTECT, related_name="votes")
    opinion = models.CharField(max_length=10, choices=choices(Opinion))
    reason = models.CharField(max_length=20, choices=choices(VoteReason))
    edition = models.PositiveIntegerField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["entry", "node", "created_at"], name="lists_votes")]


class MarkGeneration(AppendOnly):
    """A book of marks that was in use from a moment on: its key, and the names it used. All of them trace."""

    number = models.PositiveIntegerField(unique=True)
    key = SealedTextField()
    domains = models.JSONField(default=no_values)
    positions = models.PositiveSmallIntegerField()


class Publication(Entity):
    """One request for an edition and what became of it. ``number`` is that of the latest attempt; no number is used twice.

    ``digest``  SHA-256 (hex) of the edition's manifest, noted before it is put into force: by it a restarted
    office knows whether the edition on disk is this one.
    """

    state = models.CharField(
        max_length=12, choices=choices(PublicationState), default=PublicationState.REQUESTED, db_index=True
    )
    renewal = models.BooleanField(default=False)
    number = models.PositiveIntegerField(null=True, blank=True, unique=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    building_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    urls = models.PositiveIntegerField(default=0)
    hashes = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    audit_events = models.BigIntegerField(default=0)
    audit_head = models.CharField(max_length=64, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_text = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]

    @property
    def requested_by(self) -> str:
        return self.created_by


class Appeal(Entity):
    """A challenge to an entry or a notice. ``entries`` are those the address met when it came in.

    ``notice_serial``      of the notice it is about, as the appellant gave it.
    ``standing_accepted``  whether they may appeal; None until somebody looked.
    ``interim_delist``     its entries are off the lists while it runs: ``interim_entries`` are those that this took off.
    ``police_asked_at``, ``police_view``  the case was laid before the police, whose view is final.
    ``board_informed_at``  where the police view reversed a decision. ``told_at`` when the appellant was told.
    """

    ref = models.CharField(max_length=20, unique=True)
    appellant_type = models.CharField(max_length=30, choices=choices(AppellantType))
    address = SealedTextField(null=True, blank=True)
    reasons = SealedTextField(null=True, blank=True)
    standing = SealedTextField(null=True, blank=True)
    contact = SealedTextField(null=True, blank=True)
    block_reference = models.CharField(max_length=80, blank=True)
    entries = models.ManyToManyField(ListEntry, related_name="appeals", blank=True)
    notice_serial = models.CharField(max_length=60, blank=True, db_index=True)
    standing_accepted = models.BooleanField(null=True, blank=True)
    standing_by = models.CharField(max_length=200, blank=True)
    interim_delist = models.BooleanField(default=False)
    interim_at = models.DateTimeField(null=True, blank=True)
    interim_by = models.CharField(max_length=200, blank=True)
    police_asked_at = models.DateTimeField(null=True, blank=True)
    board_informed_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    reassessor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="appeals"
    )
    outcome = models.CharField(max_length=30, blank=True, choices=choices(AppealOutcome))
    police_view = models.CharField(max_length=20, blank=True, choices=choices(PoliceView))
    interim_entries = models.JSONField(default=list, blank=True)
    notes = SealedTextField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["decided_at", "created_at"], name="lists_appeals_open")
        ]

    @property
    def is_open(self) -> bool:
        return self.decided_at is None
