"""What is asked at each poll: the prepared questions answer as the plain ones do, and at once after every change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from vigil.base.clock import FixedClock
from vigil.base.errors import RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.partners.actions import do_enrol_node, do_revoke_node
from vigil.hotline.partners.agreements import (
    Terms,
    agreements_in_force,
    do_approve_agreement,
    do_end_agreement,
    do_propose_agreement,
    do_propose_partner,
    do_resume_partner,
    do_stop_partner,
    require_some_agreement,
)
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Node
from vigil.hotline.partners.queries import node_of_header


def agreed(code: str, clock: FixedClock) -> bool:
    """The answer of both ways to ask, which must be one."""
    plain = agreements_in_force(clock.now()).filter(partner__code=code).exists()
    try:
        require_some_agreement(code)
        prepared = True
    except RefusedError as refused:
        assert refused.code == "no_agreement"
        prepared = False
    assert prepared == plain
    return prepared


def test_an_agreement_is_seen_from_its_start_to_its_end_and_the_kill_switch_at_once(
    make_user: Callable[..., User], clock: FixedClock
) -> None:
    paula, sam = make_user(Role.LIST_PUBLISHER, username="paula"), make_user(Role.SUPERVISOR, username="sam")
    partner, other = (do_propose_partner(paula, title, PartnerKind.ISP) for title in ("One", "Other"))
    start = clock.now() + timedelta(hours=1)
    agreement = do_propose_agreement(paula, partner, Terms("r", ("urls",), start, start + timedelta(days=9), "Somebody"))
    assert not agreed(partner.code, clock)
    do_approve_agreement(sam, agreement)
    assert not agreed(partner.code, clock)
    clock.advance(hours=1)
    assert agreed(partner.code, clock) and not agreed(other.code, clock) and not agreed("code of a partner", clock)
    do_stop_partner(paula, partner, "A test.")
    assert not agreed(partner.code, clock)
    do_resume_partner(sam, partner)
    assert agreed(partner.code, clock)
    clock.advance(days=9)
    assert not agreed(partner.code, clock)
    clock.advance(days=-1)
    do_end_agreement(sam, agreement)
    assert not agreed(partner.code, clock)


def test_a_node_is_found_by_its_token_whole_and_not_once_it_is_revoked(
    make_user: Callable[..., User], clock: FixedClock, django_assert_num_queries: Any
) -> None:
    ada = make_user(Role.SYSADMIN, username="ada")
    made, token = do_enrol_node(ada, "q-1", 30)
    do_enrol_node(ada, "q-2", 30)
    with django_assert_num_queries(1):
        found = node_of_header(f"Bearer {token}")
    plain = Node.objects.get(name="q-1")
    assert found == plain == made and isinstance(found, Node)
    assert {field.name: getattr(found, field.name) for field in Node._meta.fields} == {
        field.name: getattr(plain, field.name) for field in Node._meta.fields
    }
    assert node_of_header("Bearer " + token[:-1] + ("A" if token[-1] != "A" else "B")) is None
    do_revoke_node(ada, plain)
    assert node_of_header(f"Bearer {token}") is None
