"""``vigil hotline partner key | rotate | withdraw``: keys and branch of a partner in the published editions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vigil.base.errors import RefusedError
from vigil.hotline.management import boot
from vigil.hotline.management.loops import KEYS_VARIABLE

Code = Annotated[str, typer.Argument(help="The partner's code, such as p-3f9k.", metavar="CODE")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a few words; nothing confidential.")]
KeyFolder = Annotated[Path, typer.Option("--keys", help="Key folder of the list office.", envvar=KEYS_VARIABLE, metavar="DIR")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def partner_key(
    code: Code,
    recipient: Annotated[str, typer.Argument(help="Its new public key, from the partner itself.", metavar="AGE1…")],
    reason: Reason,
    overlap: Annotated[bool, typer.Option("--overlap", help="The key before reads for 48 hours more.")] = False,
) -> None:
    """Propose another public key for a partner's copy. Two people decide in the console: one takes it up, another approves."""
    boot.start("worker")
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.partners.agreements import partner_coded
    from vigil.hotline.partners.recipients import do_propose_recipient

    do_propose_recipient(OPERATOR, partner_coded(code), recipient, reason, overlap=overlap)
    end = "reads for 48 hours after that" if overlap else "stops with that edition"
    typer.echo(f"{code}: proposed. A command names nobody, so two people decide in the console, Partners: a list publisher")
    typer.echo(f"takes it up, a supervisor approves it. Then the office makes an edition under it; the key before {end}.")


def partner_rotate(code: Code, reason: Reason, keys: KeyFolder, yes: Yes = False) -> None:
    """New digest and signing keys for a partner's copy, and an edition under them; the old digest key lasts 48 hours more."""
    boot.start("worker")
    from django.conf import settings

    from vigil.editions.keys import KeyRing
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.lists.partner_keys import do_rotate_keys
    from vigil.hotline.partners.agreements import partner_coded

    partner = partner_coded(code)
    _sure(f"Replace the keys of {code}? Its nodes fetch a whole copy under the new ones; nothing else changes for it.", yes)
    do_rotate_keys(OPERATOR, partner, KeyRing.load(keys), settings.EDITIONS, reason)
    typer.echo(f"{code}: new keys. The next edition, which the office has been asked for, is made under them.")


def partner_withdraw(code: Code, reason: Reason, keys: KeyFolder, yes: Yes = False) -> None:
    """The kill switch with the office at rest: stop a partner and take its branch out of the published editions now."""
    boot.start("worker")
    from django.conf import settings

    from vigil.editions.keys import KeyRing
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.lists.partner_keys import do_withdraw_branch
    from vigil.hotline.partners.agreements import partner_coded

    partner = partner_coded(code)
    _sure(f"Stop {code}? All its tokens end, its copy leaves the published editions, and only another person can let it in.", yes)
    there = do_withdraw_branch(OPERATOR, partner, KeyRing.load(keys), settings.EDITIONS, reason)
    typer.echo(f"{code}: stopped; {'its branch is out of the published editions' if there else 'it had no branch'}.")


def _sure(question: str, yes: bool) -> None:
    if not yes and not typer.confirm(question):
        raise RefusedError("not_confirmed", "Nothing was done.", mend="Answer y, or say --yes.")
