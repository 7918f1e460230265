"""Puts first things into a new database: the lists, and in a demo its people and sample reports.

Run as ``python -m vigil.installation.seed [--people FILE]``, with the hotline's configuration in the environment.
Safe to repeat: what is there stays.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from vigil.editions.model import ListKind
from vigil.hotline.management import boot
from vigil.installation.demo import people
from vigil.installation.demo.samples import SAMPLES

USUAL_LISTS: Final[dict[str, ListKind]] = {
    "urls": ListKind.URL,
    "urls-np": ListKind.NP_URL,
    "hashes": ListKind.HASH_CSAM,
    "hashes-ai": ListKind.HASH_AI,
    "hashes-np": ListKind.HASH_NP,
}


def main(arguments: list[str]) -> None:
    boot.start("worker")
    seed_lists()
    if arguments[:1] == ["--people"]:
        seed_people(Path(arguments[1]))
        seed_policy()
        seed_captures()
        seed_reports()


def seed_lists() -> None:
    """The usual lists, and a first edition without entries, so that nodes have something to hold."""
    from vigil.hotline.access.people import OFFICE, OPERATOR
    from vigil.hotline.lists.actions import do_create_list
    from vigil.hotline.lists.models import List, Publication
    from vigil.hotline.lists.publications import do_request_publication

    for name, kind in USUAL_LISTS.items():
        if not List.objects.filter(name=name).exists():
            do_create_list(OPERATOR, name, kind)
    if not Publication.objects.exists():
        do_request_publication(OFFICE, renewal=True)


def seed_people(file: Path) -> None:
    """The made-up staff of a demo, with their one-time code secrets."""
    from vigil.hotline.access.models import User
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.access.roles import Role
    from vigil.hotline.access.second_factor import enrol, has_second_factor
    from vigil.hotline.audit.people import do_add_user

    for login in people.load(file):
        user = User.objects.filter(username=login.username).first()
        if user is None:
            roles = tuple(Role(role) for role in login.roles)
            user = do_add_user(
                OPERATOR, login.username, display_name=login.username.title(), password=login.password, roles=roles
            )
        if not has_second_factor(user):
            enrol(user, login.totp_secret)


def seed_policy() -> None:
    """What banks of the demo are for, by two of its people."""
    from vigil.hotline.access.queries import user_named
    from vigil.hotline.banks.models import BankPolicy
    from vigil.hotline.banks.policy import do_approve_policy, do_propose_policy

    if BankPolicy.objects.exists():
        return
    proposed = do_propose_policy(
        user_named("paula"), purpose="Demonstration: hashes of drawn shapes.", legal_basis="None needed for drawn shapes.",
        owner="Demo provider", retention_days=30,
    )  # fmt: skip
    do_approve_policy(user_named("sam"), proposed)


def seed_captures() -> None:
    """The demo's legal basis for captures, once."""
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.reports.captures import basis_in_force, do_allow_captures

    if basis_in_force() is None:
        do_allow_captures(OPERATOR, "Demonstration: the only reachable sites are drawn shapes of the demo itself.")


def seed_reports() -> None:
    """The sample reports, once."""
    from vigil.hotline.access.clock import now
    from vigil.hotline.access.people import PUBLIC
    from vigil.hotline.reports.enumerations import Channel, SourceClass, Theme
    from vigil.hotline.reports.intake import Arrival, do_submit_report
    from vigil.hotline.reports.models import Report

    if Report.objects.exists():
        return
    for sample in sorted(SAMPLES, key=lambda sample: -sample.hours_ago):
        arrival = Arrival(
            address=sample.address,
            theme=Theme(sample.theme),
            words=sample.words,
            language=sample.language,
            channel=Channel(sample.channel),
            source_class=SourceClass(sample.source_class),
            received_at=now() - timedelta(hours=sample.hours_ago),
        )
        do_submit_report(PUBLIC, arrival)


if __name__ == "__main__":
    main(sys.argv[1:])
