"""The declaration every view carries: who may reach it. A view without one is refused, and a test fails.

    @requires(Permission.QUEUE_READ)
    def queue(request): ...

    @open_to_all("The first page of the report form.")
    def start(request): ...

For class-based views decorate the result of ``as_view()``. Views of other packages are declared by URL name in the
setting ``ACCESS_RULES``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.conf import settings
from django.urls import ResolverMatch

from vigil.hotline.access.permissions import Permission

View = TypeVar("View", bound=Callable[..., Any])

ATTRIBUTE: Final = "access_rule"


@dataclass(frozen=True, slots=True)
class OpenToAll:
    """Anybody may come in; ``reason`` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Any active member of staff, also without a second factor yet: one's own account."""

    reason: str


@dataclass(frozen=True, slots=True)
class Requires:
    """Only who has ``permission``; with ``elevated``, only within an elevated session."""

    permission: Permission
    elevated: bool = False


Rule = OpenToAll | SignedIn | Requires


def requires(permission: Permission, *, elevated: bool = False) -> Callable[[View], View]:
    """Declare that only people with ``permission`` reach this view, where ``elevated`` only within an elevated session."""
    return lambda view: _declare(view, Requires(permission, elevated))


def open_to_all(reason: str) -> Callable[[View], View]:
    """Declare that anybody reaches this view, and why."""
    return lambda view: _declare(view, OpenToAll(reason))


def signed_in(reason: str) -> Callable[[View], View]:
    """Declare that any member of staff reaches this view, and why."""
    return lambda view: _declare(view, SignedIn(reason))


def _declare(view: View, rule: Rule) -> View:
    setattr(view, ATTRIBUTE, rule)
    return view


def rule_of(view: Callable[..., Any], name: str | None) -> Rule | None:
    """The rule of a view, by its declaration or by its URL ``name``; None where nobody declared one."""
    rule = getattr(view, ATTRIBUTE, None) or settings.ACCESS_RULES.get(name or "")
    return rule if isinstance(rule, OpenToAll | SignedIn | Requires) else None


def rule_of_match(match: ResolverMatch) -> Rule | None:
    """The rule of the view that a request was resolved to."""
    return rule_of(match.func, match.view_name)
